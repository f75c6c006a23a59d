#include "report/shorten.h"

#include <gmock/gmock.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;

TEST(ShortenedDetail, MarksEachCutText) {
  const FailureDetail detail{
      ResultType::kTlsaInvalid,       "192.0.2.1", "mx.example",
      "mx.example greets you warmly", "192.0.2.2", "https://example.org/%C3%A4%C3%B6%C3%BC",
      "a reason that is long"};
  const auto cut = shortened(detail, 12);
  EXPECT_EQ(cut.receiving_mx_helo, "mx.exampl…");
  EXPECT_EQ(cut.failure_reason_code, "a reason …");
  EXPECT_EQ(cut.additional_information, "htt%E2%80%A6");
  EXPECT_EQ(cut.sending_mta_ip, detail.sending_mta_ip);
  EXPECT_EQ(cut.receiving_mx_hostname, detail.receiving_mx_hostname);
  EXPECT_EQ(cut.receiving_ip, detail.receiving_ip);
}

TEST(ShortenedDetail, DoesNotLeaveHalfAnEscapeInAUri) {
  const FailureDetail detail{ResultType::kTlsaInvalid, "", "", "", "", "http://a/%C3%A4%C3%B6", ""};
  EXPECT_EQ(shortened(detail, 20).additional_information, "http://a/%E2%80%A6");
}

TEST(ShortenedDetail, KeepsWhatIsShortEnough) {
  const FailureDetail detail{ResultType::kTlsaInvalid, "", "", "helo", "", "a:b", "reason"};
  EXPECT_EQ(shortened(detail, 12), detail);
}

TEST(ShortenedPolicy, SaysThatLinesWereLeftOut) {
  const Policy policy{PolicyType::kSts, "a.example", {"one", "two", "three is long"}, {"b", "c"}};
  EXPECT_THAT(shortened(policy, 2, 5).strings, ElementsAre("one", "two", "…"));
  EXPECT_THAT(shortened(policy, 1, 5).mx_hosts, ElementsAre("b"));
  EXPECT_THAT(shortened(policy, 3, 5).strings, ElementsAre("one", "two", "th…"));
  EXPECT_THAT(shortened(policy, 0, 5).strings, ElementsAre("…"));
}

}  // namespace
}  // namespace rapporteur
