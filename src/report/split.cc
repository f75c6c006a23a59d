#include "report/split.h"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "report/gzip.h"
#include "report/json.h"
#include "report/packing_order.h"
#include "report/part_filler.h"
#include "report/policy_text.h"
#include "report/shorten.h"
#include "report/split_limits.h"
#include "report/whole_report.h"

namespace rapporteur {

namespace {

// What compresses badly in a short report is worth to be compressed twice, if that keeps it whole.
constexpr std::size_t kShortPolicy = 1 << 16;
constexpr std::size_t kLongPolicy = 1 << 22;

// What is left of a part is filled up while it is more than this share of it, and until so many
// policies did not fit.
constexpr std::size_t kFullShare = 100;
constexpr int kMostMisses = 3;
// Policies are tried that are expected to take up to this share of what is left; if there are none,
// larger ones, unless this share of the work was lost already.
constexpr double kSafeFit = 0.85;
constexpr double kCloseFit = 0.98;
constexpr double kMostLost = 0.15;
// A trial is broken off when this share of the details says that the rest will not fit.
constexpr double kForetold = 0.3;
constexpr std::uint64_t kForetellingDetails = 8;
constexpr double kHopeless = 1.04;

// Behind a policy's opening there is room for any detail whose texts are shortened.
constexpr std::size_t kAnyDetail = 800;

constexpr std::string_view kCloseBoth = "]}]}";

// The policy that stands first in its part and is divided if it does not fit.
struct Division {
  std::size_t index = 0;
  Policy policy;                       // as its pieces tell it
  std::size_t caps_used = 0;           // how many of kPolicyCaps were tried
  std::uint64_t begin = 0;             // the first detail that no part has
  bool begun = false;                  // some part has a piece
  std::uint64_t failures_left = 0;     // of those that the details account for
  std::uint64_t failures_without = 0;  // those that no detail accounts for

  std::uint64_t failures_of(std::uint64_t covered) const {
    return std::min(failures_left, covered) + (begun ? 0 : failures_without);
  }
};

class Splitter {
 public:
  Splitter(CountsSource& source, const SplitRules& rules,
           const std::function<Result<void>(ReportPart&&)>& take)
      : source_(source),
        rules_(rules),
        take_(take),
        headings_(source.policies()),
        order_(source),
        filler_(work_) {}

  Result<int> run();
  std::uint64_t work() const { return work_; }

 private:
  using Heading = CountsSource::Heading;

  int number() const { return rules_.first_part + parts_; }
  std::optional<std::size_t> room() const { return room_for(rules_, number()); }
  std::string compressed(std::string_view text);
  // The next part with this one policy.
  std::string lone(std::string_view opening, std::string_view details);
  Result<void> hand_over(std::string gz);
  void tell(std::uint64_t successful, std::uint64_t failed);
  Error too_small();

  Result<bool> as_one();

  Result<void> make_part();
  Result<bool> begin_division(std::size_t index);
  bool shorten_policy(Division& division);
  // False: the part was handed over, or has to be begun anew.
  Result<bool> first_piece();
  Result<bool> end_piece(bool ended, std::uint64_t taken, std::uint64_t covered);
  Result<bool> rescued(std::uint64_t taken);
  Result<void> lone_detail();

  Result<void> fill_up();
  Result<bool> add_policy(std::size_t index, std::size_t before);
  Result<bool> add_small();

  CountsSource& source_;
  const SplitRules& rules_;
  const std::function<Result<void>(ReportPart&&)>& take_;
  const std::vector<Heading>& headings_;
  std::uint64_t work_ = 0;
  std::uint64_t lost_ = 0;  // of it, to policies that did not fit
  PackingOrder order_;
  PartFiller filler_;
  int parts_ = 0;
  std::optional<Division> division_;

  // The part that is being made.
  std::size_t room_ = 0;
  bool has_policy_ = false;
  std::uint64_t first_failed_ = 0;  // of its first policy, told last
  std::uint64_t successful_ = 0;
  std::uint64_t failed_ = 0;
};

std::string Splitter::compressed(std::string_view text) {
  work_ += text.size();
  return gzip(text);
}

std::string Splitter::lone(std::string_view opening, std::string_view details) {
  auto text = open_report(rules_.head(number()));
  text.append(opening).append(details).append(kCloseBoth);
  return compressed(text);
}

Result<void> Splitter::hand_over(std::string gz) {
  ReportPart part{number(), std::move(gz), successful_, failed_};
  ++parts_;
  return take_(std::move(part));
}

void Splitter::tell(std::uint64_t successful, std::uint64_t failed) {
  successful_ += successful;
  failed_ += failed;
  has_policy_ = true;
}

Error Splitter::too_small() {
  const auto least = smallest_limit(source_, rules_);
  if (!least) return least.error();
  return Error{Fault::kConfig, "a maxReportSize of " + std::to_string(rules_.limit_bytes) +
                                   " bytes is too small for this report; it needs at least " +
                                   std::to_string(*least)};
}

Result<int> Splitter::run() {
  const auto done = as_one();
  if (!done) return done.error();
  if (*done) return parts_;
  const auto first_room = room();
  if (headings_.empty() || !first_room) return too_small();
  const auto sorted = order_.sort(*first_room, work_);
  if (!sorted) return sorted.error();
  while (division_ || !order_.empty()) {
    const auto made = make_part();
    if (!made) return made.error();
  }
  return parts_;
}

// True if the one part is handed over.
Result<bool> Splitter::as_one() {
  const auto head = open_report(rules_.head(number()));
  Result<std::optional<std::string>> gz = std::optional<std::string>();
  if (rules_.surely_fits > 0) gz = whole_report(source_, head, rules_.surely_fits, work_);
  if (gz && !*gz) {
    const auto most = room();
    if (!most) return false;
    gz = whole_report(source_, head, *most, work_);
  }
  if (!gz) return std::move(gz).error();
  if (!*gz) return false;
  for (const auto& heading : headings_) tell(heading.successful, heading.failed);
  const auto taken = hand_over(**std::move(gz));
  if (!taken) return taken.error();
  return true;
}

Result<void> Splitter::make_part() {
  const auto most = room();
  if (!most) return too_small();
  room_ = *most;
  has_policy_ = false;
  successful_ = 0;
  failed_ = 0;
  first_failed_ = 0;
  if (!division_) {
    if (const auto largest = order_.take_largest()) {
      const auto begun = begin_division(*largest);
      if (!begun) return begun.error();
      if (!*begun) return too_small();
    }
  }
  if (division_) {
    const auto goes_on = first_piece();
    if (!goes_on) return goes_on.error();
    if (!*goes_on) return {};
  } else {
    filler_.begin(open_report(rules_.head(number())), room_);
  }
  const auto filled = fill_up();
  if (!filled) return filled.error();
  if (!has_policy_) return {};
  return hand_over(filler_.finish(kCloseReport, first_failed_));
}

// False: not even the shortest texts fit.
Result<bool> Splitter::begin_division(std::size_t index) {
  const auto& heading = headings_[index];
  division_ = Division{.index = index, .policy = heading.policy};
  auto& division = *division_;
  division.failures_left = std::min(heading.failed, heading.covered);
  division.failures_without = heading.failed - division.failures_left;

  std::optional<std::string> widest;
  for (;;) {
    const auto opening = open_policy(division.policy, heading.successful, heading.failed);
    const auto size = lone(opening, {}).size();
    if (size <= room_ && (heading.details == 0 || size + kAnyDetail <= room_)) return true;
    if (size <= room_) {
      if (!widest) {
        auto read = widest_detail(source_, index, kDetailCaps.back());
        if (!read) return std::move(read).error();
        widest = *std::move(read);
      }
      if (lone(opening, *widest).size() <= room_) return true;
    }
    if (!shorten_policy(division)) return false;
  }
}

// False: it is as short as can be.
bool Splitter::shorten_policy(Division& division) {
  const auto& whole = headings_[division.index].policy;
  while (division.caps_used < kPolicyCaps.size()) {
    const auto& cap = kPolicyCaps[division.caps_used++];
    auto policy = shortened(whole, cap.lines, cap.bytes);
    if (policy == division.policy) continue;
    division.policy = std::move(policy);
    return true;
  }
  return false;
}

Result<bool> Splitter::first_piece() {
  auto& division = *division_;
  const auto successful = division.begun ? 0 : headings_[division.index].successful;
  filler_.begin(
      open_report(rules_.head(number())) + open_policy_to_failed(division.policy, successful),
      room_);
  filler_.leave_place();
  filler_.add(kAfterFailed);
  std::uint64_t taken = 0;
  std::uint64_t covered = 0;
  bool ended = true;
  bool fits = filler_.fits_with(kCloseBoth);
  if (fits) {
    std::deque<std::uint64_t> counts;  // of the details that are not known to be kept
    std::string text;
    bool any = false;
    const auto sum_up = [&] {
      for (; taken < filler_.taken(); ++taken) {
        covered += counts.front();
        counts.pop_front();
      }
    };
    filler_.begin_run(kCloseBoth);
    const auto read = source_.details(division.index, division.begin, [&](const auto& detail) {
      counts.push_back(detail.count);
      text.assign(any ? "," : "");
      append_detail(text, detail);
      any = true;
      ended = filler_.offer(text);
      sum_up();
      return ended;
    });
    if (!read) return read.error();
    if (ended) ended = filler_.end_run();
    sum_up();
    fits = taken > 0 || ended;
  }
  if (!fits) {
    const auto made = lone_detail();
    if (!made) return made.error();
    return false;
  }
  return end_piece(ended, taken, covered);
}

// The piece has so many details, which is all that were left if the policy has ended with it.
Result<bool> Splitter::end_piece(bool ended, std::uint64_t taken, std::uint64_t covered) {
  auto& division = *division_;
  const auto& heading = headings_[division.index];
  if (!ended) {
    const auto whole = rescued(taken);
    if (!whole) return whole.error();
    if (*whole) return false;
  }
  const auto failed = division.failures_of(covered);
  tell(division.begun ? 0 : heading.successful, failed);
  if (ended) {
    filler_.add(kClosePolicy);
    first_failed_ = failed;
    division_.reset();
    return true;
  }
  division.begin += taken;
  division.begun = true;
  division.failures_left -= std::min(division.failures_left, covered);
  const auto handed = hand_over(filler_.finish(kCloseBoth, failed));
  if (!handed) return handed.error();
  return false;
}

// A policy that misses the limit by little fits when the other compressor makes it smaller. True if
// it did, and is handed over whole.
Result<bool> Splitter::rescued(std::uint64_t taken) {
  const auto& heading = headings_[division_->index];
  if (division_->begun || division_->caps_used > 0) return false;
  // In small parts the frame weighs more than the details, so these tell less.
  const bool near = heading.details - std::min(taken, heading.details) <= heading.details / 9;
  const bool short_one = 4 * taken >= heading.details && roughly_long(heading) < kShortPolicy;
  if (!near && !short_one) return false;
  const auto text = policy_text(source_, division_->index, near ? kLongPolicy : kShortPolicy);
  if (!text) return text.error();
  if (!*text) return false;
  auto gz = compressed(open_report(rules_.head(number())).append(**text).append(kCloseReport));
  if (gz.size() > room_) return false;
  tell(heading.successful, heading.failed);
  division_.reset();
  const auto handed = hand_over(std::move(gz));
  if (!handed) return handed.error();
  return true;
}

// The next detail as a part of its own, which is exact to the byte. If its texts cannot be made
// short enough, those of the policy are made shorter, and no part is made.
Result<void> Splitter::lone_detail() {
  auto& division = *division_;
  const auto& heading = headings_[division.index];
  std::optional<DetailCount> detail;
  const auto read = source_.details(division.index, division.begin, [&](const auto& found) {
    detail = found;
    return false;
  });
  if (!read) return read.error();
  const auto successful = division.begun ? 0 : heading.successful;
  const auto failed = division.failures_of(detail ? detail->count : 0);
  const auto opening = open_policy(division.policy, successful, failed);
  auto gz = lone(opening, detail ? detail_json(*detail) : std::string());
  for (std::size_t i = 0; gz.size() > room_ && detail && i < kDetailCaps.size(); ++i) {
    const DetailCount shorter{shortened(detail->detail, kDetailCaps[i]), detail->count};
    if (shorter != *detail) gz = lone(opening, detail_json(shorter));
  }
  if (gz.size() > room_) {
    if (!shorten_policy(division)) return too_small();
    return {};
  }
  tell(successful, failed);
  division.begun = true;
  if (detail) {
    division.failures_left -= std::min(division.failures_left, detail->count);
    ++division.begin;
  }
  if (!detail || division.begin >= heading.details) division_.reset();
  return hand_over(std::move(gz));
}

Result<void> Splitter::fill_up() {
  int misses = 0;
  for (;;) {
    // Only small ones are left if the part has no policy yet.
    while (has_policy_ && order_.large_left() && misses < kMostMisses) {
      const auto size = filler_.size_with(kCloseReport);
      const auto rest = room_ - std::min(room_, size);
      if (rest <= room_ / kFullShare) return {};
      auto index = order_.take_fitting(kSafeFit * static_cast<double>(rest));
      if (!index && static_cast<double>(lost_) < kMostLost * static_cast<double>(work_)) {
        index = order_.take_fitting(kCloseFit * static_cast<double>(rest));
      }
      if (!index) break;
      const auto added = add_policy(*index, size);
      if (!added) return added.error();
      if (!*added) ++misses;
    }
    const auto more = add_small();
    if (!more) return more.error();
    if (!*more) return {};
  }
}

// False: it did not fit, and the part is as before.
Result<bool> Splitter::add_policy(std::size_t index, std::size_t before) {
  const auto& heading = headings_[index];
  const auto work_before = work_;
  const auto rest = static_cast<double>(room_ - before);
  const auto look_at = static_cast<std::uint64_t>(kForetold * static_cast<double>(heading.details));
  std::uint64_t seen = 0;
  double foretold = rest;  // bytes that it adds, at least
  filler_.begin_all(kCloseReport, before);
  bool fits =
      filler_.offer_all("," + open_policy(heading.policy, heading.successful, heading.failed));
  std::string text;
  const auto visit = [&](const DetailCount& detail) {
    text.assign(seen > 0 ? "," : "");
    append_detail(text, detail);
    fits = filler_.offer_all(text);
    if (++seen == look_at && fits && look_at >= kForetellingDetails) {
      foretold = static_cast<double>(filler_.size_with(kCloseBoth) - before) / kForetold;
      fits = foretold < kHopeless * rest;
    }
    return fits;
  };
  if (fits) {
    const auto read = source_.details(index, 0, visit);
    if (!read) return read.error();
  }
  if (fits) fits = filler_.offer_all(kClosePolicy);
  const auto size = fits ? filler_.size_with(kCloseReport) : 0;
  if (fits && size <= room_) {
    order_.learn(index, static_cast<double>(size) - static_cast<double>(before));
    tell(heading.successful, heading.failed);
    return true;
  }
  filler_.take_back();
  lost_ += work_ - work_before;
  const double share = static_cast<double>(seen) / static_cast<double>(heading.details + 1);
  if (share > kForetold) foretold = std::max(foretold, rest / share);
  order_.put_back(index, 1.02 * foretold);
  return false;
}

// True if it met a large one and the part goes on.
Result<bool> Splitter::add_small() {
  if (order_.small() == nullptr) return false;
  bool too_long = false;
  std::size_t offered = 0;
  filler_.begin_run(kCloseReport);
  for (bool more = true; more && order_.small(offered) != nullptr; ++offered) {
    auto text = policy_text(source_, *order_.small(offered), PackingOrder::kMostSmall);
    if (!text) return std::move(text).error();
    too_long = !*text;
    if (too_long) break;
    if (has_policy_ || offered > 0) (*text)->insert(0, 1, ',');
    more = filler_.offer(**text);
  }
  filler_.end_run();
  for (std::size_t i = 0; i < filler_.taken(); ++i) {
    const auto& heading = headings_[*order_.small(i)];
    tell(heading.successful, heading.failed);
  }
  order_.pass_small(filler_.taken());
  // What does not fit even alone, or is not short, is no small one.
  const bool large = (too_long && filler_.taken() == offered) || !has_policy_;
  if (large) order_.small_is_large(static_cast<double>(PackingOrder::kMostSmall) / 8);
  return large && has_policy_;
}

}  // namespace

Result<int> split_report(CountsSource& source, const SplitRules& rules,
                         const std::function<Result<void>(ReportPart&&)>& take) {
  Splitter splitter(source, rules, take);
  auto parts = splitter.run();
  if (rules.compressed_bytes != nullptr) *rules.compressed_bytes += splitter.work();
  return parts;
}

Result<std::vector<ReportPart>> split_report(const WindowCounts& counts, const SplitRules& rules) {
  MemoryCounts source(counts);
  std::vector<ReportPart> parts;
  const auto split = split_report(source, rules, [&parts](ReportPart&& part) -> Result<void> {
    parts.push_back(std::move(part));
    return {};
  });
  if (!split) return split.error();
  return parts;
}

}  // namespace rapporteur
