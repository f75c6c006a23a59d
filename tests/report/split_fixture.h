#pragma once
// What the tests of splitting share: the rules of a mail, made-up windows, and reports read back.

#include <gmock/gmock.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "report/counts_source.h"
#include "report/gzip.h"
#include "report/report.h"
#include "report/split.h"

namespace rapporteur::testing_support {

inline const Period kDay{*parse_time("2026-11-20"), *parse_time("2026-11-21")};

inline ReportHead head_of(int part) {
  return {"Example", "tlsrpt@example.net", kDay,
          report_id(kDay, "example.org", part, "abcd1234", "example.net")};
}

// As a mail: base64 with line ends, and a header of fixed size.
inline std::size_t mail_size(std::size_t gzip_size, int) {
  const auto characters = (gzip_size + 2) / 3 * 4;
  return 900 + characters + 2 * ((characters + 75) / 76);
}

inline SplitRules rules(std::uint64_t limit, int first_part = 1) {
  return {limit, first_part, head_of, mail_size};
}

// A report's policies, and that the report has the members that RFC 8460, section 4.4, demands,
// with their types, and no others.
inline WindowCounts read_report(const std::string& text) {
  using Json = nlohmann::ordered_json;
  const auto json = Json::parse(text);
  EXPECT_EQ(json.size(), 5U);
  EXPECT_TRUE(json.at("organization-name").is_string());
  EXPECT_TRUE(json.at("contact-info").is_string());
  EXPECT_TRUE(json.at("date-range").at("start-datetime").is_string());
  EXPECT_TRUE(json.at("date-range").at("end-datetime").is_string());
  WindowCounts counts;
  for (const auto& entry : json.at("policies")) {
    EXPECT_EQ(entry.size(), 3U);
    const auto& policy = entry.at("policy");
    PolicyCounts read;
    read.policy.type = parse_policy_type(policy.at("policy-type").get<std::string>()).value();
    read.policy.domain = policy.at("policy-domain").get<std::string>();
    EXPECT_FALSE(read.policy.domain.empty());
    if (policy.contains("policy-string")) policy["policy-string"].get_to(read.policy.strings);
    if (policy.contains("mx-host")) policy["mx-host"].get_to(read.policy.mx_hosts);
    const auto& summary = entry.at("summary");
    read.successful = summary.at("total-successful-session-count").get<std::uint64_t>();
    read.failed = summary.at("total-failure-session-count").get<std::uint64_t>();
    for (const auto& told : entry.at("failure-details")) {
      DetailCount detail;
      for (const auto& [key, value] : told.items()) {
        if (key == "failed-session-count") {
          detail.count = value.get<std::uint64_t>();
          continue;
        }
        const auto word = value.get<std::string>();
        EXPECT_FALSE(word.empty()) << key;
        if (key == "result-type") detail.detail.result_type = parse_result_type(word).value();
        if (key == "sending-mta-ip") detail.detail.sending_mta_ip = word;
        if (key == "receiving-mx-hostname") detail.detail.receiving_mx_hostname = word;
        if (key == "receiving-mx-helo") detail.detail.receiving_mx_helo = word;
        if (key == "receiving-ip") detail.detail.receiving_ip = word;
        if (key == "additional-information") detail.detail.additional_information = word;
        if (key == "failure-reason-code") detail.detail.failure_reason_code = word;
      }
      read.details.push_back(std::move(detail));
    }
    counts.push_back(std::move(read));
  }
  return counts;
}

inline WindowCounts counts_of(const ReportPart& part) {
  const auto text = gunzip(part.gz, 1 << 28);
  EXPECT_TRUE(text) << text.error().text;
  return text ? read_report(*text) : WindowCounts();
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

// One policy whose details are made when they are asked for and held nowhere.
class MadeUpCounts final : public CountsSource {
 public:
  // The detail with that index; counts must not grow with it, and add up to `covered`.
  using Make = std::function<DetailCount(std::uint64_t index)>;

  MadeUpCounts(std::uint64_t details, std::uint64_t covered, Make make) : make_(std::move(make)) {
    Heading heading;
    heading.policy.type = PolicyType::kSts;
    heading.policy.domain = "example.org";
    heading.policy.strings = {"version: STSv1", "mode: enforce", "mx: mx.example.org"};
    heading.policy.mx_hosts = {"mx.example.org"};
    heading.successful = 12345;
    heading.details = details;
    heading.covered = covered;
    heading.failed = covered;
    headings_.push_back(std::move(heading));
  }

  const std::vector<Heading>& policies() const override { return headings_; }

  Result<void> details(std::size_t, std::uint64_t first,
                       const std::function<bool(const DetailCount&)>& visit) override {
    ++readings;
    for (auto i = first; i < headings_[0].details; ++i) {
      if (i == fail_at) return Error{Fault::kTransient, "the store is away"};
      if (watch && i % 1000 == 0) watch();
      if (!visit(make_(i))) break;
    }
    return {};
  }

  int readings = 0;             // calls of details()
  std::uint64_t fail_at = ~0U;  // fails instead of telling this detail
  std::function<void()> watch;  // called now and then

 private:
  Make make_;
  std::vector<Heading> headings_;
};

}  // namespace rapporteur::testing_support
