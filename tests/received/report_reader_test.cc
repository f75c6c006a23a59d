#include "received/report_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/text.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ReceivedReport read(const std::string& json) {
  auto report = read_report(json);
  if (report) return *std::move(report);
  ADD_FAILURE() << report.error().text << "\n" << json.substr(0, 500);
  return {};
}

std::string refusal(const std::string& json, const ReadLimits& limits = {}) {
  const auto report = read_report(json, limits);
  if (report) return "it was read";
  EXPECT_EQ(report.error().fault, Fault::kInput);
  EXPECT_EQ(report.error().text.find('\n'), std::string::npos);
  return report.error().text;
}

// A report with one policy, of which `policy`, `summary` and `details` are given as JSON.
std::string with(const std::string& policy, const std::string& summary = "",
                 const std::string& details = "") {
  return R"({"organization-name":"B","date-range":{"start-datetime":"2026-11-20T00:00:00Z",)"
         R"("end-datetime":"2026-11-20T23:59:59Z"},"contact-info":"a@b.example","report-id":"1",)"
         R"("policies":[{"policy":)" +
         policy + R"(,"summary":)" +
         (summary.empty() ? R"({"total-successful-session-count":5,)"
                            R"("total-failure-session-count":2})"
                          : summary) +
         (details.empty() ? "" : ",\"failure-details\":" + details) + "}]}";
}

const std::string kSts = R"({"policy-type":"sts","policy-string":["version: STSv1"],)"
                         R"("policy-domain":"a.example","mx-host":["mx.a.example"]})";

TEST(ReportReader, ReadsWhatRfc8460Asks) {
  const auto report = read(with(
      kSts, "",
      R"([{"result-type":"certificate-expired","sending-mta-ip":"192.0.2.1",)"
      R"("receiving-mx-hostname":"mx.a.example","receiving-mx-helo":"mx","receiving-ip":)"
      R"("198.51.100.2","failed-session-count":2,"additional-information":"https://b.example/",)"
      R"("failure-reason-code":"X509"}])"));
  EXPECT_EQ(report.organization, "B");
  EXPECT_EQ(report.contact, "a@b.example");
  EXPECT_EQ(report.report_id, "1");
  EXPECT_EQ(report.start, parse_time("2026-11-20T00:00:00Z"));
  EXPECT_EQ(report.end, parse_time("2026-11-20T23:59:59Z"));
  EXPECT_THAT(report.oddities, IsEmpty());
  const ReceivedPolicy expected = {
      .type = "sts",
      .domain = "a.example",
      .strings = {"version: STSv1"},
      .mx_hosts = {"mx.a.example"},
      .successful = 5,
      .failed = 2,
      .details = {{"certificate-expired", "192.0.2.1", "mx.a.example", "mx", "198.51.100.2",
                   "https://b.example/", "X509", 2}}};
  EXPECT_THAT(report.policies, ElementsAre(expected));
}

struct SampleCase {
  const char* file;
  std::uint64_t successful;
  std::uint64_t failed;
  std::size_t policies;
  const char* oddity;
};

class SampleTest : public testing::TestWithParam<SampleCase> {};

TEST_P(SampleTest, IsReadWithTheRightCounts) {
  std::ifstream file(std::string(TEST_ROOT "/e2e/data/received/") + GetParam().file);
  const std::string json(std::istreambuf_iterator<char>(file), {});
  ASSERT_FALSE(json.empty());
  const auto report = read(json);
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  for (const auto& policy : report.policies) {
    successful += policy.successful;
    failed += policy.failed;
  }
  EXPECT_EQ(successful, GetParam().successful);
  EXPECT_EQ(failed, GetParam().failed);
  EXPECT_THAT(report.policies, SizeIs(GetParam().policies));
  if (*GetParam().oddity == '\0') {
    EXPECT_THAT(report.oddities, IsEmpty());
  } else {
    EXPECT_THAT(report.oddities, ElementsAre(HasSubstr(GetParam().oddity)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Samples, SampleTest,
    testing::Values(SampleCase{"rfc8460.json", 5326, 303, 1, "mx-host is no array"},
                    SampleCase{"stalwart_contact-null.json", 1, 0, 1, "contact-info is null"},
                    SampleCase{"microsoft_tlsa_nested-array.json", 4, 0, 2,
                               "an array that is written as a text"},
                    SampleCase{"mox_style_rcptdomain_report_mixed_tlsa_sts.json", 3, 0, 3, ""}),
    [](const auto& test) {
      std::string name;
      for (const char c : std::string(test.param.file)) {
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
      }
      return name;
    });

TEST(ReportReader, TakesApartMicrosoftsNestedArray) {
  const auto report = read(with(R"({"policy-type":"tlsa","policy-domain":"a.example",)"
                                R"("policy-string":["[\"3 1 1 AB\",\"3 1 1 CD\"]"]})"));
  EXPECT_THAT(report.policies.front().strings, ElementsAre("3 1 1 AB", "3 1 1 CD"));
}

// What reporters write, what becomes of it, and what is said about it.
struct HabitCase {
  const char* name;
  std::string json;
  const char* oddity;
  std::uint64_t successful = 5;
  std::uint64_t failed = 2;
};

class HabitTest : public testing::TestWithParam<HabitCase> {};

TEST_P(HabitTest, IsReadAndTold) {
  const auto report = read(GetParam().json);
  ASSERT_THAT(report.policies, SizeIs(1));
  EXPECT_EQ(report.policies.front().successful, GetParam().successful);
  EXPECT_EQ(report.policies.front().failed, GetParam().failed);
  EXPECT_THAT(report.oddities, Contains(HasSubstr(GetParam().oddity)));
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

INSTANTIATE_TEST_SUITE_P(
    Habits, HabitTest,
    testing::Values(
        HabitCase{"NoTimeZone", replaced(with(kSts), "20T00:00:00Z", "20T00:00:00"),
                  "start-datetime has no time zone"},
        HabitCase{"SpacesInTimes", replaced(with(kSts), "20T00:00:00Z", "20 00:00:00 +00:00"),
                  "start-datetime is written with spaces"},
        HabitCase{"TimesAsNumbers", replaced(with(kSts), "\"2026-11-20T00:00:00Z\"", "1795132800"),
                  "start-datetime is a number"},
        HabitCase{"DetailsNull", with(kSts, "", "null"), "failure-details is null"},
        HabitCase{"DetailsAsObject", with(kSts, "", R"({"result-type":"certificate-expired"})"),
                  "failure-details is an object"},
        HabitCase{"CountsAsTexts",
                  with(kSts, R"({"total-successful-session-count":"5",)"
                             R"("total-failure-session-count":"2"})"),
                  "total-successful-session-count is written as a text"},
        HabitCase{"NegativeCount",
                  with(kSts, R"({"total-successful-session-count":-5,)"
                             R"("total-failure-session-count":2})"),
                  "total-successful-session-count is negative", 0},
        HabitCase{"HugeCount",
                  with(kSts, R"({"total-successful-session-count":99999999999999999999,)"
                             R"("total-failure-session-count":2})"),
                  "is larger than 2^53 - 1", (std::uint64_t{1} << 53) - 1},
        HabitCase{"NoSummary",
                  with(kSts, "{}",
                       R"([{"result-type":"certificate-expired",)"
                       R"("failed-session-count":3},{"result-type":"tlsa-invalid",)"
                       R"("failed-session-count":4}])"),
                  "no total-failure-session-count", 0, 7},
        HabitCase{"PolicyStringAsText",
                  with(R"({"policy-type":"sts","policy-domain":"a.example",)"
                       R"("policy-string":"version: STSv1\r\nmode: none"})"),
                  "policy-string is no array"},
        HabitCase{"MxHostPattern",
                  with(R"({"policy-type":"sts","policy-domain":"a.example",)"
                       R"("mx-host-pattern":["*.a.example"]})"),
                  "mx-host is called 'mx-host-pattern'"},
        HabitCase{"UnknownPolicyType",
                  with(R"({"policy-type":"dane","policy-domain":"a.example"})"),
                  "policy-type 'dane' is none of RFC 8460"},
        HabitCase{"UnknownResultType", with(kSts, "", R"([{"result-type":"odd-thing"}])"),
                  "result-type 'odd-thing' is not registered"},
        HabitCase{"NoPolicyDomain", with(R"({"policy-type":"no-policy-found"})"),
                  "policy-domain is missing"},
        HabitCase{"InAnArray", "[" + with(kSts) + "]", "the report stands in an array"},
        HabitCase{"ByteOrderMark", "\xEF\xBB\xBF" + with(kSts), "a byte order mark"},
        HabitCase{"BrokenUtf8", replaced(with(kSts), "\"B\"", "\"B\xFF\""), "no UTF-8"},
        HabitCase{"PoliciesAsObject",
                  replaced(replaced(with(kSts), "[{\"policy\"", "{\"policy\""), "}]}", "}}"),
                  "policies is an object"},
        HabitCase{"NumberAsReportId", replaced(with(kSts), "\"1\"", "1"), "report-id is no text"},
        HabitCase{"NoContact", replaced(with(kSts), "\"contact-info\"", "\"contact\""),
                  "contact-info is missing"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ReportReader, PaddingWithZeroBytesIsPassedOver) {
  EXPECT_THAT(read(with(kSts) + std::string(3, '\0')).policies, SizeIs(1));
}

TEST(ReportReader, ANumberIsAReasonCode) {
  const auto report = read(with(kSts, "", R"([{"failure-reason-code":10}])"));
  EXPECT_EQ(report.policies.front().details.front().failure_reason_code, "10");
}

TEST(ReportReader, DomainsAndTypesAreBroughtIntoOneForm) {
  const auto report = read(with(R"({"policy-type":"STS","policy-domain":"Bücher.Example."})", "",
                                R"([{"receiving-mx-hostname":"MX.A.Example.",)"
                                R"("result-type":"Certificate-Expired"}])"));
  EXPECT_EQ(report.policies.front().type, "sts");
  EXPECT_EQ(report.policies.front().domain, "xn--bcher-kva.example");
  EXPECT_EQ(report.policies.front().details.front().receiving_mx_hostname, "mx.a.example");
  EXPECT_EQ(report.policies.front().details.front().result_type, "certificate-expired");
}

TEST(ReportReader, TextsCannotHarmATerminalAndAreCut) {
  const auto report =
      read(replaced(with(kSts), "\"B\"", "\"\\u001b[31m" + std::string(5000, 'x') + "\""));
  EXPECT_LE(report.organization.size(), 4096U);
  EXPECT_TRUE(report.organization.starts_with("[31mxxx"));
  EXPECT_TRUE(report.organization.ends_with("…"));
}

TEST(ReportReader, WhatIsOddIsToldWithoutHarm) {
  const auto report =
      read(with("{\"mx-host\\u001b[2J\\n" + std::string(48, 'x') + "\xC3\xA4\":[]}"));
  for (const auto& oddity : report.oddities) {
    EXPECT_EQ(oddity, without_controls(to_valid_utf8(oddity)));
  }
  EXPECT_THAT(report.oddities, Contains(HasSubstr("mx-host is called 'mx-host[2j")));
}

TEST(ReportReader, WhatIsUnknownIsPassedOver) {
  const auto report = read(replaced(with(kSts), "{\"organization-name\"",
                                    R"({"x":{"policies":[{"a":[[1],{"b":2}]}]},"y":[[],{}],)"
                                    R"("organization-name")"));
  EXPECT_THAT(report.policies, SizeIs(1));
  EXPECT_THAT(report.oddities, IsEmpty());
}

TEST(ReportReader, AReportWithoutPoliciesIsOne) {
  const auto report = read(R"({"report-id":"1","policies":[]})");
  EXPECT_THAT(report.oddities, Contains("it tells of no policy"));
  EXPECT_FALSE(report.start);
}

TEST(ReportReader, WhatIsNoReportIsRefusedWithTheReason) {
  EXPECT_THAT(refusal(""), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("{"), HasSubstr("no JSON: it is damaged at byte"));
  EXPECT_THAT(refusal("{} {}"), HasSubstr("no JSON"));
  EXPECT_THAT(refusal("17"), HasSubstr("no TLS report"));
  EXPECT_THAT(refusal("null"), HasSubstr("no TLS report"));
  EXPECT_THAT(refusal("[]"), HasSubstr("no TLS report"));
  EXPECT_THAT(refusal("{}"), HasSubstr("neither policies nor report-id"));
  EXPECT_THAT(refusal(R"({"feedback":{"report_metadata":{}}})"), HasSubstr("no TLS report"));
}

TEST(ReportReader, BombsAreRefusedAtTheirLimits) {
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("more than 32 arrays"));
  std::string nested;
  for (int i = 0; i < 50'000; ++i) nested += "{\"policies\":[";
  EXPECT_THAT(refusal(nested), HasSubstr("within each other"));
  std::string policies = "{\"policies\":[{}";
  for (int i = 0; i < 20'000; ++i) policies += ",{}";
  EXPECT_THAT(refusal(policies + "]}"), HasSubstr("more than 10000 policies"));
  std::string details = "{\"policies\":[{\"failure-details\":[{}";
  for (int i = 0; i < 20; ++i) details += ",{}";
  EXPECT_THAT(refusal(details + "]}]}", {.details = 10}), HasSubstr("failure details"));
  std::string lines = R"({"policies":[{"policy":{"policy-string":["a")";
  for (int i = 0; i < 20; ++i) lines += ",\"a\"";
  EXPECT_THAT(refusal(lines + "]}}]}", {.lines = 10}), HasSubstr("policy lines"));
  EXPECT_THAT(refusal(R"({"policies":[{"policy":{"policy-string":"a\nb\nc"}}]})", {.lines = 2}),
              HasSubstr("policy lines"));
  EXPECT_THAT(refusal(with(kSts), {.json_bytes = 10}), HasSubstr("larger than 10 bytes"));
}

TEST(ReportReader, OdditiesAreFewAndEachIsToldOnce) {
  std::string details = "[{\"result-type\":\"same\"},{\"result-type\":\"same\"}";
  for (int i = 0; i < 200; ++i) details += ",{\"result-type\":\"t" + std::to_string(i) + "\"}";
  const auto report = read(with(kSts, "", details + "]"));
  EXPECT_THAT(report.oddities, SizeIs(ReadLimits().oddities));
  EXPECT_EQ(std::ranges::count_if(
                report.oddities, [](const auto& text) { return text.find("'same'") != text.npos; }),
            1);
}

TEST(AddCounts, StopsAtTheLargestCount) {
  constexpr std::uint64_t kMost = (std::uint64_t{1} << 53) - 1;
  EXPECT_EQ(add_counts(1, 2), 3U);
  EXPECT_EQ(add_counts(kMost, 1), kMost);
  EXPECT_EQ(add_counts(kMost - 1, 1), kMost);
  EXPECT_EQ(add_counts(~std::uint64_t{0}, ~std::uint64_t{0}), kMost);
}

}  // namespace
}  // namespace rapporteur
