#include "received/summary.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "received/report_reader.h"

namespace rapporteur {

namespace {

using namespace std::chrono_literals;

// What a line of a terminal can show beside its words.
constexpr std::int64_t kMostSteps = 62;

Seconds step_of(Seconds length) {
  const auto days = std::max<std::int64_t>(1, (length + 24h - 1s) / Seconds(24h));
  return Seconds(24h) * ((days + kMostSteps - 1) / kMostSteps);
}

void add(SessionSums& sums, const PolicyTally& tally) {
  sums.successful = add_counts(sums.successful, tally.successful);
  sums.failed = add_counts(sums.failed, tally.failed);
}

// Sums by name that are found without making a text of the name first.
using Named = std::unordered_map<std::string, ComparedSums, TextHash, std::equal_to<>>;

std::map<std::string, ComparedSums> sorted(Named named) {
  std::map<std::string, ComparedSums> result;
  for (auto& [name, sums] : named) result.emplace(name, sums);
  return result;
}

// Adds up the rows as they come.
class Adder {
 public:
  explicit Adder(const SummaryRequest& request) : request_(request) {
    summary_.since = request.since;
    summary_.until = request.until;
    summary_.step = step_of(request.until - request.since);
    const auto steps = (request.until - request.since + summary_.step - 1s) / summary_.step;
    summary_.steps.resize(static_cast<std::size_t>(std::max<std::int64_t>(steps, 1)));
  }

  void take(const PolicyRow& row) {
    const bool now = row.start >= request_.since;
    const bool first = reports_.insert(row.number).second;
    if (!request_.counted.contains(row.trust)) {
      if (now && first) ++summary_.left_out[row.trust];
      return;
    }
    auto& organization = organizations_[row.organization];
    for (auto* sums : {&summary_.total, &organization, &domains_[row.tally.domain]}) {
      add(now ? sums->now : sums->before, row.tally);
    }
    if (first) {
      for (auto* sums : {&summary_.total, &organization}) {
        ++(now ? sums->reports : sums->reports_before);
      }
    }
    // A domain has several rows of a report if it has several types of policies.
    if (seen_domains_.insert(row.tally.domain + '\n' + std::to_string(row.number)).second) {
      auto& sums = domains_[row.tally.domain];
      ++(now ? sums.reports : sums.reports_before);
    }
    if (now)
      add(summary_.steps[static_cast<std::size_t>((row.start - request_.since) / summary_.step)],
          row.tally);
  }

  void take(const FailureRow& row) {
    if (!request_.counted.contains(row.trust)) return;
    auto& sums = summary_.failures[{row.tally.result_type, row.tally.mx}];
    if (row.start < request_.since) {
      sums.before = add_counts(sums.before, row.tally.sessions);
      return;
    }
    sums.now = add_counts(sums.now, row.tally.sessions);
    sums.organizations.insert(row.organization);
    sums.domains.insert(row.tally.domain);
  }

  ReceivedSummary finish() {
    summary_.domains = sorted(std::move(domains_));
    summary_.organizations = sorted(std::move(organizations_));
    return std::move(summary_);
  }

 private:
  const SummaryRequest& request_;
  ReceivedSummary summary_;
  Named domains_;
  Named organizations_;
  std::unordered_set<std::int64_t> reports_;
  std::unordered_set<std::string> seen_domains_;
};

}  // namespace

Result<ReceivedSummary> summarise(Store& store, const SummaryRequest& request) {
  Adder adder(request);
  const auto from = request.since - (request.until - request.since);
  const auto policies = store.received_policies(request.domain, from, request.until,
                                                [&](const PolicyRow& row) { adder.take(row); });
  if (!policies) return policies.error();
  const auto failures = store.received_failures(request.domain, from, request.until,
                                                [&](const FailureRow& row) { adder.take(row); });
  if (!failures) return failures.error();
  return adder.finish();
}

Result<std::vector<StoppedReporter>> find_stopped(Store& store, const std::string& domain,
                                                  const std::set<Trust>& counted, Time since,
                                                  Time now) {
  std::map<std::string, std::set<std::chrono::sys_days>> days;
  const auto read = store.received_policies(
      domain, since - kDailyDays * 24h, now + 24h, [&](const PolicyRow& row) {
        if (!counted.contains(row.trust)) return;
        days[row.organization].insert(std::chrono::floor<std::chrono::days>(row.start));
      });
  if (!read) return read.error();
  std::vector<StoppedReporter> stopped;
  for (const auto& [organization, reported] : days) {
    const auto last = *reported.rbegin();
    const auto first = last - std::chrono::days(kDailyDays - 1);
    const auto count =
        static_cast<std::size_t>(std::distance(reported.lower_bound(first), reported.end()));
    if (count < kDailyLeast || now - Time(last) <= kMissedAfter || Time(last) < since) continue;
    stopped.push_back({organization, Time(last)});
  }
  std::ranges::stable_sort(stopped, std::ranges::greater(), &StoppedReporter::last);
  return stopped;
}

}  // namespace rapporteur
