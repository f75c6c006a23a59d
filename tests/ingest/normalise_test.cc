#include "ingest/normalise.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Text {
  const char* name;
  std::string input;
  std::string want;
};
constexpr auto kName = [](const auto& test) { return std::string(test.param.name); };

class Helo : public testing::TestWithParam<Text> {};
TEST_P(Helo, IsTheFirstWordBehindTheCode) {
  EXPECT_EQ(normalise_helo(GetParam().input), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(
    Counting, Helo,
    testing::Values(Text{"EhloReply", "250-mx.a.example\r\n250-SIZE 1\r\n250 HELP", "mx.a.example"},
                    Text{"ReplyOfOneLine", "250 mx.a.example Hello", "mx.a.example"},
                    Text{"Banner", "220 mx.a.example ESMTP Postfix", "mx.a.example"},
                    Text{"BannerOfSeveralLines", "220-mx.a.example\n220 go", "mx.a.example"},
                    Text{"NameAlone", "mx.a.example", "mx.a.example"},
                    Text{"NameThatBeginsWithDigits", "250mx.a.example", "250mx.a.example"},
                    Text{"FourDigits", "2500 x", "2500"}, Text{"CodeAlone", "250", ""},
                    Text{"CodeAndDash", "250-", ""}, Text{"CodeAndOtherLines", "250-\r\n250 x", ""},
                    Text{"Empty", "", ""}, Text{"Blanks", " \r\n\t", ""},
                    Text{"LeadingBlanks", "  250  mx.a.example", "mx.a.example"},
                    Text{"AddressLiteral", "[192.0.2.1]", "[192.0.2.1]"},
                    Text{"Longest", std::string(255, 'a'), std::string(255, 'a')},
                    Text{"TooLong", std::string(256, 'a'), std::string(252, 'a') + "…"}),
    kName);

class Ip : public testing::TestWithParam<Text> {};
TEST_P(Ip, IsCanonicalOrAbsent) {
  EXPECT_EQ(normalise_ip(GetParam().input), GetParam().want);
}
INSTANTIATE_TEST_SUITE_P(Counting, Ip,
                         testing::Values(Text{"Ipv4", "192.0.2.1", "192.0.2.1"},
                                         Text{"Blanks", " 192.0.2.1\n", "192.0.2.1"},
                                         Text{"Ipv6", "2001:0DB8::0:1", "2001:db8::1"},
                                         Text{"Mapped", "::FFFF:192.0.2.1", "192.0.2.1"},
                                         Text{"Zone", "fe80::1%eth0", "fe80::1"},
                                         Text{"Name", "mx.a.example", ""},
                                         Text{"Brackets", "[192.0.2.1]", ""},
                                         Text{"Empty", "", ""}),
                         kName);

class Uri : public testing::TestWithParam<std::pair<const char*, bool>> {};
TEST_P(Uri, IsToldFromOtherText) {
  EXPECT_EQ(is_uri(GetParam().first), GetParam().second);
}
INSTANTIATE_TEST_SUITE_P(
    Rfc3986, Uri,
    testing::Values(std::pair("https://a.example/x?y=%2F#z", true),
                    std::pair("mailto:a@b.example", true), std::pair("urn:x", true),
                    std::pair("a+b-c.1:x", true), std::pair("https://[2001:db8::1]:8/", true),
                    std::pair("", false), std::pair("text", false), std::pair(":x", false),
                    std::pair("https:", false), std::pair("1a:x", false), std::pair("a_b:x", false),
                    std::pair("a:b c", false), std::pair("a:%zz", false), std::pair("a:%2", false),
                    std::pair("a:\"b\"", false), std::pair("a:\xC3\xA9", false),
                    std::pair("This is additional information", false)));

TEST(Detail, KeepsAUriAndCapsItsFields) {
  RawDetail raw;
  const auto uri = "https://a.example/" + std::string(1006, 'x');
  raw.additional_information = uri;
  raw.failure_reason_code = std::string(512, 'r');
  auto detail = normalise_detail(raw);
  EXPECT_EQ(detail.additional_information, uri);
  EXPECT_EQ(detail.failure_reason_code, raw.failure_reason_code);

  const auto longer = uri + "x";
  raw.additional_information = longer;
  raw.failure_reason_code += "r";
  detail = normalise_detail(raw);
  EXPECT_EQ(detail.additional_information, longer.substr(0, 1021) + "…");
  EXPECT_EQ(detail.failure_reason_code, std::string(509, 'r') + "…");
}

TEST(Detail, CutsAtACharacter) {
  RawDetail raw;
  raw.failure_reason_code = "x";
  for (int i = 0; i < 300; ++i) raw.failure_reason_code += "é";
  const auto reason = normalise_detail(raw).failure_reason_code;
  EXPECT_EQ(reason.size(), 512U);
  EXPECT_TRUE(reason.ends_with("é…"));
}

TEST(ResultTypeName, IsReadInAnyCaseAndKeptWhenUnknown) {
  RawDetail raw;
  set_result_type(raw, " Certificate-EXPIRED ");
  EXPECT_EQ(raw.result_type, ResultType::kCertificateExpired);
  EXPECT_EQ(raw.original_type, "");
  set_result_type(raw, "sts-policy-weird");
  EXPECT_EQ(raw.result_type, ResultType::kValidationFailure);
  EXPECT_EQ(raw.original_type, "sts-policy-weird");
}

TEST(TlsaPolicy, HasOneSpellingForEachRecordAndIsSorted) {
  const auto policy = normalise_policy(
      PolicyType::kTlsa, "mx.a.example",
      {"3 1 1 FFEE", " 03  1 1 ff ee ", "2 0 1\tAb", "", "3 1 x aa", "256 1 1 aa", "3 1 1"},
      {"mx.a.example"});
  EXPECT_THAT(policy.strings,
              ElementsAre("2 0 1 ab", "256 1 1 aa", "3 1 1", "3 1 1 ffee", "3 1 x aa"));
  EXPECT_THAT(policy.mx_hosts, IsEmpty());
}

TEST(TlsaPolicy, IsTheSameInAnyOrderOfManyRecords) {
  std::vector<std::string> records;
  records.reserve(60);
  for (int i = 0; i < 60; ++i) records.push_back("3 1 1 " + std::to_string(1000 + i));
  const std::vector<std::string_view> forward(records.begin(), records.end());
  const std::vector<std::string_view> backward(records.rbegin(), records.rend());
  const auto policy = normalise_policy(PolicyType::kTlsa, "a.example", forward, {});
  EXPECT_THAT(policy.strings, SizeIs(50));
  EXPECT_EQ(policy, normalise_policy(PolicyType::kTlsa, "a.example", backward, {}));
}

TEST(StsPolicy, KeepsItsLinesInOrderAndSplitsAWholeText) {
  const auto policy = normalise_policy(
      PolicyType::kSts, "a.example",
      {"version: STSv1\r\nmode: testing\n\n  mx:mx.a.example  \r\nmax_age: 1\n"}, {});
  EXPECT_THAT(policy.strings,
              ElementsAre("version: STSv1", "mode: testing", "mx:mx.a.example", "max_age: 1"));
  EXPECT_THAT(policy.mx_hosts, ElementsAre("mx.a.example"));
}

TEST(StsPolicy, DerivesPatternsOnlyWhereNoneAreGiven) {
  const std::vector<std::string_view> lines = {
      "mx: *.B\u00fccher.example", "mx : mx2.a.example.", "nmx: x.a.example", "mx: ", "mx: a..b",
      "mx: MX2.a.example"};
  EXPECT_THAT(normalise_policy(PolicyType::kSts, "a.example", lines, {""}).mx_hosts,
              ElementsAre("*.xn--bcher-kva.example", "mx2.a.example"));
  EXPECT_THAT(normalise_policy(PolicyType::kSts, "a.example", lines, {"MX.a.example"}).mx_hosts,
              ElementsAre("mx.a.example"));
}

TEST(StsPolicy, CapsLinesAndPatterns) {
  std::vector<std::string> lines;
  lines.reserve(201);
  for (int i = 0; i < 201; ++i) lines.push_back("mx: mx" + std::to_string(i) + ".a.example");
  const std::vector<std::string_view> views(lines.begin(), lines.end());
  const auto policy = normalise_policy(PolicyType::kSts, "a.example", views, {});
  EXPECT_THAT(policy.strings, SizeIs(200));
  EXPECT_THAT(policy.mx_hosts, SizeIs(100));
  const std::string longest(512, 'x');
  const std::string longer(513, 'x');
  EXPECT_THAT(normalise_policy(PolicyType::kSts, "a.example", {longest, longer}, {}).strings,
              ElementsAre(longest, longest.substr(0, 509) + "…"));
}

TEST(NoPolicy, HasNoPatterns) {
  EXPECT_THAT(normalise_policy(PolicyType::kNoPolicyFound, "a.example", {""}, {"mx.a.example"}),
              (Policy{PolicyType::kNoPolicyFound, "a.example", {}, {}}));
}

TEST(Record, IsAbsentWhenItIsTooLongToBeOne) {
  EXPECT_EQ(normalise_record(" v=TLSRPTv1;\x01 rua=x "), "v=TLSRPTv1; rua=x");
  EXPECT_EQ(normalise_record(std::string(4096, 'x')).size(), 4096U);
  EXPECT_EQ(normalise_record(std::string(4097, 'x')), "");
}

TEST(SessionId, CarriesItsPrefixAndIsBounded) {
  EXPECT_EQ(session_id("native", "x"), "native:x");
  EXPECT_EQ(session_id("native", ""), "");
  EXPECT_EQ(session_id("native", " \x01"), "");
  EXPECT_EQ(session_id("n", std::string(300, 'x')).size(), 2U + 64U);
}

}  // namespace
}  // namespace rapporteur
