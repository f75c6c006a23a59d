#include "report/split.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "report/gzip.h"

namespace rapporteur {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

const Period kDay{*parse_time("2026-11-20"), *parse_time("2026-11-21")};

ReportHead head_of(int part) {
  return {"Example", "tlsrpt@example.net", kDay,
          report_id(kDay, "example.org", part, "abcd1234", "example.net")};
}

// As a mail: base64 with line ends, and a header of fixed size.
std::size_t mail_size(std::size_t gzip_size, int) {
  const auto characters = (gzip_size + 2) / 3 * 4;
  return 900 + characters + 2 * ((characters + 75) / 76);
}

SplitRules rules(std::uint64_t limit, int first_part = 1) {
  return {limit, first_part, head_of, mail_size};
}

// The members that RFC 8460, section 4.4, demands, with their types, and no others.
void expect_valid(const Json& report) {
  const std::set<std::string> types = {"tlsa", "sts", "no-policy-found"};
  ASSERT_EQ(report.size(), 5U);
  ASSERT_TRUE(report.at("organization-name").is_string());
  ASSERT_TRUE(report.at("contact-info").is_string());
  ASSERT_TRUE(report.at("report-id").is_string());
  ASSERT_TRUE(report.at("date-range").at("start-datetime").is_string());
  ASSERT_TRUE(report.at("date-range").at("end-datetime").is_string());
  ASSERT_TRUE(report.at("policies").is_array());
  for (const auto& entry : report.at("policies")) {
    ASSERT_EQ(entry.size(), 3U);
    const auto& policy = entry.at("policy");
    ASSERT_TRUE(types.contains(policy.at("policy-type").get<std::string>()));
    ASSERT_FALSE(policy.at("policy-domain").get<std::string>().empty());
    ASSERT_TRUE(!policy.contains("mx-host") || policy.at("mx-host").is_array());
    ASSERT_TRUE(entry.at("summary").at("total-successful-session-count").is_number_unsigned());
    ASSERT_TRUE(entry.at("summary").at("total-failure-session-count").is_number_unsigned());
    ASSERT_TRUE(entry.at("failure-details").is_array());
    for (const auto& detail : entry.at("failure-details")) {
      ASSERT_TRUE(parse_result_type(detail.at("result-type").get<std::string>()));
      ASSERT_TRUE(detail.at("failed-session-count").is_number_unsigned());
      for (const auto& [key, value] : detail.items()) {
        ASSERT_TRUE(key == "failed-session-count" || !value.get<std::string>().empty()) << key;
      }
    }
  }
}

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
    EXPECT_EQ(part.counts.empty(), counts.empty());
    const auto json = gunzip(part.gz, 1 << 28);
    ASSERT_TRUE(json) << json.error().text;
    ASSERT_EQ(*json, report_json(head_of(part.number), part.counts));
    expect_valid(Json::parse(*json));
    for (const auto& policy : part.counts) add(seen, policy, part.number);
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

class Generator {
 public:
  explicit Generator(unsigned seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

  std::string noise(std::size_t size) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-.: /ABCDEF";
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += kLetters[below(kLetters.size())];
    return text;
  }

  DetailCount detail(std::size_t index) {
    DetailCount detail;
    detail.detail.result_type = static_cast<ResultType>(below(11));
    detail.detail.sending_mta_ip = "192.0.2." + std::to_string(below(256));
    detail.detail.receiving_mx_hostname = "mx" + std::to_string(below(8)) + ".example.org";
    if (below(2) == 0) detail.detail.receiving_mx_helo = noise(below(60));
    detail.detail.failure_reason_code = "reason " + std::to_string(index) + noise(below(100));
    detail.count = 1 + below(below(10) == 0 ? 100000 : 20);
    return detail;
  }

  PolicyCounts policy(std::size_t index, std::size_t details) {
    PolicyCounts counts;
    counts.policy.type = static_cast<PolicyType>(below(3));
    counts.policy.domain = "d" + std::to_string(index) + ".example";
    if (counts.policy.type != PolicyType::kNoPolicyFound) {
      for (std::size_t i = below(4); i > 0; --i) counts.policy.strings.push_back(noise(30));
    }
    if (counts.policy.type == PolicyType::kSts) counts.policy.mx_hosts = {"*.example.org"};
    counts.successful = below(1000000);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < details; ++i) {
      counts.details.push_back(detail(i));
      sum += counts.details.back().count;
    }
    // More, fewer or as many failures as the details account for.
    counts.failed = below(3) == 0 ? sum : below(2 * sum + 5);
    return counts;
  }

  WindowCounts window(std::size_t policies, std::size_t most_details) {
    WindowCounts counts;
    for (std::size_t i = 0; i < policies; ++i) {
      counts.push_back(policy(i, below(3) == 0 ? below(most_details + 1) : below(4)));
    }
    return counts;
  }

 private:
  std::mt19937_64 engine_;
};

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
  EXPECT_TRUE(parts->front().counts.empty());
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

TEST(SplitReport, DoesNotCompressTheSameThingOftenInSearchOfParts) {
  const WindowCounts counts = {Generator(4).policy(0, 5000), Generator(5).policy(1, 10)};
  std::size_t asked = 0;
  auto counting = rules(20000);
  counting.head = [&asked](int part) {
    ++asked;
    return head_of(part);
  };
  const auto parts = split_report(counts, counting);
  ASSERT_TRUE(parts);
  ASSERT_GT(parts->size(), 10U);
  EXPECT_LT(asked, parts->size() * 30);
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
    for (const auto& policy : part.counts) ++pieces[policy.policy.domain];
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
    for (const auto& part : *parts) pieces.push_back(part.counts.at(0));
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
    for (const auto& [detail, count] : part.counts.at(0).details) {
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
  for (const auto& part : *parts) EXPECT_EQ(part.counts.at(0).policy.strings.back(), "…");
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
