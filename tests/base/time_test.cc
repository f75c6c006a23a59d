#include "base/time.h"

#include <optional>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

Time at(long long seconds) {
  return Time(Seconds(seconds));
}

constexpr long long kMidnight = 1795132800;  // 2026-11-20T00:00:00Z

TEST(TimeText, HasThreeForms) {
  EXPECT_EQ(format_rfc3339(at(kMidnight)), "2026-11-20T00:00:00Z");
  EXPECT_EQ(format_compact(at(kMidnight)), "20261120T000000Z");
  EXPECT_EQ(format_rfc5322(at(kMidnight)), "Fri, 20 Nov 2026 00:00:00 +0000");
  EXPECT_EQ(format_rfc5322(at(kMidnight - 13 * 86400 - 1)), "Fri, 06 Nov 2026 23:59:59 +0000");
  EXPECT_EQ(format_rfc3339(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_rfc3339(at(951782400)), "2000-02-29T00:00:00Z");
}

struct Instant {
  const char* text;
  std::optional<long long> want;
};
class TimeInput : public testing::TestWithParam<Instant> {};

TEST_P(TimeInput, IsReadOrRefused) {
  const auto time = parse_time(GetParam().text);
  ASSERT_EQ(time.has_value(), GetParam().want.has_value()) << GetParam().text;
  if (time) {
    EXPECT_EQ(*time, at(*GetParam().want)) << GetParam().text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, TimeInput,
    testing::Values(
        Instant{"2026-11-20T00:00:00Z", kMidnight},
        Instant{"2026-11-20t01:02:03z", kMidnight + 3723},
        Instant{"2026-11-20T00:00:00.999Z", kMidnight},
        Instant{"2026-11-20T01:30:00+01:30", kMidnight},
        Instant{"2026-11-19T22:00:00-02:00", kMidnight}, Instant{"2026-11-20 00:00:00Z", kMidnight},
        Instant{"2026-11-20", kMidnight}, Instant{"1795132800", kMidnight},
        Instant{"1795132800.75", kMidnight}, Instant{"0", 0}, Instant{"2024-02-29", 1709164800},
        Instant{"2026-02-29", std::nullopt}, Instant{"2026-13-01", std::nullopt},
        Instant{"2026-11-31", std::nullopt}, Instant{"1969-12-31", std::nullopt},
        Instant{"1970-01-01T00:00:00+01:00", std::nullopt}, Instant{"10000-01-01", std::nullopt},
        Instant{"253402300800", std::nullopt}, Instant{"-1", std::nullopt},
        Instant{"", std::nullopt}, Instant{"2026-11-20T", std::nullopt},
        Instant{"2026-11-20T00:00:00", std::nullopt}, Instant{"2026-11-20T24:00:00Z", std::nullopt},
        Instant{"2026-11-20T00:60:00Z", std::nullopt},
        Instant{"2026-11-20T00:00:00Zx", std::nullopt},
        Instant{"2026-11-20T00:00:00+0100", std::nullopt},
        Instant{"20261120T000000Z", std::nullopt}, Instant{"1e9", std::nullopt},
        Instant{"99999999999999999999", std::nullopt}, Instant{" 2026-11-20", std::nullopt}));

struct Span {
  const char* text;
  std::optional<long long> want;
};
class Duration : public testing::TestWithParam<Span> {};

TEST_P(Duration, IsReadOrRefused) {
  const auto duration = parse_duration(GetParam().text);
  ASSERT_EQ(duration.has_value(), GetParam().want.has_value()) << GetParam().text;
  if (duration) {
    EXPECT_EQ(duration->count(), *GetParam().want) << GetParam().text;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Units, Duration,
    testing::Values(Span{"90s", 90}, Span{"10m", 600}, Span{"4h", 14400}, Span{"30d", 2592000},
                    Span{"2w", 1209600}, Span{"1h30m", 5400}, Span{"250ms", 1}, Span{"1001ms", 2},
                    Span{"500ms500ms", 1}, Span{"0s", 0}, Span{"", std::nullopt},
                    Span{"90", std::nullopt}, Span{"s", std::nullopt}, Span{"-1s", std::nullopt},
                    Span{"1 h", std::nullopt}, Span{"1.5h", std::nullopt}, Span{"1y", std::nullopt},
                    Span{"1H", std::nullopt}, Span{"1h30", std::nullopt},
                    Span{"99999999999999999999s", std::nullopt},
                    Span{"9000000000000000000w", std::nullopt}));

TEST(Duration, IsWrittenInTheShortestWay) {
  EXPECT_EQ(format_duration(Seconds(0)), "0s");
  EXPECT_EQ(format_duration(Seconds(5400)), "1h30m");
  EXPECT_EQ(format_duration(Seconds(86400)), "1d");
  EXPECT_EQ(format_duration(Seconds(59)), "59s");
}

struct Size {
  const char* text;
  std::optional<std::int64_t> want;
};
class SizeInput : public testing::TestWithParam<Size> {};

TEST_P(SizeInput, IsReadOrRefused) {
  EXPECT_EQ(parse_size(GetParam().text), GetParam().want) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Units, SizeInput,
    testing::Values(Size{"0", 0}, Size{"5242880", 5242880}, Size{"512kb", 524288},
                    Size{"5MB", 5242880}, Size{"1gb", 1073741824}, Size{"7b", 7},
                    Size{"9223372036854775807", 9223372036854775807},
                    Size{"8589934591gb", 9223372035781033984}, Size{"8589934592gb", std::nullopt},
                    Size{"", std::nullopt}, Size{"kb", std::nullopt}, Size{"-1", std::nullopt},
                    Size{"1 mb", std::nullopt}, Size{"1.5mb", std::nullopt},
                    Size{"1tb", std::nullopt}, Size{"9223372036854775808", std::nullopt}));

}  // namespace
}  // namespace rapporteur
