#include "report/split.h"

#include <gmock/gmock.h>

#include <map>

#include "report/gzip.h"
#include "report/json.h"
#include "report/split_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing_support::counts_of;
using testing_support::Generator;
using testing_support::head_of;
using testing_support::mail_size;
using testing_support::rules;

// What a window's parts say about one policy.
struct Total {
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  std::map<ResultType, std::uint64_t> by_type;
  std::map<FailureDetail, std::uint64_t> by_detail;
  int pieces = 0;
  int first_part = 0;  // the number of the part with its first piece
};
using Totals = std::map<std::pair<PolicyType, std::string>, Total>;

void add(Totals& totals, const PolicyCounts& policy, int part) {
  auto& total = totals[{policy.policy.type, policy.policy.domain}];
  // The success count stands in the first piece, all of it.
  if (total.pieces > 0) {
    EXPECT_EQ(policy.successful, 0U);
  } else {
    total.first_part = part;
  }
  ++total.pieces;
  total.successful += policy.successful;
  total.failed += policy.failed;
  for (const auto& [detail, count] : policy.details) {
    total.by_type[detail.result_type] += count;
    total.by_detail[detail] += count;
  }
}

Totals totals_of(const WindowCounts& counts) {
  Totals totals;
  for (const auto& policy : counts) add(totals, policy, 0);
  return totals;
}

bool fits(const WindowCounts& counts, std::uint64_t limit, int part) {
  return mail_size(gzip(report_json(head_of(part), counts)).size(), part) <= limit;
}

// Everything that split_report() promises about parts whose texts were not shortened.
void expect_faithful(const std::vector<ReportPart>& parts, const WindowCounts& counts,
                     std::uint64_t limit, int first_part, bool shortened = false) {
  Totals seen;
  int number = first_part;
  for (const auto& part : parts) {
    EXPECT_EQ(part.number, number++);
    EXPECT_LE(mail_size(part.gz.size(), part.number), limit);
    const auto told = counts_of(part);
    EXPECT_EQ(told.empty(), counts.empty());
    std::uint64_t successful = 0;
    std::uint64_t failed = 0;
    for (const auto& policy : told) {
      add(seen, policy, part.number);
      successful += policy.successful;
      failed += policy.failed;
    }
    EXPECT_EQ(part.successful, successful);
    EXPECT_EQ(part.failed, failed);
  }
  const auto want = totals_of(counts);
  ASSERT_EQ(seen.size(), want.size());
  for (const auto& [key, total] : want) {
    const auto& got = seen.at(key);
    EXPECT_EQ(got.successful, total.successful) << key.second;
    EXPECT_EQ(got.failed, total.failed) << key.second;
    EXPECT_EQ(got.by_type, total.by_type) << key.second;
    if (!shortened) {
      EXPECT_EQ(got.by_detail, total.by_detail) << key.second;
    }
  }
  for (const auto& policy : counts) {
    const auto& got = seen.at({policy.policy.type, policy.policy.domain});
    if (got.pieces > 1) {
      EXPECT_FALSE(fits({policy}, limit, got.first_part)) << policy.policy.domain;
    }
  }
}

TEST(SplitReport, MakesOnePartWithoutALimit) {
  const auto counts = Generator(1).window(20, 50);
  const auto parts = split_report(counts, rules(0, 5));
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 1U);
  EXPECT_EQ(parts->front().number, 5);
  EXPECT_EQ(*gunzip(parts->front().gz, 1 << 24), report_json(head_of(5), counts));
}

TEST(SplitReport, MakesOnePartWithoutPoliciesOfAnEmptyWindow) {
  const auto parts = split_report({}, rules(2000));
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 1U);
  EXPECT_EQ(*gunzip(parts->front().gz, 1 << 20), report_json(head_of(1), {}));
}

TEST(SplitReport, KeepsItWholeAtExactlyTheLimitAndDividesItOneByteBelow) {
  const auto counts = Generator(2).window(10, 30);
  const auto size = mail_size(gzip(report_json(head_of(1), counts)).size(), 1);
  const auto whole = split_report(counts, rules(size));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->size(), 1U);
  const auto divided = split_report(counts, rules(size - 1));
  ASSERT_TRUE(divided);
  EXPECT_EQ(divided->size(), 2U);
  expect_faithful(*divided, counts, size - 1, 1);
}

TEST(SplitReport, DoesNotAskForTheSizeOfWhatSurelyFits) {
  const auto counts = Generator(2).window(10, 30);
  const auto size = gzip(report_json(head_of(1), counts)).size();
  auto quick = rules(1 << 20);
  int asked = 0;
  quick.submitted_size = [&asked](std::size_t gz, int part) {
    ++asked;
    return mail_size(gz, part);
  };
  quick.surely_fits = size;
  const auto usual = split_report(counts, rules(1 << 20));
  const auto sure = split_report(counts, quick);
  ASSERT_TRUE(usual && sure);
  EXPECT_EQ(asked, 0);
  ASSERT_EQ(sure->size(), 1U);
  EXPECT_EQ(sure->front().gz, usual->front().gz);
  EXPECT_EQ(sure->front().successful, usual->front().successful);

  quick.surely_fits = size - 1;
  const auto unsure = split_report(counts, quick);
  ASSERT_TRUE(unsure);
  EXPECT_GT(asked, 0);
  EXPECT_EQ(unsure->front().gz, usual->front().gz);
}

class SplitReportProperty : public testing::TestWithParam<unsigned> {};

TEST_P(SplitReportProperty, AddsUpToTheWholeUnderEveryLimit) {
  Generator generator(GetParam());
  const auto counts = generator.window(1 + generator.below(30), 150);
  const auto whole = mail_size(gzip(report_json(head_of(1), counts)).size(), 1);
  for (const auto limit : {1800UL, 2500UL, 4000UL, 9000UL, 20000UL, 60000UL}) {
    SCOPED_TRACE(testing::Message() << "limit " << limit << ", whole " << whole);
    const int first_part = static_cast<int>(1 + generator.below(990));
    const auto parts = split_report(counts, rules(limit, first_part));
    ASSERT_TRUE(parts) << parts.error().text;
    expect_faithful(*parts, counts, limit, first_part);
    // Each part repeats what mails and reports begin with, about 1,300 bytes.
    if (limit >= 4000) {
      EXPECT_LE(parts->size(), 2 + (whole - 900) * 3 / 2 / (limit - 1300));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SplitReportProperty, testing::Range(100U, 120U));

TEST(SplitReport, FillsPartsNearlyUpToTheLimit) {
  WindowCounts counts = {Generator(3).policy(0, 8000)};
  constexpr std::uint64_t kLimit = 60000;
  const auto whole = gzip(report_json(head_of(1), counts)).size();
  const auto parts = split_report(counts, rules(kLimit));
  ASSERT_TRUE(parts);
  expect_faithful(*parts, counts, kLimit, 1);
  EXPECT_LE(static_cast<double>(parts->size()),
            1 + 1.06 * static_cast<double>(mail_size(whole, 1)) / kLimit);
}

TEST(SplitReport, MakesEqualBytesOfEqualInput) {
  const auto counts = Generator(4).window(40, 400);
  const auto first = split_report(counts, rules(9000));
  const auto second = split_report(counts, rules(9000));
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  ASSERT_EQ(first->size(), second->size());
  for (std::size_t i = 0; i < first->size(); ++i) EXPECT_EQ((*first)[i].gz, (*second)[i].gz);
}

TEST(SplitReport, EndsWhenAPartIsNotTaken) {
  const WindowCounts counts = {Generator(5).policy(0, 500)};
  MemoryCounts source(counts);
  int taken = 0;
  const auto parts = split_report(source, rules(4000), [&taken](ReportPart&&) -> Result<void> {
    if (++taken == 3) return Error{Fault::kTransient, "the disk is full"};
    return {};
  });
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().text, "the disk is full");
  EXPECT_EQ(taken, 3);
}

TEST(SplitReport, DividesOnlyThePolicyThatAloneIsTooLarge) {
  Generator generator(6);
  WindowCounts counts;
  for (std::size_t i = 0; i < 12; ++i) counts.push_back(generator.policy(i, 20));
  counts.push_back(generator.policy(12, 300));
  const auto parts = split_report(counts, rules(9000));
  ASSERT_TRUE(parts);
  expect_faithful(*parts, counts, 9000, 1);
  std::map<std::string, int> pieces;
  for (const auto& part : *parts) {
    const auto told = counts_of(part);
    for (const auto& policy : told) ++pieces[policy.policy.domain];
  }
  EXPECT_GT(pieces["d12.example"], 1);
  pieces.erase("d12.example");
  for (const auto& [domain, count] : pieces) EXPECT_EQ(count, 1) << domain;
}

std::vector<PolicyCounts> pieces_of_one_policy(std::uint64_t failed) {
  auto policy = Generator(7).policy(0, 200);
  for (std::size_t i = 0; i < policy.details.size(); ++i) policy.details[i].count = i + 1;
  policy.successful = 77;
  policy.failed = failed;
  const auto parts = split_report({policy}, rules(6000));
  std::vector<PolicyCounts> pieces;
  if (parts) {
    for (const auto& part : *parts) pieces.push_back(counts_of(part).at(0));
  }
  return pieces;
}

std::uint64_t sum_of_details(const PolicyCounts& piece) {
  std::uint64_t sum = 0;
  for (const auto& detail : piece.details) sum += detail.count;
  return sum;
}

constexpr std::uint64_t kSumOfAll = 200 * 201 / 2;

TEST(DividedPolicy, BeginsWithTheLargestDetailAndTheSuccesses) {
  const auto pieces = pieces_of_one_policy(kSumOfAll);
  ASSERT_GT(pieces.size(), 2U);
  EXPECT_EQ(pieces.front().successful, 77U);
  EXPECT_EQ(pieces.front().details.front().count, 200U);
  std::uint64_t last = 201;
  for (const auto& piece : pieces) {
    EXPECT_EQ(piece.failed, sum_of_details(piece));
    for (const auto& detail : piece.details) EXPECT_EQ(detail.count, --last);
  }
}

TEST(DividedPolicy, TellsFailuresWithoutDetailsInItsFirstPiece) {
  const auto pieces = pieces_of_one_policy(kSumOfAll + 5);
  ASSERT_GT(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].failed, sum_of_details(pieces[0]) + 5);
  EXPECT_EQ(pieces[1].failed, sum_of_details(pieces[1]));
}

TEST(DividedPolicy, TellsFailuresAsLongAsTheTotalLasts) {
  const auto whole = pieces_of_one_policy(kSumOfAll);
  const auto first = sum_of_details(whole.at(0));
  const auto pieces = pieces_of_one_policy(first + 1);
  ASSERT_GT(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].failed, first);
  EXPECT_EQ(pieces[1].failed, 1U);
  EXPECT_EQ(pieces[2].failed, 0U);
}

TEST(SplitReport, ShortensTheTextsOfADetailThatAloneIsTooLarge) {
  Generator generator(8);
  auto policy = generator.policy(0, 3);
  policy.details[0].detail.failure_reason_code = generator.noise(4000);
  policy.details[0].count = 41;
  const auto parts = split_report({policy}, rules(2200));
  ASSERT_TRUE(parts) << parts.error().text;
  expect_faithful(*parts, {policy}, 2200, 1, true);
  bool found = false;
  for (const auto& part : *parts) {
    const auto told = counts_of(part);
    for (const auto& [detail, count] : told.at(0).details) {
      if (!detail.failure_reason_code.ends_with("…")) continue;
      found = true;
      EXPECT_EQ(count, 41U);
      EXPECT_GE(detail.failure_reason_code.size(), 100U);
    }
  }
  EXPECT_TRUE(found);
}

TEST(SplitReport, ShortensThePolicyOnlyIfNothingElseHelps) {
  Generator generator(9);
  auto policy = generator.policy(0, 5);
  policy.policy.type = PolicyType::kSts;
  policy.policy.strings.clear();
  for (int i = 0; i < 100; ++i) policy.policy.strings.push_back(generator.noise(200));
  const auto parts = split_report({policy}, rules(4000));
  ASSERT_TRUE(parts) << parts.error().text;
  expect_faithful(*parts, {policy}, 4000, 1, true);
  for (const auto& part : *parts) EXPECT_EQ(counts_of(part).at(0).policy.strings.back(), "…");
}

TEST(SplitReport, RefusesALimitThatIsTooSmallAndSaysWhichWouldDo) {
  const auto counts = Generator(10).window(10, 20);
  const auto refused = split_report(counts, rules(950));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kConfig);
  EXPECT_THAT(refused.error().text,
              HasSubstr("a maxReportSize of 950 bytes is too small for this report; it needs at "
                        "least "));
  const auto least = std::stoul(refused.error().text.substr(refused.error().text.rfind(' ')));
  EXPECT_LT(least, 2000U);
  const auto parts = split_report(counts, rules(least));
  ASSERT_TRUE(parts) << parts.error().text;
  expect_faithful(*parts, counts, least, 1, true);
}

TEST(SplitReport, RefusesALimitBelowAnEmptyReport) {
  const auto refused = split_report({}, rules(100));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kConfig);
}

}  // namespace
}  // namespace rapporteur
