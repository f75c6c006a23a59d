#include "report/report.h"

#include <gmock/gmock.h>

#include "base/file.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const Period kDay{*parse_time("2026-11-20"), *parse_time("2026-11-21")};

ReportHead head() {
  return {"Example \"Org\"", "tlsrpt@example.net", kDay,
          report_id(kDay, "example.org", 1, "abcd1234", "example.net")};
}

WindowCounts mixed_counts() {
  const Policy sts{PolicyType::kSts,
                   "example.org",
                   {"version: STSv1", "mode: testing", "mx: *.mail.example.org", "max_age: 86400"},
                   {"*.mail.example.org"}};
  const Policy tlsa{PolicyType::kTlsa, "mx.example.org", {"3 1 1 ab12"}, {}};
  const Policy none{PolicyType::kNoPolicyFound, "example.org", {}, {}};
  const FailureDetail expired{ResultType::kCertificateExpired,
                              "2001:db8:abcd:12::1",
                              "mx1.mail.example.org",
                              "mx1 greets \"you\"",
                              "203.0.113.56",
                              "https://help.example.net/expired",
                              "X509_V_ERR_CERT_HAS_EXPIRED"};
  const FailureDetail fetch{ResultType::kStsPolicyFetchError, "", "", "", "", "", ""};
  return {{none, 7, 0, {}},
          {sts, 5326, 303, {{fetch, 3}, {expired, 200}}},
          {tlsa, 0, 1, {{{ResultType::kDaneRequired, "", "", "", "", "", "größer"}, 1}}}};
}

std::string golden(const std::string& name) {
  const auto text = read_file(TEST_ROOT "/golden/report/" + name);
  return text ? *text : text.error().text;
}

TEST(ReportJson, IsTheGoldenTextForAMixedWindow) {
  EXPECT_EQ(report_json(head(), mixed_counts()) + "\n", golden("mixed.json"));
}

TEST(ReportJson, HasAnEmptyArrayOfPoliciesForAnEmptyWindow) {
  EXPECT_EQ(report_json(head(), {}) + "\n", golden("empty.json"));
}

TEST(ReportJson, IsTheSameForEqualCountsInAnyOrder) {
  auto counts = mixed_counts();
  std::swap(counts[0], counts[2]);
  std::swap(counts[1].details[0], counts[1].details[1]);
  EXPECT_EQ(report_json(head(), counts), report_json(head(), mixed_counts()));
}

TEST(ReportJson, OrdersEqualCountsOfDetailsByContent) {
  PolicyCounts policy{{PolicyType::kNoPolicyFound, "a.example", {}, {}}, 0, 2, {}};
  policy.details = {{{ResultType::kValidationFailure, "", "", "", "", "", "b"}, 1},
                    {{ResultType::kValidationFailure, "", "", "", "", "", "a"}, 1}};
  EXPECT_THAT(report_json(head(), {policy}), testing::ContainsRegex("\"a\".*\"b\""));
}

TEST(ReportJson, EndsOneSecondBeforeTheWindowDoes) {
  EXPECT_THAT(report_json(head(), {}), HasSubstr(R"("start-datetime":"2026-11-20T00:00:00Z",)"
                                                 R"("end-datetime":"2026-11-20T23:59:59Z")"));
}

TEST(ReportJson, TellsStringsAndPatternsOnlyForPoliciesThatHaveThem) {
  const WindowCounts counts = {
      {{PolicyType::kNoPolicyFound, "a.example", {"stray"}, {"stray"}}, 1, 0, {}},
      {{PolicyType::kTlsa, "b.example", {}, {"stray"}}, 1, 0, {}}};
  const auto json = report_json(head(), counts);
  EXPECT_THAT(json, Not(HasSubstr("stray")));
  EXPECT_THAT(json, Not(HasSubstr("policy-string")));
  EXPECT_THAT(json, Not(HasSubstr("mx-host")));
}

TEST(ReportJson, ReplacesBrokenUtf8) {
  auto broken = head();
  broken.organization_name = "a\xff";
  EXPECT_THAT(report_json(broken, {}), HasSubstr("\"a\xEF\xBF\xBD\""));
}

TEST(ReportId, IsAMsgIdWithWindowDomainPartAndToken) {
  EXPECT_EQ(report_id(kDay, "example.org", 12, "abcd1234", "example.net"),
            "20261120T000000Z-20261121T000000Z.example.org.12.abcd1234@example.net");
}

TEST(FileName, AgreesWithTheDateRange) {
  EXPECT_EQ(file_name("example.net", "example.org", kDay, 7, "abcd1234"),
            "example.net!example.org!1795132800!1795219199!007abcd1234.json.gz");
}

TEST(FileName, WritesPartNumbersBeyondThreeDigits) {
  EXPECT_THAT(file_name("a.example", "b.example", kDay, 1000, "t"), HasSubstr("!1000t.json.gz"));
}

struct AddressCase {
  const char* name;
  const char* input;
  const char* want;
};
class SendingAddress : public testing::TestWithParam<AddressCase> {};

TEST_P(SendingAddress, IsToldAsTheWorldSeesIt) {
  const std::map<std::string, std::string> nat = {{"10.0.0.5", "198.51.100.7"},
                                                  {"8.8.4.4", "8.8.8.8"}};
  EXPECT_EQ(shown_sending_ip(GetParam().input, nat), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Nat, SendingAddress,
                         testing::Values(AddressCase{"Mapped", "10.0.0.5", "198.51.100.7"},
                                         AddressCase{"MappedThoughReachable", "8.8.4.4", "8.8.8.8"},
                                         AddressCase{"Reachable", "9.9.9.9", "9.9.9.9"},
                                         AddressCase{"ReachableV6", "2620:FE::fe", "2620:fe::fe"},
                                         AddressCase{"Private", "10.0.0.6", ""},
                                         AddressCase{"Loopback", "::1", ""},
                                         AddressCase{"NoAddress", "mta.example", ""},
                                         AddressCase{"Absent", "", ""}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
