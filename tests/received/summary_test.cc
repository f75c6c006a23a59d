#include "received/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/hash.h"
#include "store/open.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
const std::set<Trust> kCounted = {Trust::kDkim, Trust::kHttps};

class SummaryTest : public testing::Test {
 protected:
  // A report of the organization about the domain for a day that begins `days` after kDay.
  void keep(const std::string& organization, const std::string& domain, int days,
            std::uint64_t successful, std::uint64_t failed = 0, Trust trust = Trust::kDkim) {
    ReceivedAddition made;
    made.report.organization = organization;
    made.report.report_id = std::to_string(++number_);
    made.report.start = kDay + days * 24h;
    made.report.end = made.report.start + 24h - 1s;
    made.report.received = made.report.end + 1h;
    made.report.trust = trust;
    made.report.domains = {domain};
    made.key = sha256(made.report.report_id);
    made.digest = made.key;
    made.policies = {{domain, "sts", successful, failed}, {domain, "tlsa", 0, 0}};
    if (failed > 0) made.failures = {{domain, "certificate-expired", "mx." + domain, failed}};
    ASSERT_TRUE(store->add_received(std::span(&made, 1)));
  }

  ReceivedSummary sum(int first, int last, const std::string& domain = "") {
    auto summary = summarise(*store, {.domain = domain,
                                      .since = kDay + first * 24h,
                                      .until = kDay + (last + 1) * 24h,
                                      .counted = kCounted});
    EXPECT_TRUE(summary);
    return *std::move(summary);
  }

  std::vector<std::string> stopped(int today, int since = -100) {
    std::vector<std::string> names;
    const auto found =
        find_stopped(*store, "a.example", kCounted, kDay + since * 24h, kDay + today * 24h + 12h);
    EXPECT_TRUE(found);
    for (const auto& reporter : *found) names.push_back(reporter.organization);
    return names;
  }

  testing_support::FixedRandom random;
  std::unique_ptr<Store> store = *open_store("sqlite::memory:", random);

 private:
  int number_ = 0;
};

TEST_F(SummaryTest, SumsAreToldByWhatTheyAreAbout) {
  keep("B", "a.example", 0, 10, 2);
  keep("B", "c.example", 1, 20);
  keep("D", "a.example", 1, 5, 1, Trust::kHttps);
  const auto summary = sum(0, 6);
  EXPECT_EQ(summary.total.reports, 3U);
  EXPECT_EQ(summary.total.now.successful, 35U);
  EXPECT_EQ(summary.total.now.failed, 3U);
  EXPECT_EQ(summary.domains.at("a.example").now.successful, 15U);
  EXPECT_EQ(summary.domains.at("a.example").reports, 2U);
  EXPECT_EQ(summary.domains.at("c.example").now.failed, 0U);
  EXPECT_EQ(summary.organizations.at("B").reports, 2U);
  EXPECT_EQ(summary.organizations.at("B").now.successful, 30U);
  const auto& failure = summary.failures.at({"certificate-expired", "mx.a.example"});
  EXPECT_EQ(failure.now, 3U);
  EXPECT_THAT(failure.organizations, ElementsAre("B", "D"));
  EXPECT_THAT(failure.domains, ElementsAre("a.example"));
}

TEST_F(SummaryTest, ThePeriodBeforeIsComparedAndTheOneBeforeThatIsNot) {
  keep("B", "a.example", 7, 10, 4);
  keep("B", "a.example", 0, 20, 1);
  keep("B", "a.example", -1, 99, 9);
  keep("B", "a.example", 14, 99, 9);
  const auto summary = sum(7, 13);
  EXPECT_EQ(summary.before(), kDay);
  EXPECT_EQ(summary.total.now.successful, 10U);
  EXPECT_EQ(summary.total.before.successful, 20U);
  EXPECT_EQ(summary.total.reports_before, 1U);
  const auto& failure = summary.failures.at({"certificate-expired", "mx.a.example"});
  EXPECT_EQ(failure.now, 4U);
  EXPECT_EQ(failure.before, 1U);
}

TEST_F(SummaryTest, ClassesThatAreNotCountedAreLeftOutAndSaid) {
  keep("B", "a.example", 0, 10, 2);
  keep("B", "a.example", 0, 1000, 500, Trust::kUnverified);
  keep("B", "a.example", 1, 1000, 500, Trust::kUnverified);
  keep("B", "a.example", -7, 1000, 500, Trust::kUnverified);
  keep("B", "a.example", 1, 7, 0, Trust::kLocal);
  const auto summary = sum(0, 6);
  EXPECT_EQ(summary.total.now.all(), 12U);
  EXPECT_THAT(summary.left_out, ElementsAre(Pair(Trust::kLocal, 1U), Pair(Trust::kUnverified, 2U)));
  EXPECT_EQ(summary.failures.begin()->second.now, 2U);
}

TEST_F(SummaryTest, OneDomainOrAGlobCanBeAskedFor) {
  keep("B", "a.example", 0, 1);
  keep("B", "x.a.example", 0, 2);
  EXPECT_EQ(sum(0, 0, "a.example").total.now.successful, 1U);
  EXPECT_EQ(sum(0, 0, "*.a.example").total.now.successful, 2U);
}

TEST_F(SummaryTest, StepsAreDaysOrSeveral) {
  keep("B", "a.example", 0, 1);
  keep("B", "a.example", 2, 4, 1);
  const auto week = sum(0, 6);
  EXPECT_EQ(week.step, 24h);
  ASSERT_THAT(week.steps, SizeIs(7));
  EXPECT_EQ(week.steps[0].successful, 1U);
  EXPECT_EQ(week.steps[1].all(), 0U);
  EXPECT_EQ(week.steps[2].all(), 5U);
  const auto year = sum(0, 364);
  EXPECT_EQ(year.step, 6 * 24h);
  EXPECT_THAT(year.steps, SizeIs(61));
  EXPECT_EQ(year.steps[0].all(), 6U);
}

TEST_F(SummaryTest, AnEmptyStoreHasAnEmptySummary) {
  const auto summary = sum(0, 0);
  EXPECT_EQ(summary.total.reports, 0U);
  EXPECT_THAT(summary.domains, IsEmpty());
  EXPECT_THAT(summary.steps, SizeIs(1));
}

TEST_F(SummaryTest, WhoReportedDailyAndStoppedIsFound) {
  for (int day = 0; day < 10; ++day) {
    keep("Daily", "a.example", day, 1);
    if (day != 3 && day != 5) keep("Almost", "a.example", day, 1);
    if (day % 3 == 0) keep("Seldom", "a.example", day, 1);
    keep("Other", "c.example", day, 1);
    keep("Forged", "a.example", day, 1, 0, Trust::kUnverified);
  }
  EXPECT_THAT(stopped(11), IsEmpty()) << "the report about yesterday may still come";
  EXPECT_THAT(stopped(12), ElementsAre("Almost", "Daily"));
  EXPECT_THAT(stopped(50, 9), ElementsAre("Almost", "Daily"));
  EXPECT_THAT(stopped(50, 10), IsEmpty()) << "it is too long ago";
  keep("Daily", "a.example", 11, 1);
  EXPECT_THAT(stopped(13), ElementsAre("Almost"));
}

}  // namespace
}  // namespace rapporteur
