#include "aggregate/recorder.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <unordered_set>
#include <utility>

#include "aggregate/accumulator.h"
#include "aggregate/packed_session.h"

namespace rapporteur {

namespace {

// Domains whose place is remembered at once (about 50 bytes each). Beyond it all are forgotten.
constexpr std::size_t kMaxKnownDomains = 300'000;

// How long an answer of `never` is believed without asking the expression again.
constexpr Seconds kNeverFor{300};

constexpr Seconds kLongestWindow{7 * 86'400};

// Another process may close windows and store ids between planning and storing, each time anew.
constexpr int kMaxRounds = 20;

// How many windows' counts exist unpacked at once.
constexpr std::size_t kChunk = 1024;

}  // namespace

// Sessions that say the same, of one tally.
struct Recorder::Line {
  std::uint64_t domain_hash = 0;
  std::string_view packed;
  Time first;
  Time last;
  std::uint64_t sessions = 0;
  std::uint32_t lines = 0;  // of the input, at most UINT32_MAX
  std::uint32_t tally = 0;
};

// Lines of one window.
struct Recorder::Group {
  std::size_t begin = 0;
  std::size_t end = 0;
  Period period;
  std::optional<std::size_t> plan;  // for a window that is to be made
};

// One attempt at a record(): from tallies to a batch.
class Recorder::Placement {
 public:
  Placement(Recorder& recorder, std::span<const Tally* const> tallies, Time now)
      : recorder_(recorder), tallies_(tallies), now_(now), recorded_(tallies.size()) {}

  // Leaves out the ids and keys of `seen`.
  Result<void> place(const std::unordered_set<std::string>& seen,
                     const std::function<void()>& meanwhile) {
    collect(seen);
    std::ranges::sort(lines_, [](const Line& a, const Line& b) {
      return std::tie(a.domain_hash, a.last, a.first) < std::tie(b.domain_hash, b.last, b.first);
    });
    return place_lines(meanwhile);
  }

  CountBatch batch(const std::function<void()>& meanwhile) {
    CountBatch batch;
    batch.now = now_;
    batch.max_details = recorder_.options_.max_details;
    batch.session_ids = ids_;
    batch.counters = counters();
    batch.more = [this, &meanwhile](std::size_t first, std::vector<WindowDelta>& deltas) {
      if (meanwhile) meanwhile();
      const auto end = std::min(first + kChunk, groups_.size());
      for (auto next = first; next < end; ++next) deltas.push_back(delta_of(groups_[next]));
      return end < groups_.size();
    };
    batch.supplement_due = [this](const std::string& domain, Period period) {
      return recorder_.planner_.supplement_due(domain, period, now_);
    };
    batch.late_counters = [this](const std::vector<std::size_t>& late) {
      std::map<std::string, std::uint64_t> counters;
      for (const auto index : late) {
        const auto& group = groups_.at(index);
        for (auto line = group.begin; line < group.end; ++line) {
          counters[tallies_[lines_[line].tally]->source() + ".late"] += lines_[line].lines;
        }
      }
      return counters;
    };
    return batch;
  }

  void forget(const std::vector<std::size_t>& groups) {
    for (const auto index : groups) {
      recorder_.known_.erase(lines_[groups_.at(index).begin].domain_hash);
    }
  }

  // The store has taken it, now or, if it is `repeated`, before: then the windows that it would
  // have made were not made now.
  std::vector<Recorded> finish(bool repeated) {
    for (const auto& group : groups_) {
      if (group.plan && !repeated) recorder_.know(lines_[group.begin].domain_hash, {group.period});
    }
    return std::move(recorded_);
  }

 private:
  void collect(const std::unordered_set<std::string>& seen) {
    std::unordered_set<std::string_view> ids;
    for (std::size_t index = 0; index < tallies_.size(); ++index) {
      const auto& tally = *tallies_[index];
      if (!tally.key().empty()) {
        const auto key = "tally:" + tally.key();
        if (seen.contains(key) || !keys_.insert(key).second) {
          recorded_[index].repeated = true;
          continue;
        }
        ids_.push_back(key);
      }
      tally.for_each([&](const Tally::Entry& entry) {
        if (!entry.id.empty()) {
          std::string id(entry.id);
          if (seen.contains(id) || !ids.insert(entry.id).second) {
            ++recorded_[index].duplicates;
            return;
          }
          ids_.push_back(std::move(id));
        }
        add_line(entry, static_cast<std::uint32_t>(index));
      });
    }
  }

  void add_line(const Tally::Entry& entry, std::uint32_t tally) {
    Line line{fast_hash64(PackedSession(entry.packed).domain()),
              entry.packed,
              entry.first,
              entry.last,
              entry.count,
              static_cast<std::uint32_t>(
                  entry.summed ? std::min<std::uint64_t>(entry.count, UINT32_MAX) : 1),
              tally};
    // What was counted before the clock was set came now, unless it says another time.
    const bool ahead = entry.last > now_ + kFutureTolerance;
    if (entry.unchecked && (entry.arrived || ahead)) line.first = line.last = now_;
    lines_.push_back(line);
  }

  // Domain by domain. The store is asked about the unknown ones, many at once.
  Result<void> place_lines(const std::function<void()>& meanwhile) {
    std::vector<DomainLines> unknown;
    std::vector<std::string> names;
    const auto oldest = oldest_window();
    for (std::size_t begin = 0; begin < lines_.size();) {
      const auto domain = domain_at(begin);
      begin = domain.end;
      if (domain.known) {
        place_known(domain);
      } else {
        unknown.push_back(domain);
        names.emplace_back(PackedSession(lines_[domain.begin].packed).domain());
      }
      if (unknown.size() < kChunk && (begin < lines_.size() || unknown.empty())) continue;
      if (meanwhile) meanwhile();
      const auto places = recorder_.store_.places(names, oldest, now_);
      if (!places) return places.error();
      for (std::size_t i = 0; i < unknown.size(); ++i) {
        place_domain(unknown[i], names[i], places->at(i));
      }
      unknown.clear();
      names.clear();
    }
    return {};
  }

  // Consecutive lines of one domain, in the order of their time.
  struct DomainLines {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool known = true;           // the place of each is
    bool brings_record = false;  // a session saw the domain's TLSRPT record
  };

  DomainLines domain_at(std::size_t begin) const {
    const auto hash = lines_[begin].domain_hash;
    DomainLines domain{begin, begin};
    for (; domain.end < lines_.size() && lines_[domain.end].domain_hash == hash; ++domain.end) {
      const auto& line = lines_[domain.end];
      const bool record = !PackedSession(line.packed).tlsrpt_record().empty();
      domain.brings_record = domain.brings_record || record;
      const auto* known = recorder_.known_place(hash, line.first, line.last, now_);
      // A domain that was silent may have published a record since.
      domain.known = domain.known && known != nullptr &&
                     !(known->use == Known::Use::kSilent && domain.brings_record);
    }
    return domain;
  }

  void place_known(const DomainLines& domain) {
    for (auto line = domain.begin; line < domain.end; ++line) {
      const auto& at = lines_[line];
      add_to_group(line, *recorder_.known_place(at.domain_hash, at.first, at.last, now_),
                   std::nullopt);
    }
  }

  // Divides the lines of a domain among its windows.
  void place_domain(const DomainLines& lines, const std::string& domain,
                    const DomainPlaces& places) {
    std::vector<std::size_t> planned;
    for (auto line = lines.begin; line < lines.end; ++line) {
      place_line(line, domain, places, lines.brings_record, planned);
    }
  }

  // Since when windows can have to do with the lines. What has waited for the store is older than
  // what intake takes.
  Time oldest_window() const {
    const auto& options = recorder_.options_;
    if (options.from_file) return Time{};
    auto oldest = now_ - options.max_age;
    for (const auto& line : lines_) oldest = std::min(oldest, line.first);
    return oldest - kLongestWindow;
  }

  void place_line(std::size_t line, const std::string& domain, const DomainPlaces& places,
                  bool brings_record, std::vector<std::size_t>& planned) {
    const auto time = lines_[line].last;
    const auto hash = lines_[line].domain_hash;
    for (const auto plan : planned) {
      if (plans_[plan].period.covers(time)) return add_to_group(line, {plans_[plan].period}, plan);
    }
    const auto covering = std::ranges::find_if(
        places.periods, [&](const Period& period) { return period.covers(time); });
    if (covering != places.periods.end()) {
      recorder_.know(hash, {*covering});
      return add_to_group(line, {*covering}, std::nullopt);
    }
    if (places.silent_until && !brings_record) {
      const Known silent{{now_, *places.silent_until}, Known::Use::kSilent};
      recorder_.know(hash, silent);
      return add_to_group(line, silent, std::nullopt);
    }
    auto periods = places.periods;
    for (const auto plan : planned) periods.push_back(plans_[plan].period);
    auto plan = recorder_.planner_.plan(domain, time, periods, now_);
    if (plan.frequency == Frequency::kNever) {
      const Known never{{now_, now_ + kNeverFor}, Known::Use::kNever};
      recorder_.know(hash, never);
      return add_to_group(line, never, std::nullopt);
    }
    planned.push_back(plans_.size());
    plans_.push_back(std::move(plan));
    add_to_group(line, {plans_.back().period}, planned.back());
  }

  void add_to_group(std::size_t line, const Known& place, std::optional<std::size_t> plan) {
    auto& recorded = recorded_[lines_[line].tally];
    if (place.use == Known::Use::kNever) {
      recorded.never += lines_[line].lines;
      return;
    }
    if (place.use == Known::Use::kSilent) {
      recorded.silent += lines_[line].lines;
      return;
    }
    const bool same = !groups_.empty() && groups_.back().end == line &&
                      groups_.back().period == place.period &&
                      lines_[groups_.back().begin].domain_hash == lines_[line].domain_hash;
    if (same) {
      ++groups_.back().end;
    } else {
      groups_.push_back({line, line + 1, place.period, plan});
    }
  }

  // Where a border of windows runs through the short time of a line that carries none, it follows
  // its newest session.
  WindowDelta delta_of(const Group& group) {
    Accumulator counts;
    WindowDelta delta;
    delta.period = group.period;
    delta.first = group.period.end;
    delta.last = group.period.start;
    for (auto at = group.begin; at < group.end; ++at) {
      const auto& line = lines_[at];
      counts.add(line.packed, line.sessions, recorder_.options_.max_details);
      delta.first = std::min(delta.first, std::max(line.first, group.period.start));
      delta.last = std::max(delta.last, line.last);
      const auto record = PackedSession(line.packed).tlsrpt_record();
      if (!record.empty()) delta.tlsrpt_record = record;
    }
    delta.domain = PackedSession(lines_[group.begin].packed).domain();
    delta.counts = counts.counts();
    delta.send_old = recorder_.options_.send_old;
    if (group.plan) {
      const auto& plan = plans_[*group.plan];
      delta.frequency = plan.frequency;
      delta.due = plan.due;
      delta.state = plan.state;
      delta.reason = plan.reason;
      delta.lookup = plan.lookup;
    }
    hold_if_old(delta);
    return delta;
  }

  void hold_if_old(WindowDelta& delta) const {
    const auto& options = recorder_.options_;
    const bool old = delta.period.end + options.max_age < now_;
    if (!options.from_file || options.send_old || !old) return;
    if (delta.state != WindowState::kCollecting) return;
    delta.state = WindowState::kHeld;
    delta.reason = "made from a file after its time; release it to send it";
  }

  std::map<std::string, std::uint64_t> counters() const {
    std::map<std::string, std::uint64_t> all;
    for (std::size_t index = 0; index < tallies_.size(); ++index) {
      const auto source = tallies_[index]->source() + '.';
      if (recorded_[index].repeated) {
        ++all[source + "ignored.repeated-request"];
        continue;
      }
      auto counters = tallies_[index]->counters();
      const auto move = [&counters](std::uint64_t lines, const char* to) {
        if (lines == 0) return;
        auto& accepted = counters["accepted"];
        const auto moved = std::min(accepted, lines);
        accepted -= moved;
        counters[to] += moved;
      };
      move(recorded_[index].duplicates, "ignored.duplicate");
      move(recorded_[index].never, "ignored.never");
      move(recorded_[index].silent, "ignored.no-tlsrpt-record");
      for (const auto& [name, count] : counters) {
        if (count > 0) all[source + name] += count;
      }
    }
    return all;
  }

  Recorder& recorder_;
  std::span<const Tally* const> tallies_;
  Time now_;
  std::vector<Recorded> recorded_;
  std::vector<Line> lines_;
  std::vector<Group> groups_;
  std::vector<WindowPlan> plans_;
  std::vector<std::string> ids_;
  std::unordered_set<std::string> keys_;
};

Recorder::Recorder(Store& store, WindowPlanner& planner, const Clock& clock,
                   RecorderOptions options)
    : store_(store), planner_(planner), clock_(clock), options_(options) {}

const Recorder::Known* Recorder::known_place(std::uint64_t domain_hash, Time first, Time last,
                                             Time now) const {
  const auto found = known_.find(domain_hash);
  if (found == known_.end()) return nullptr;
  const auto& known = found->second;
  const bool holds = known.use == Known::Use::kWindow
                         ? known.period.covers(first) && known.period.covers(last)
                         : known.period.covers(now);
  return holds ? &known : nullptr;
}

void Recorder::know(std::uint64_t domain_hash, const Known& known) {
  if (known_.size() >= kMaxKnownDomains) known_.clear();
  known_[domain_hash] = known;
}

Result<std::vector<Recorded>> Recorder::record(std::span<const Tally* const> tallies,
                                               const RecordWith& with) {
  const auto now = clock_.now();
  if (now < kEarliestNow) {
    return Error{Fault::kTransient, "the clock is not set: it shows " + format_rfc3339(now)};
  }
  std::unordered_set<std::string> seen;
  for (int round = 0; round < kMaxRounds; ++round) {
    Placement placement(*this, tallies, now);
    auto placed = placement.place(seen, with.meanwhile);
    if (!placed) return std::move(placed).error();
    auto batch = placement.batch(with.meanwhile);
    batch.file = with.file;
    batch.journalled = with.journalled;
    batch.flush = with.flush;
    const auto flushed = store_.add(batch);
    if (!flushed) return flushed.error();
    if (flushed->stored()) return placement.finish(flushed->repeated);
    seen.insert(flushed->seen.begin(), flushed->seen.end());
    placement.forget(flushed->misplaced);
  }
  return Error{Fault::kTransient, "windows kept changing while counts were to be stored"};
}

}  // namespace rapporteur
