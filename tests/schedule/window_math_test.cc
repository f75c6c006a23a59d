#include "schedule/window_math.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

namespace rapporteur {
namespace {

using testing::Eq;

Time at(const char* text) {
  return parse_time(text).value();
}

struct PeriodCase {
  const char* name;
  Frequency frequency;
  const char* time;
  const char* want_start;
  const char* want_end;
};

class PeriodOf : public testing::TestWithParam<PeriodCase> {};

TEST_P(PeriodOf, CoversTheTimeInUtc) {
  const auto& c = GetParam();
  const auto period = period_of(c.frequency, at(c.time));
  EXPECT_EQ(format_rfc3339(period.start), c.want_start);
  EXPECT_EQ(format_rfc3339(period.end), c.want_end);
  EXPECT_TRUE(period.covers(at(c.time)));
}

INSTANTIATE_TEST_SUITE_P(
    Table, PeriodOf,
    testing::Values(PeriodCase{"Hour", Frequency::kHourly, "2026-11-20T13:59:59Z",
                               "2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z"},
                    PeriodCase{"HourBegins", Frequency::kHourly, "2026-11-20T14:00:00Z",
                               "2026-11-20T14:00:00Z", "2026-11-20T15:00:00Z"},
                    PeriodCase{"Day", Frequency::kDaily, "2026-11-20T23:59:59Z",
                               "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"},
                    PeriodCase{"LeapDay", Frequency::kDaily, "2028-02-29T01:00:00Z",
                               "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
                    PeriodCase{"WeekFromItsMonday", Frequency::kWeekly, "2026-11-16T00:00:00Z",
                               "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
                    PeriodCase{"WeekToItsSunday", Frequency::kWeekly, "2026-11-22T23:59:59Z",
                               "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},
                    PeriodCase{"WeekAcrossTheYear", Frequency::kWeekly, "2027-01-01T12:00:00Z",
                               "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"}),
    [](const auto& test) { return test.param.name; });

TEST(WindowFor, BeginsWhereTheLastWindowEnded) {
  const std::vector<Period> known = {{at("2026-11-20T00:00:00Z"), at("2026-11-20T10:30:00Z")}};
  const auto period = window_for(Frequency::kDaily, at("2026-11-20T12:00:00Z"), known);
  EXPECT_EQ(period, (Period{at("2026-11-20T10:30:00Z"), at("2026-11-21T00:00:00Z")}));
}

TEST(WindowFor, EndsWhereTheNextWindowBegins) {
  const std::vector<Period> known = {{at("2026-11-20T14:00:00Z"), at("2026-11-20T15:00:00Z")}};
  const auto period = window_for(Frequency::kDaily, at("2026-11-20T12:00:00Z"), known);
  EXPECT_EQ(period, (Period{at("2026-11-20T00:00:00Z"), at("2026-11-20T14:00:00Z")}));
}

TEST(WindowFor, AWeekOpenedMidweekBeginsAfterTheDaysBeforeIt) {
  const std::vector<Period> known = {{at("2026-11-16T00:00:00Z"), at("2026-11-17T00:00:00Z")},
                                     {at("2026-11-17T00:00:00Z"), at("2026-11-18T00:00:00Z")}};
  const auto period = window_for(Frequency::kWeekly, at("2026-11-18T08:00:00Z"), known);
  EXPECT_EQ(period, (Period{at("2026-11-18T00:00:00Z"), at("2026-11-23T00:00:00Z")}));
}

TEST(DelayOf, IsTheSameForTheSameDomainAndPeriod) {
  const auto period = period_of(Frequency::kDaily, at("2026-11-20T12:00:00Z"));
  const Spread spread;
  EXPECT_EQ(delay_of("example.org", period, Frequency::kDaily, spread),
            delay_of("example.org", period, Frequency::kDaily, spread));
}

TEST(DelayOf, DiffersFromDomainToDomainAndStaysBelowTheSpread) {
  const auto period = period_of(Frequency::kDaily, at("2026-11-20T12:00:00Z"));
  const Spread spread;
  std::vector<std::int64_t> quarters(4);
  for (int i = 0; i < 1000; ++i) {
    const auto domain = "d" + std::to_string(i) + ".example";
    const auto delay = delay_of(domain, period, Frequency::kDaily, spread);
    ASSERT_GE(delay.count(), 0);
    ASSERT_LT(delay, spread.daily);
    ++quarters[static_cast<std::size_t>(delay.count() * 4 / spread.daily.count())];
  }
  // 1,000 even draws leave fewer than 180 in a quarter less than once in a hundred thousand times.
  EXPECT_GT(*std::ranges::min_element(quarters), 180);
}

TEST(DelayOf, OfAnHourlyWindowStaysBelowItsOwnSpread) {
  const auto period = period_of(Frequency::kHourly, at("2026-11-20T12:00:00Z"));
  Spread spread;
  spread.hourly = Seconds{2};
  for (int i = 0; i < 50; ++i) {
    EXPECT_LT(delay_of("d" + std::to_string(i), period, Frequency::kHourly, spread), Seconds{2});
  }
}

TEST(DelayOf, IsNothingWithoutASpread) {
  const auto period = period_of(Frequency::kWeekly, at("2026-11-20T12:00:00Z"));
  Spread spread;
  spread.weekly = Seconds{0};
  EXPECT_THAT(delay_of("example.org", period, Frequency::kWeekly, spread), Eq(Seconds{0}));
}

}  // namespace
}  // namespace rapporteur
