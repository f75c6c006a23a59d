#include "ingest/sys4.h"

#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// What shares add up to.
struct Sums {
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::map<std::size_t, std::uint64_t> details;
};

Sums sums_of(const std::vector<Sys4Share>& shares) {
  Sums sums;
  for (const auto& share : shares) {
    EXPECT_GT(share.count, 0U);
    (share.success ? sums.successes : sums.failures) += share.count;
    for (const auto detail : share.details) sums.details[detail] += share.count;
  }
  return sums;
}

TEST(ShareOut, GivesEverySumOfSmallRows) {
  for (std::uint64_t successes = 0; successes <= 3; ++successes) {
    for (std::uint64_t failures = 0; failures <= 3; ++failures) {
      if (successes + failures == 0) continue;
      for (std::uint64_t code = 0; code < 6 * 6 * 6; ++code) {
        const std::vector<std::uint64_t> details = {code % 6, code / 6 % 6, code / 36};
        const auto sums = sums_of(share_out(successes, failures, details));
        EXPECT_EQ(sums.successes, successes);
        EXPECT_EQ(sums.failures, failures);
        for (std::size_t i = 0; i < details.size(); ++i) {
          const auto found = sums.details.find(i);
          const auto count = found == sums.details.end() ? 0 : found->second;
          EXPECT_EQ(count, std::min(details[i], successes + failures))
              << successes << ' ' << failures << ' ' << code;
        }
      }
    }
  }
}

TEST(ShareOut, FailedSessionsCarryTheDetailsIfThereAreEnough) {
  const std::vector<std::uint64_t> details = {3, 2};
  for (const auto& share : share_out(100, 4, details)) {
    EXPECT_TRUE(!share.success || share.details.empty());
  }
}

TEST(ShareOut, LargeCountsGiveFewShares) {
  const std::vector<std::uint64_t> details = {1'000'000'000, 7, 2'000'000'000};
  EXPECT_LE(share_out(5'000'000'000, 3'000'000'000, details).size(), 8U);
}

Sys4Row row(const std::string& policy, std::int64_t total, std::int64_t failures,
            std::vector<Sys4Failure> details = {}) {
  return {.day = "2026-11-19",
          .domain = "A.Example.",
          .record = "v=TLSRPTv1; rua=mailto:tls@a.example",
          .policy = policy,
          .total = total,
          .failures = failures,
          .details = std::move(details)};
}

constexpr const char* kSts =
    R"({"policy-type": 2, "policy-string": ["version: STSv1", "mode: enforce", "mx: mx.a.example",)"
    R"( "max_age: 86400"], "policy-domain": "a.example", "mx-host": ["mx.a.example"]})";

TEST(Sys4Decoder, ARowBecomesSessionsOfItsDay) {
  Sys4Decoder decoder;
  const auto decoded =
      decoder.decode(row(kSts, 10, 3, {{R"({"c": 204, "n": "MX.A.Example"})", 3}}));
  EXPECT_THAT(decoded.rejections, IsEmpty());
  ASSERT_THAT(decoded.sessions, SizeIs(2));
  const auto& failed = decoded.sessions[0];
  EXPECT_EQ(failed.time, *parse_time("2026-11-19T00:00:00Z"));
  EXPECT_EQ(failed.recipient_domain, "a.example");
  EXPECT_EQ(failed.tlsrpt_record, "v=TLSRPTv1; rua=mailto:tls@a.example");
  EXPECT_EQ(failed.count, 3U);
  ASSERT_THAT(failed.outcomes, SizeIs(1));
  EXPECT_FALSE(failed.outcomes[0].success);
  EXPECT_EQ(failed.outcomes[0].policy.type, PolicyType::kSts);
  EXPECT_EQ(failed.outcomes[0].policy.domain, "a.example");
  ASSERT_THAT(failed.outcomes[0].failure_details, SizeIs(1));
  EXPECT_EQ(failed.outcomes[0].failure_details[0].result_type, ResultType::kCertificateExpired);
  EXPECT_EQ(failed.outcomes[0].failure_details[0].receiving_mx_hostname, "mx.a.example");
  const auto& succeeded = decoded.sessions[1];
  EXPECT_EQ(succeeded.count, 7U);
  EXPECT_TRUE(succeeded.outcomes[0].success);
  EXPECT_THAT(succeeded.outcomes[0].failure_details, IsEmpty());
}

TEST(Sys4Decoder, DetailsThatAreEqualAfterNormalisationAreOne) {
  Sys4Decoder decoder;
  const auto decoded = decoder.decode(
      row(kSts, 5, 5,
          {{R"({"c": 204, "n": "mx.a.example"})", 2}, {R"({"c":204,"n":"MX.a.example."})", 3}}));
  ASSERT_THAT(decoded.sessions, SizeIs(1));
  EXPECT_EQ(decoded.sessions[0].count, 5U);
  EXPECT_THAT(decoded.sessions[0].outcomes[0].failure_details, SizeIs(1));
}

TEST(Sys4Decoder, ABadDetailIsRejectedAndItsSessionsAreCounted) {
  Sys4Decoder decoder;
  const auto decoded = decoder.decode(row(kSts, 2, 2,
                                          {{"nonsense", 1},
                                           {R"({"c": "x"})", 1},
                                           {R"({"c": 204})", std::nullopt},
                                           {R"({"c": 204})", 1}}));
  std::vector<std::string_view> reasons;
  for (const auto& rejection : decoded.rejections) reasons.push_back(rejection.reason);
  EXPECT_THAT(reasons, ElementsAre("not-json", "bad-failure-code", "bad-count"));
  std::uint64_t sessions = 0;
  std::uint64_t detailed = 0;
  for (const auto& session : decoded.sessions) {
    sessions += session.count;
    if (!session.outcomes[0].failure_details.empty()) detailed += session.count;
  }
  EXPECT_EQ(sessions, 2U);
  EXPECT_EQ(detailed, 1U);
}

struct BadRow {
  const char* name;
  Sys4Row row;
  const char* want;
};
class RejectedSys4Row : public testing::TestWithParam<BadRow> {};

TEST_P(RejectedSys4Row, SaysWhy) {
  Sys4Decoder decoder;
  const auto decoded = decoder.decode(GetParam().row);
  EXPECT_THAT(decoded.sessions, IsEmpty());
  ASSERT_THAT(decoded.rejections, SizeIs(1));
  EXPECT_EQ(decoded.rejections[0].reason, GetParam().want);
}

Sys4Row with(Sys4Row row, void (*change)(Sys4Row&)) {
  change(row);
  return row;
}

INSTANTIATE_TEST_SUITE_P(
    EachReason, RejectedSys4Row,
    testing::Values(
        BadRow{"NoDay", with(row(kSts, 1, 0), [](Sys4Row& r) { r.day = ""; }), "bad-time"},
        BadRow{"OddDay", with(row(kSts, 1, 0), [](Sys4Row& r) { r.day = "2026-11-31"; }),
               "bad-time"},
        BadRow{"Seconds", with(row(kSts, 1, 0), [](Sys4Row& r) { r.day = "1795176000"; }),
               "bad-time"},
        BadRow{"NoSessions", row(kSts, 0, 0), "bad-count"},
        BadRow{"Negative", row(kSts, 3, -1), "bad-count"},
        BadRow{"MoreFailuresThanSessions", row(kSts, 3, 4), "bad-count"},
        BadRow{"Astronomic", row(kSts, std::int64_t{1} << 62, 0), "bad-count"},
        BadRow{"TextForANumber", with(row(kSts, 1, 0), [](Sys4Row& r) { r.total.reset(); }),
               "bad-count"},
        BadRow{"NoDomain", with(row(kSts, 1, 0), [](Sys4Row& r) { r.domain = ""; }),
               "no-recipient-domain"},
        BadRow{"OddDomain", with(row(kSts, 1, 0), [](Sys4Row& r) { r.domain = "a\"b\\\n"; }),
               "bad-domain"},
        BadRow{"NoJson", row("policy", 1, 0), "not-json"},
        BadRow{"EmptyPolicy", row("{}", 1, 0), "unknown-policy-type"},
        BadRow{"UnknownPolicy", row(R"({"policy-type": 7})", 1, 0), "unknown-policy-type"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
