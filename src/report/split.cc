#include "report/split.h"

#include <algorithm>
#include <array>
#include <deque>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "report/gzip.h"
#include "report/json.h"
#include "report/shorten.h"
#include "report/size_estimate.h"

namespace rapporteur {

namespace {

// A part that is filled to this share of the limit is full enough to stop searching.
constexpr double kFullEnough = 0.97;
// Estimates aim this far below the limit, so that most first trials fit.
constexpr double kAim = 0.99;
// How often a part is compressed in search of a better fill, once one that fits is known.
constexpr int kTrials = 6;
// A policy that seems to take less than this share of the limit is not compressed alone.
constexpr double kSurelyFits = 0.6;

constexpr std::array<std::size_t, 8> kDetailCaps = {4096, 1024, 512, 256, 128, 64, 32, 12};

struct PolicyCap {
  std::size_t lines;
  std::size_t bytes;
};
constexpr std::array<PolicyCap, 4> kPolicyCaps = {{{50, 128}, {10, 64}, {3, 32}, {0, 3}}};

// A policy, or what is left of one, that goes into a part as it is.
struct Item {
  const PolicyCounts* counts = nullptr;
  std::string json;
  double cost = 0;  // estimated compressed bytes
};

// One policy while it is divided.
struct Division {
  const PolicyCounts& source;
  Policy policy;  // as its pieces tell it
  std::vector<const DetailCount*> details;
  std::vector<std::string> json;           // of each detail
  std::vector<std::uint64_t> counts_upto;  // [i]: sum of the counts of the first i details
  std::vector<double> costs_upto;
  std::uint64_t failures_left = 0;     // of those that the details account for
  std::uint64_t failures_without = 0;  // those that no detail accounts for

  std::uint64_t successful(std::size_t begin) const { return begin == 0 ? source.successful : 0; }
  std::uint64_t covered(std::size_t begin, std::size_t end) const {
    return std::min(failures_left, counts_upto[end] - counts_upto[begin]);
  }
  std::uint64_t failed(std::size_t begin, std::size_t end) const {
    return covered(begin, end) + (begin == 0 ? failures_without : 0);
  }
};

Division begin_division(const PolicyCounts& source, Policy policy) {
  Division division{source, std::move(policy), details_in_order(source), {}, {0}, {0.0}, 0, 0};
  SizeEstimate estimate;
  for (const auto* detail : division.details) {
    division.json.push_back(detail_json(*detail));
    division.counts_upto.push_back(division.counts_upto.back() + detail->count);
    estimate.add(division.json.back());
  }
  for (const auto cost : estimate.finish()) {
    division.costs_upto.push_back(division.costs_upto.back() + cost);
  }
  division.failures_left = std::min(source.failed, division.counts_upto.back());
  division.failures_without = source.failed - division.failures_left;
  return division;
}

WindowCounts in_order(const WindowCounts& counts) {
  WindowCounts sorted;
  for (const auto* policy : policies_in_order(counts)) {
    PolicyCounts copy{policy->policy, policy->successful, policy->failed, {}};
    for (const auto* detail : details_in_order(*policy)) copy.details.push_back(*detail);
    sorted.push_back(std::move(copy));
  }
  return sorted;
}

class Splitter {
 public:
  Splitter(const WindowCounts& counts, const SplitRules& rules) : counts_(counts), rules_(rules) {}

  Result<std::vector<ReportPart>> run();

 private:
  // How many details a piece takes, and that piece's gzip. None: not even one fits.
  struct Prefix {
    std::size_t size = 0;
    std::string gz;
  };

  int next_number() const { return rules_.first_part + static_cast<int>(parts_.size()); }
  bool fits(const std::string& gz) const {
    return rules_.submitted_size(gz.size(), next_number()) <= rules_.limit_bytes;
  }
  // The next part's gzip with these policies' texts.
  std::string compress(std::span<const std::string_view> policies) const;
  std::string compress_piece(const Division& division, std::size_t begin, std::size_t end) const;
  // Bytes of gzip that the policies of the next part may add to an empty report.
  double room() const;
  double cost_of(const std::string& gz) const;
  void push_part(WindowCounts counts, std::string gz);

  std::vector<Item> items() const;
  bool divide(const PolicyCounts& source);
  bool divide_as(const PolicyCounts& source, const Policy& policy);
  Prefix longest_prefix(const Division& division, std::size_t begin) const;
  bool push_shortened(Division& division, std::size_t index);
  void push_piece(Division& division, std::size_t begin, std::size_t end, std::string gz);

  bool pack();
  std::vector<std::size_t> choose(double allowance) const;
  std::string compress_items(std::vector<std::size_t> chosen) const;
  void push_items(const std::vector<std::size_t>& chosen, std::string gz);

  std::size_t smallest_limit() const;

  const WindowCounts& counts_;
  const SplitRules& rules_;
  std::vector<ReportPart> parts_;
  std::vector<Item> pool_;           // what has no part yet, largest first
  std::deque<PolicyCounts> pieces_;  // that items point to
};

Result<std::vector<ReportPart>> Splitter::run() {
  const auto too_small = [this] {
    return Error{Fault::kConfig, "a maxReportSize of " + std::to_string(rules_.limit_bytes) +
                                     " bytes is too small for this report; it needs at least " +
                                     std::to_string(smallest_limit())};
  };
  auto whole = gzip(report_json(rules_.head(next_number()), counts_));
  if (rules_.limit_bytes == 0 || fits(whole)) {
    push_part(in_order(counts_), std::move(whole));
    return std::move(parts_);
  }
  if (counts_.empty() || room() <= 0) return too_small();

  auto all = items();
  const auto estimated = std::accumulate(
      all.begin(), all.end(), 1.0, [](double sum, const Item& item) { return sum + item.cost; });
  const double correction = cost_of(whole) / estimated;
  for (auto& item : all) {
    item.cost *= correction;
    bool alone = item.cost < kSurelyFits * room();
    if (!alone) {
      const std::array<std::string_view, 1> text = {item.json};
      alone = fits(compress(text));
    }
    if (alone) {
      pool_.push_back(std::move(item));
    } else {
      item.json.clear();
      if (!divide(*item.counts)) return too_small();
    }
  }
  if (!pack()) return too_small();
  return std::move(parts_);
}

std::vector<Item> Splitter::items() const {
  std::vector<Item> all;
  SizeEstimate estimate;
  for (const auto* policy : policies_in_order(counts_)) {
    all.push_back({policy, policy_json(*policy), 0});
    estimate.add(all.back().json);
  }
  const auto costs = estimate.finish();
  for (std::size_t i = 0; i < all.size(); ++i) all[i].cost = costs[i];
  return all;
}

std::string Splitter::compress(std::span<const std::string_view> policies) const {
  auto text = open_report(rules_.head(next_number()));
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (i > 0) text += ',';
    text += policies[i];
  }
  text += kCloseReport;
  return gzip(text);
}

std::string Splitter::compress_piece(const Division& division, std::size_t begin,
                                     std::size_t end) const {
  auto text = open_policy(division.policy, division.successful(begin), division.failed(begin, end));
  for (auto i = begin; i < end; ++i) {
    if (i > begin) text += ',';
    text += division.json[i];
  }
  text += kClosePolicy;
  const std::array<std::string_view, 1> policies = {text};
  return compress(policies);
}

double Splitter::room() const {
  std::uint64_t least = 0;
  std::uint64_t most = rules_.limit_bytes;
  while (least < most) {
    const auto middle = most - (most - least) / 2;
    if (rules_.submitted_size(middle, next_number()) <= rules_.limit_bytes) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return static_cast<double>(least) - static_cast<double>(compress({}).size());
}

double Splitter::cost_of(const std::string& gz) const {
  return std::max(1.0, static_cast<double>(gz.size()) - static_cast<double>(compress({}).size()));
}

void Splitter::push_part(WindowCounts counts, std::string gz) {
  const int number = next_number();
  parts_.push_back({number, std::move(counts), std::move(gz)});
}

// False: not even the shortest texts fit.
bool Splitter::divide(const PolicyCounts& source) {
  if (divide_as(source, source.policy)) return true;
  for (const auto& cap : kPolicyCaps) {
    const auto policy = shortened(source.policy, cap.lines, cap.bytes);
    if (policy != source.policy && divide_as(source, policy)) return true;
  }
  return false;
}

// False: some detail does not fit with this policy's texts; no part was made then.
bool Splitter::divide_as(const PolicyCounts& source, const Policy& policy) {
  auto division = begin_division(source, policy);
  const auto parts_before = parts_.size();
  const auto count = division.details.size();
  if (count == 0) {
    auto gz = compress_piece(division, 0, 0);
    if (!fits(gz)) return false;
    push_piece(division, 0, 0, std::move(gz));
    return true;
  }
  for (std::size_t begin = 0; begin < count;) {
    auto prefix = longest_prefix(division, begin);
    if (prefix.size > 0) {
      push_piece(division, begin, begin + prefix.size, std::move(prefix.gz));
      begin += prefix.size;
    } else if (push_shortened(division, begin)) {
      ++begin;
    } else {
      parts_.resize(parts_before);
      return false;
    }
  }
  return true;
}

Splitter::Prefix Splitter::longest_prefix(const Division& division, std::size_t begin) const {
  const auto& costs = division.costs_upto;
  const auto left = division.details.size() - begin;
  const double target = room();
  const double policy_cost = cost_of(compress_piece(division, begin, begin));
  double correction = 1;
  Prefix best;
  std::size_t too_many = left + 1;
  for (int trial = 0; best.size + 1 < too_many && (trial < kTrials || best.size == 0); ++trial) {
    const auto affordable = (target * kAim - policy_cost) / correction + costs[begin];
    const auto found = std::upper_bound(costs.begin(), costs.end(), affordable);
    auto guess = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, found - costs.begin() - 1));
    guess = guess > begin ? guess - begin : 0;
    // Without a fit the search halves at least, so that it ends soon whatever the estimates say.
    const auto highest =
        best.size == 0 && trial > 0 ? std::max<std::size_t>(1, too_many / 2) : too_many - 1;
    guess = std::clamp(guess, best.size + 1, highest);
    auto gz = compress_piece(division, begin, begin + guess);
    const double details_cost = std::max(1.0, cost_of(gz) - policy_cost);
    correction = std::max(1e-3, details_cost / (costs[begin + guess] - costs[begin] + 1e-3));
    if (fits(gz)) {
      best = {guess, std::move(gz)};
      if (cost_of(best.gz) >= kFullEnough * target) break;
    } else {
      too_many = guess;
    }
  }
  return best;
}

bool Splitter::push_shortened(Division& division, std::size_t index) {
  const auto& whole = *division.details[index];
  for (const auto cap : kDetailCaps) {
    const DetailCount detail{shortened(whole.detail, cap), whole.count};
    if (detail == whole) continue;
    division.json[index] = detail_json(detail);
    auto gz = compress_piece(division, index, index + 1);
    if (!fits(gz)) continue;
    PolicyCounts piece{
        division.policy, division.successful(index), division.failed(index, index + 1), {detail}};
    division.failures_left -= division.covered(index, index + 1);
    push_part({std::move(piece)}, std::move(gz));
    return true;
  }
  return false;
}

// The last piece waits for others that fit beside it, unless it fills its part.
void Splitter::push_piece(Division& division, std::size_t begin, std::size_t end, std::string gz) {
  PolicyCounts piece{division.policy, division.successful(begin), division.failed(begin, end), {}};
  for (auto i = begin; i < end; ++i) piece.details.push_back(*division.details[i]);
  division.failures_left -= division.covered(begin, end);
  const double cost = cost_of(gz);
  if (end < division.details.size() || cost >= kFullEnough * room()) {
    push_part({std::move(piece)}, std::move(gz));
    return;
  }
  pieces_.push_back(std::move(piece));
  pool_.push_back({&pieces_.back(), policy_json(pieces_.back()), cost});
}

// Fills one part after the other with the largest items that fit together. False: one cannot be
// made small enough.
bool Splitter::pack() {
  const auto larger = [](const Item& a, const Item& b) { return a.cost > b.cost; };
  std::ranges::stable_sort(pool_, larger);
  while (!pool_.empty()) {
    const double target = room();
    double allowance = target * kAim;
    double too_much = target * 1e6;
    std::vector<std::size_t> best;
    std::string best_gz;
    for (int trial = 0; trial < kTrials || best.empty(); ++trial) {
      const auto chosen = choose(allowance);
      if (!best.empty() && chosen == best) break;
      auto gz = compress_items(chosen);
      const double filled = cost_of(gz) / target;
      if (fits(gz)) {
        if (gz.size() > best_gz.size()) {
          best = chosen;
          best_gz = std::move(gz);
        }
        if (filled >= kFullEnough || chosen.size() == pool_.size()) break;
        allowance = std::min(allowance * kAim / std::max(filled, 0.01), too_much * kAim);
      } else if (chosen.size() == 1) {
        break;
      } else {
        too_much = std::min(too_much, allowance);
        allowance *= std::min(0.95, kAim / filled);
      }
    }
    if (best.empty()) {
      const auto item = std::move(pool_.front());
      pool_.erase(pool_.begin());
      if (!divide(*item.counts)) return false;
      std::ranges::stable_sort(pool_, larger);
    } else {
      push_items(best, std::move(best_gz));
    }
  }
  return true;
}

std::vector<std::size_t> Splitter::choose(double allowance) const {
  std::vector<std::size_t> chosen = {0};
  double cost = pool_.front().cost;
  for (std::size_t i = 1; i < pool_.size() && cost + pool_.back().cost <= allowance; ++i) {
    if (cost + pool_[i].cost > allowance) continue;
    cost += pool_[i].cost;
    chosen.push_back(i);
  }
  return chosen;
}

// As report_json() orders them.
std::string Splitter::compress_items(std::vector<std::size_t> chosen) const {
  std::ranges::stable_sort(chosen, [this](std::size_t a, std::size_t b) {
    return pool_[a].counts->policy < pool_[b].counts->policy;
  });
  std::vector<std::string_view> texts;
  for (const auto i : chosen) texts.push_back(pool_[i].json);
  return compress(texts);
}

void Splitter::push_items(const std::vector<std::size_t>& chosen, std::string gz) {
  WindowCounts counts;
  std::vector<bool> taken(pool_.size(), false);
  for (const auto i : chosen) {
    counts.push_back(*pool_[i].counts);
    taken[i] = true;
  }
  push_part(in_order(counts), std::move(gz));
  std::vector<Item> left;
  for (std::size_t i = 0; i < pool_.size(); ++i) {
    if (!taken[i]) left.push_back(std::move(pool_[i]));
  }
  pool_ = std::move(left);
}

// A limit that would do: the size of the largest of the smallest possible reports, and a margin for
// texts that compress worse than it.
std::size_t Splitter::smallest_limit() const {
  constexpr std::size_t kMargin = 64;
  std::size_t pieces = 1;
  for (const auto& policy : counts_) pieces += 1 + policy.details.size();
  const int number = rules_.first_part + static_cast<int>(pieces);
  const auto head = open_report(rules_.head(number));
  auto needed = gzip(head + std::string(kCloseReport)).size();
  for (const auto& counts : counts_) {
    std::string largest;
    for (const auto& detail : counts.details) {
      auto json = detail_json({shortened(detail.detail, kDetailCaps.back()), detail.count});
      if (json.size() > largest.size()) largest = std::move(json);
    }
    const auto& cap = kPolicyCaps.back();
    const auto text = head +
                      open_policy(shortened(counts.policy, cap.lines, cap.bytes), counts.successful,
                                  counts.failed) +
                      largest + std::string(kClosePolicy) + std::string(kCloseReport);
    needed = std::max(needed, gzip(text).size());
  }
  return rules_.submitted_size(needed + kMargin, number);
}

}  // namespace

Result<std::vector<ReportPart>> split_report(const WindowCounts& counts, const SplitRules& rules) {
  return Splitter(counts, rules).run();
}

}  // namespace rapporteur
