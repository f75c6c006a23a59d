// How many parts, how much work and how much memory a large report takes.

#include <gmock/gmock.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "report/gzip.h"
#include "report/json.h"
#include "report/split.h"
#include "report/split_fixture.h"

namespace rapporteur {
namespace {

using testing_support::counts_of;
using testing_support::Generator;
using testing_support::head_of;
using testing_support::MadeUpCounts;
using testing_support::mail_size;
using testing_support::rules;

// Numbers that look random and are the same everywhere.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

std::string noise(std::uint64_t seed, std::size_t size) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-.:/ABCDEFGH";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += kLetters[mixed(seed + i) % kLetters.size()];
  return text;
}

// Details whose texts are all alike, or say nothing that was said before.
enum class Texts { kAlike, kUsual, kNoise };

constexpr std::uint64_t kLargestCount = 10'000'000;

DetailCount detail_of(std::uint64_t index, Texts texts) {
  DetailCount counted;
  auto& detail = counted.detail;
  const auto random = mixed(index + 1);
  detail.result_type = static_cast<ResultType>(random % 11);
  detail.sending_mta_ip =
      "203.0." + std::to_string(random / 11 % 256) + "." + std::to_string(random / 9999 % 256);
  detail.receiving_mx_hostname = "mx" + std::to_string(random / 77 % 8) + ".example.org";
  if (texts == Texts::kUsual) detail.receiving_mx_helo = noise(random, 20);
  if (texts == Texts::kNoise) detail.receiving_mx_helo = noise(random, 250);
  detail.failure_reason_code = "n" + std::to_string(index);
  counted.count = kLargestCount - index;
  return counted;
}

// The sum of the first details' counts.
std::uint64_t covered_by(std::uint64_t details) {
  return details * kLargestCount - details * (details - 1) / 2;
}

struct Shape {
  const char* name;
  std::function<Texts(std::uint64_t index)> texts;
};

// By how much texts compress: throughout, from the middle on, and in turns.
const std::vector<Shape> kShapes = {
    {"Alike", [](auto) { return Texts::kAlike; }},
    {"Usual", [](auto) { return Texts::kUsual; }},
    {"Noise", [](auto) { return Texts::kNoise; }},
    {"WorseMidway", [](auto i) { return i < 2500 ? Texts::kAlike : Texts::kNoise; }},
    {"BetterMidway", [](auto i) { return i < 2500 ? Texts::kNoise : Texts::kAlike; }},
    {"InTurns", [](auto i) { return i / 300 % 2 == 0 ? Texts::kAlike : Texts::kNoise; }},
    {"InShortTurns", [](auto i) { return i / 37 % 3 > 0 ? Texts::kAlike : Texts::kNoise; }},
};

struct Split {
  std::vector<ReportPart> parts;
  std::uint64_t work = 0;
};

Split split(CountsSource& source, std::uint64_t limit) {
  Split result;
  auto with_work = rules(limit);
  with_work.compressed_bytes = &result.work;
  const auto count = split_report(source, with_work, [&](ReportPart&& part) -> Result<void> {
    EXPECT_LE(mail_size(part.gz.size(), part.number), limit);
    result.parts.push_back(std::move(part));
    return {};
  });
  EXPECT_TRUE(count) << count.error().text;
  if (count) {
    EXPECT_EQ(static_cast<std::size_t>(*count), result.parts.size());
  }
  return result;
}

std::vector<std::string> texts_of_details(CountsSource& source) {
  std::vector<std::string> texts;
  const auto read = source.details(0, 0, [&texts](const DetailCount& detail) {
    texts.push_back(detail_json(detail));
    return true;
  });
  EXPECT_TRUE(read);
  return texts;
}

// In how many parts the details go if each takes the longest prefix that fits, which no division in
// this order can better, found by compressing whole parts by report/gzip.h.
int fewest_parts(const CountsSource& source, const std::vector<std::string>& details,
                 std::uint64_t limit) {
  const auto& heading = source.policies()[0];
  int parts = 0;
  const auto fits = [&](std::size_t begin, std::size_t end) {
    auto text = open_report(head_of(parts + 1)) +
                open_policy(heading.policy, begin == 0 ? heading.successful : 0, heading.failed);
    for (auto i = begin; i < end; ++i) text.append(i > begin ? "," : "").append(details[i]);
    return mail_size(gzip(text + "]}]}").size(), parts + 1) <= limit;
  };
  std::size_t step = 64;
  for (std::size_t begin = 0; begin < details.size(); ++parts) {
    std::size_t least = begin;
    std::size_t most = details.size() + 1;
    for (auto guess = begin + step; least + 1 < most; guess = least + (most - least) / 2) {
      if (most > details.size() && guess > details.size()) guess = details.size();
      (fits(begin, guess) ? least : most) = guess;
      if (most <= details.size() || least == details.size()) continue;
      while (least < details.size() && most > details.size()) {
        const auto further = std::min(details.size(), least + (least - begin) + 1);
        (fits(begin, further) ? least : most) = further;
      }
    }
    step = std::max<std::size_t>(1, least - begin);
    begin = least;
  }
  return parts;
}

class DividedShape : public testing::TestWithParam<std::size_t> {
 protected:
  static constexpr std::uint64_t kDetails = 5000;
  const Shape& shape = kShapes[GetParam()];
  MadeUpCounts source{kDetails, covered_by(kDetails),
                      [this](std::uint64_t i) { return detail_of(i, shape.texts(i)); }};
};

TEST_P(DividedShape, TakesFewPartsAndLittleWork) {
  const auto details = texts_of_details(source);
  const auto length = std::transform_reduce(details.begin(), details.end(), std::size_t{0},
                                            std::plus<>(), [](const auto& s) { return s.size(); });
  for (const auto limit : {4'000U, 16'384U, 65'536U, 262'144U}) {
    SCOPED_TRACE(testing::Message() << shape.name << ", limit " << limit);
    source.readings = 0;
    const auto result = split(source, limit);
    const auto fewest = fewest_parts(source, details, limit);
    const auto parts = static_cast<double>(result.parts.size());
    EXPECT_LE(parts, fewest * (limit >= 65'536 ? 1.1 : 1.2) + 1) << "at best " << fewest;
    // Every part repeats the head and the policy.
    EXPECT_LE(static_cast<double>(result.work), 1.5 * (static_cast<double>(length) + 700 * parts));
    if (limit >= 16'384) {
      EXPECT_LE(static_cast<double>(result.work), 1.5 * static_cast<double>(length));
    }
    EXPECT_LE(source.readings, 2 * static_cast<int>(result.parts.size()) + 2);

    std::uint64_t next = 0;
    for (const auto& part : result.parts) {
      const auto told = counts_of(part);
      for (const auto& detail : told.at(0).details) {
        ASSERT_TRUE(detail == detail_of(next, shape.texts(next))) << next;
        ++next;
      }
    }
    EXPECT_EQ(next, kDetails);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DividedShape, testing::Range(std::size_t{0}, kShapes.size()),
                         [](const auto& test) { return kShapes[test.param].name; });

// The bytes of gzip that a part may have.
std::size_t room_for(std::uint64_t limit) {
  std::size_t room = limit / 2;
  while (mail_size(room + 1, 1) <= limit) ++room;
  return room;
}

class ManyPolicies : public testing::TestWithParam<unsigned> {};

TEST_P(ManyPolicies, TakeFewPartsAndLittleWork) {
  Generator generator(GetParam());
  WindowCounts counts;
  for (std::size_t i = 0; i < 120; ++i) {
    // As many of 1 to 10 as of 10 to 100 and of 100 to 1,000 details.
    const double power = static_cast<double>(generator.below(3000)) / 1000;
    counts.push_back(generator.policy(i, static_cast<std::size_t>(std::pow(10, power))));
  }
  const auto text = report_json(head_of(1), counts);
  const auto whole = gzip(text).size();
  for (const auto limit : {16'384U, 65'536U}) {
    SCOPED_TRACE(testing::Message() << "limit " << limit);
    MemoryCounts source(counts);
    const auto result = split(source, limit);
    const auto least = std::ceil(static_cast<double>(whole) / static_cast<double>(room_for(limit)));
    EXPECT_LE(static_cast<double>(result.parts.size()), least * (limit >= 65'536 ? 1.1 : 1.2) + 1);
    EXPECT_LE(static_cast<double>(result.work), 1.5 * static_cast<double>(text.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ManyPolicies, testing::Range(1U, 6U));

TEST(ManyPolicies, OfTwoToAPartAreNotLeftAlone) {
  Generator generator(50);
  WindowCounts counts;
  for (std::size_t i = 0; i < 40; ++i) counts.push_back(generator.policy(i, 130));
  const auto largest = std::ranges::max(counts, {}, [](const PolicyCounts& policy) {
    return gzip(report_json(head_of(1), {policy})).size();
  });
  const auto alone = gzip(report_json(head_of(1), {largest})).size();
  const auto parts = split_report(counts, rules(mail_size(2 * alone + 200, 1)));
  ASSERT_TRUE(parts) << parts.error().text;
  EXPECT_LE(parts->size(), 21U);
}

// The bytes that are allocated, from the heap and beside it; 0 where malloc does not tell.
std::size_t allocated() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(MillionDetails, AreSplitInLittleMemoryEachToldOnce) {
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t kDetails = 250'000;
#else
  constexpr std::uint64_t kDetails = 1'000'000;
#endif
  constexpr std::uint64_t kLimit = 1 << 18;
  MadeUpCounts source(kDetails, covered_by(kDetails),
                      [](std::uint64_t i) { return detail_of(i, Texts::kAlike); });
  const auto before = allocated();
  std::size_t peak = before;
  source.watch = [&peak] { peak = std::max(peak, allocated()); };

  constexpr std::string_view kCount = "\"failed-session-count\":";
  constexpr std::string_view kReason = ",\"failure-reason-code\":\"n";
  std::uint64_t next = 0;
  std::uint64_t failed = 0;
  std::uint64_t successful = 0;
  std::uint64_t plain = 0;
  bool in_order = true;
  std::uint64_t work = 0;
  auto counting = rules(kLimit);
  counting.compressed_bytes = &work;
  const auto parts = split_report(source, counting, [&](ReportPart&& part) -> Result<void> {
    source.watch();
    EXPECT_LE(mail_size(part.gz.size(), part.number), kLimit);
    failed += part.failed;
    successful += part.successful;
    const auto text = gunzip(part.gz, 1 << 28);
    if (!text) return text.error();
    plain += text->size();
    for (auto at = text->find(kCount); at != text->npos; at = text->find(kCount, at)) {
      std::uint64_t count = 0;
      std::uint64_t index = 0;
      const auto* end = text->data() + text->size();
      const auto* stop = std::from_chars(text->data() + at + kCount.size(), end, count).ptr;
      std::from_chars(stop + kReason.size(), end, index);
      in_order = in_order && index == next && count == kLargestCount - next;
      ++next;
      at += kCount.size();
    }
    return {};
  });
  ASSERT_TRUE(parts) << parts.error().text;
  EXPECT_GT(*parts, 10);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(next, kDetails);
  EXPECT_EQ(failed, source.policies()[0].covered);
  EXPECT_EQ(successful, source.policies()[0].successful);
  EXPECT_LE(static_cast<double>(work), 1.1 * static_cast<double>(plain));
  EXPECT_LE(source.readings, 2 * *parts + 2);
  // Three states of zlib, the texts of a part that may be added again, and the part. The
  // sanitizers' malloc does not tell: then both are 0.
  EXPECT_LE(peak - before, 4 * kLimit + (3U << 20)) << "of " << plain;
}

TEST(MillionDetails, OfTheSourceThatFailsFailLikeIt) {
  MadeUpCounts source(20'000, covered_by(20'000),
                      [](std::uint64_t i) { return detail_of(i, Texts::kUsual); });
  source.fail_at = 15'000;
  const auto parts =
      split_report(source, rules(65'536), [](ReportPart&&) -> Result<void> { return {}; });
  ASSERT_FALSE(parts);
  EXPECT_EQ(parts.error().fault, Fault::kTransient);
  EXPECT_EQ(parts.error().text, "the store is away");
}

}  // namespace
}  // namespace rapporteur
