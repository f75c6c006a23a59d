// A report that this program makes is read back and tells the same numbers: random windows, whole
// and split.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <tuple>

#include "received/reception.h"
#include "report/split_fixture.h"
#include "store/open.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using testing_support::FixedRandom;
using testing_support::Generator;
using testing_support::RecordingLog;

// Everything that can be counted, by what it is about.
struct Numbers {
  std::map<std::pair<std::string, std::string>, std::pair<std::uint64_t, std::uint64_t>> policies;
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> failures;

  bool operator==(const Numbers&) const = default;
};

Numbers numbers_of(const WindowCounts& window) {
  Numbers numbers;
  for (const auto& policy : window) {
    const std::string type(to_string(policy.policy.type));
    auto& sums = numbers.policies[{policy.policy.domain, type}];
    sums.first += policy.successful;
    sums.second += policy.failed;
    for (const auto& [detail, count] : policy.details) {
      numbers.failures[{policy.policy.domain, std::string(to_string(detail.result_type)),
                        detail.receiving_mx_hostname}] += count;
    }
  }
  return numbers;
}

Numbers numbers_in(Store& store) {
  Numbers numbers;
  const Time since = testing_support::kDay.start;
  const auto policies =
      store.received_policies("", since, since + std::chrono::hours(1), [&](const PolicyRow& row) {
        auto& sums = numbers.policies[{row.tally.domain, row.tally.type}];
        sums.first += row.tally.successful;
        sums.second += row.tally.failed;
      });
  EXPECT_TRUE(policies);
  const auto failures =
      store.received_failures("", since, since + std::chrono::hours(1), [&](const FailureRow& row) {
        numbers.failures[{row.tally.domain, row.tally.result_type, row.tally.mx}] +=
            row.tally.sessions;
      });
  EXPECT_TRUE(failures);
  return numbers;
}

class OwnReportsTest : public testing::TestWithParam<unsigned> {};

TEST_P(OwnReportsTest, TellTheSameNumbersWhenTheyAreReadBack) {
  Generator generator(GetParam());
  const auto window = generator.window(1 + generator.below(8), generator.below(2) == 0 ? 3 : 200);
  const std::uint64_t limit = generator.below(3) == 0 ? 0 : 2500 + generator.below(10'000);
  const auto parts = split_report(window, testing_support::rules(limit));
  ASSERT_TRUE(parts) << parts.error().text;
  FixedRandom random;
  const auto store = *open_store("sqlite::memory:", random);
  RecordingLog log;
  Reception reception({.store = *store, .log = log}, {.counted = {Trust::kLocal}});
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  for (const auto& part : *parts) {
    const auto batch =
        reception.take({{Arrival::Way::kFile, part.gz, "part.json.gz"}}, testing_support::kDay.end);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->outcomes.front().status, ReceptionOutcome::Status::kStored)
        << batch->outcomes.front().why;
  }
  const auto kept = store->received({.limit = 1000});
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->size(), parts->size()) << "a part is no duplicate";
  for (const auto& report : *kept) {
    EXPECT_THAT(report.oddities, testing::IsEmpty());
    EXPECT_EQ(report.start, testing_support::kDay.start);
    successful += report.successful;
    failed += report.failed;
  }
  const auto expected = numbers_of(window);
  EXPECT_EQ(numbers_in(*store), expected);
  std::pair<std::uint64_t, std::uint64_t> sums;
  for (const auto& [policy, counts] : expected.policies) {
    sums.first += counts.first;
    sums.second += counts.second;
  }
  EXPECT_EQ(std::pair(successful, failed), sums);
}

INSTANTIATE_TEST_SUITE_P(Windows, OwnReportsTest, testing::Range(0U, 60U));

}  // namespace
}  // namespace rapporteur
