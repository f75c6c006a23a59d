// The words of RFC 8460 and of the store, which outlive the process.

#include <string>

#include <gtest/gtest.h>

#include "model/session.h"
#include "model/window.h"

namespace rapporteur {
namespace {

TEST(ResultType, HasTheNamesOfTheRegistry) {
  EXPECT_EQ(to_string(ResultType::kStarttlsNotSupported), "starttls-not-supported");
  EXPECT_EQ(to_string(ResultType::kCertificateHostMismatch), "certificate-host-mismatch");
  EXPECT_EQ(to_string(ResultType::kCertificateExpired), "certificate-expired");
  EXPECT_EQ(to_string(ResultType::kTlsaInvalid), "tlsa-invalid");
  EXPECT_EQ(to_string(ResultType::kDnssecInvalid), "dnssec-invalid");
  EXPECT_EQ(to_string(ResultType::kDaneRequired), "dane-required");
  EXPECT_EQ(to_string(ResultType::kCertificateNotTrusted), "certificate-not-trusted");
  EXPECT_EQ(to_string(ResultType::kStsPolicyInvalid), "sts-policy-invalid");
  EXPECT_EQ(to_string(ResultType::kStsWebpkiInvalid), "sts-webpki-invalid");
  EXPECT_EQ(to_string(ResultType::kValidationFailure), "validation-failure");
  EXPECT_EQ(to_string(ResultType::kStsPolicyFetchError), "sts-policy-fetch-error");
}

TEST(ResultType, IsReadBackAsWritten) {
  for (int i = 0; i <= static_cast<int>(ResultType::kStsPolicyFetchError); ++i) {
    const auto type = static_cast<ResultType>(i);
    EXPECT_EQ(parse_result_type(to_string(type)), type);
  }
  EXPECT_EQ(parse_result_type("success"), std::nullopt);
  EXPECT_EQ(parse_result_type(""), std::nullopt);
}

TEST(PolicyType, HasTheNamesOfRfc8460) {
  EXPECT_EQ(to_string(PolicyType::kTlsa), "tlsa");
  EXPECT_EQ(to_string(PolicyType::kSts), "sts");
  EXPECT_EQ(to_string(PolicyType::kNoPolicyFound), "no-policy-found");
  EXPECT_EQ(parse_policy_type("sts"), PolicyType::kSts);
  EXPECT_EQ(parse_policy_type("STS"), std::nullopt);
}

TEST(Frequency, KnowsDisableAsNever) {
  for (const auto frequency :
       {Frequency::kHourly, Frequency::kDaily, Frequency::kWeekly, Frequency::kNever}) {
    EXPECT_EQ(parse_frequency(to_string(frequency)), frequency);
  }
  EXPECT_EQ(parse_frequency("disable"), Frequency::kNever);
  EXPECT_EQ(parse_frequency("monthly"), std::nullopt);
}

TEST(WindowState, IsReadBackAsWritten) {
  for (const std::string name :
       {"collecting", "due", "assembled", "done", "blocked", "held", "suppressed"}) {
    const auto state = parse_window_state(name);
    ASSERT_TRUE(state) << name;
    EXPECT_EQ(to_string(*state), name);
  }
  EXPECT_EQ(parse_window_state("pending"), std::nullopt);
}

TEST(Period, CoversItsStartAndNotItsEnd) {
  const Period period{Time(Seconds(100)), Time(Seconds(200))};
  EXPECT_TRUE(period.covers(Time(Seconds(100))));
  EXPECT_TRUE(period.covers(Time(Seconds(199))));
  EXPECT_FALSE(period.covers(Time(Seconds(200))));
  EXPECT_FALSE(period.covers(Time(Seconds(99))));
}

}  // namespace
}  // namespace rapporteur
