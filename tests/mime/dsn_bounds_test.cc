// What bounds a notice that somebody made to be expensive or to break the form of what is read.

#include <gmock/gmock.h>

#include <string>

#include "mime/dsn.h"
#include "mime/entity.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string notice_to(const std::string& to, const std::string& original_recipient) {
  return "To: " + to +
         "\nContent-Type: multipart/report; boundary=b\n\n--b\n"
         "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\n"
         "Final-Recipient: rfc822; a@b.example\nOriginal-Recipient: rfc822; " +
         original_recipient + "\nAction: failed\n\n--b--\n";
}

struct Length {
  const char* name;
  std::size_t local_part;
  const char* domain;
  const char* want;  // the domain; empty if the address is too long
};
class AddressOf : public testing::TestWithParam<Length> {};

TEST_P(AddressOf, HasAtMost320BytesInItsNormalForm) {
  const auto& [name, size, domain, want] = GetParam();
  const auto local_part = std::string(size, 'a');
  const auto address = local_part + "@" + domain;
  const auto wanted = *want == '\0' ? "" : local_part + "@" + want;
  EXPECT_EQ(normalised_address(address), wanted);
  const auto notice = parse_dsn(notice_to(address, address));
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_EQ(notice->recipients.front().original_recipient, wanted);
  EXPECT_THAT(notice->sent_to, SizeIs(wanted.empty() ? 0 : 1));
}

INSTANTIATE_TEST_SUITE_P(Bytes, AddressOf,
                         testing::Values(Length{"AtTheBound", 309, "b.example.", "b.example"},
                                         Length{"Beyond", 310, "b.example.", ""},
                                         Length{"LongerAsALabels", 306, "üü.example", ""},
                                         Length{"AsALabelsAtTheBound", 303, "üü.example",
                                                "xn--tdaa.example"},
                                         Length{"NoDomain", 309, "-B.Example", "-b.example"},
                                         Length{"NoDomainBeyond", 310, "-B.Example", ""}),
                         [](const auto& test) { return test.param.name; });

std::string exim_notice(const std::string& failure) {
  return "X-Failed-Recipients: A@b.example\n\nThis message was created automatically by mail "
         "delivery software.\n\n" +
         failure;
}

TEST(AddressesOfLists, AreNoMoreThanAsked) {
  const std::vector<std::string> lists = {"a@b.example, no address, C <c@b.example>, \"open",
                                          "d@b.example, e@b.example", "f@b.example"};
  EXPECT_THAT(addresses_in(lists, 3), ElementsAre("a@b.example", "c@b.example", "d@b.example"));
  EXPECT_THAT(addresses_in(lists, 9), SizeIs(5));
  EXPECT_THAT(addresses_in(lists, 0), IsEmpty());
}

TEST(Dsn, LooksAtTheFirstTwoHundredAddressees) {
  std::string to;
  for (int i = 0; i < 199; ++i) to += "To: a@\u00fc.example\n";
  const auto last = parse_dsn(to + notice_to("b@b.example", ""));
  ASSERT_TRUE(last);
  EXPECT_THAT(last->sent_to, ElementsAre("a@xn--tda.example", "b@b.example"));
  const auto beyond = parse_dsn("To: a@b.example\n" + to + notice_to("b@b.example", ""));
  ASSERT_TRUE(beyond);
  EXPECT_THAT(beyond->sent_to, ElementsAre("a@b.example", "a@xn--tda.example"));
}

TEST(DsnOfOlderExim, NamesItsAddressInTheFirstKibibyteOfAFailure) {
  const std::string said = "a@B.example\n    550 5.1.1 no\n";
  const auto near = parse_dsn(exim_notice("  " + std::string(1000, 'x') + " " + said));
  ASSERT_TRUE(near);
  EXPECT_THAT(near->recipients, ElementsAre(testing::Field(&DeliveryStatus::diagnostic,
                                                           testing::HasSubstr("a@B.example"))));
  const auto far = parse_dsn(exim_notice("  " + std::string(1020, 'x') + " " + said));
  ASSERT_TRUE(far);
  EXPECT_THAT(far->recipients,
              ElementsAre(DeliveryStatus{"", "A@b.example", DsnAction::kFailed, "5.0.0", ""}));
}

TEST(DsnOfOlderExim, IsReadWhenEveryFailureAlmostNamesEveryRecipient) {
  std::string header;
  std::string body = "\nThis message was created automatically by mail delivery software.\n\n";
  for (int i = 0; i < 100; ++i) {
    header += "X-Failed-Recipients: " + std::string(300, 'a') + std::to_string(i) + "@b.example\n";
    body += "  " + std::string(4095, 'a') + "\n    " + std::string(5000, 'a') + "\n";
  }
  const auto notice = parse_dsn(header + body);
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->recipients, SizeIs(100));
  EXPECT_THAT(notice->recipients,
              testing::Each(testing::Field(&DeliveryStatus::diagnostic, IsEmpty())));
}

}  // namespace
}  // namespace rapporteur
