#include "report/summary.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/text.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::Not;

ReportHead head() {
  return {"Größe & Söhne",
          "tlsrpt@example.net",
          {*parse_time("2026-11-20"), *parse_time("2026-11-21")},
          "id@example.net"};
}

WindowCounts counts() {
  const FailureDetail expired{ResultType::kCertificateExpired, "", "", "", "", "", "a"};
  const FailureDetail other{ResultType::kCertificateExpired, "", "", "", "", "", "b"};
  return {{{PolicyType::kSts, "example.org", {}, {}}, 10, 3, {{expired, 2}, {other, 1}}},
          {{PolicyType::kTlsa, "mx.example.org", {}, {}}, 5, 0, {}}};
}

TEST(HumanSummary, TellsTheWholeOnOnePage) {
  EXPECT_EQ(human_summary({"example.org", "example.net", 1, 1}, head(), counts()),
            "This is a TLS report (RFC 8460) for example.org.\n"
            "The attached file is meant for programs; this text tells what it is about.\n"
            "\n"
            "Organization:        Gr??e & S?hne\n"
            "Submitter:           example.net\n"
            "Contact:             tlsrpt@example.net\n"
            "Report-ID:           id@example.net\n"
            "From:                2026-11-20T00:00:00Z\n"
            "To:                  2026-11-20T23:59:59Z\n"
            "Successful sessions: 15\n"
            "Failed sessions:     3\n"
            "\n"
            "Policies:\n"
            "  tlsa mx.example.org: 5 successful, 0 failed\n"
            "  sts example.org: 10 successful, 3 failed\n"
            "    certificate-expired: 3\n");
}

TEST(HumanSummary, SaysWhichPartItCarriesAndThatTotalsAreOfTheWhole) {
  const auto text = human_summary({"example.org", "example.net", 2, 3}, head(), counts());
  EXPECT_THAT(text, HasSubstr("part 2 of 3"));
  EXPECT_THAT(text, HasSubstr("totals of the whole"));
  EXPECT_THAT(human_summary({"example.org", "example.net", 1, 1}, head(), counts()),
              Not(HasSubstr("part 1")));
}

TEST(HumanSummary, StaysShortAndAsciiWhateverItIsToldAbout) {
  auto hostile = head();
  hostile.organization_name.clear();
  for (int i = 0; i < 60; ++i) hostile.organization_name += "wörd\r\n ";
  WindowCounts many;
  for (int i = 0; i < 500; ++i) {
    many.push_back({{PolicyType::kTlsa, "mx" + std::to_string(i) + ".example", {}, {}}, 1, 0, {}});
  }
  const auto text = human_summary({"example.org", "example.net", 1, 1}, hostile, many);
  EXPECT_LT(text.size(), 3000U);
  EXPECT_THAT(text, HasSubstr("and 480 more\n"));
  for (const auto line : split(text, '\n')) EXPECT_LT(line.size(), 78U) << line;
  EXPECT_TRUE(
      std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

}  // namespace
}  // namespace rapporteur
