#pragma once
// Received reports added up over time: by policy domain, by organisation, by kind of failure, and
// by day, each with what it was in the period before. Pure but for the reading from the store.

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/received.h"
#include "store/store.h"

namespace rapporteur {

struct SummaryRequest {
  std::string domain;  // policy domain, exact or glob; empty: all
  Time since;          // of the beginnings of the reports' periods
  Time until;          // after `since`
  std::set<Trust> counted;
};

struct SessionSums {
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;

  std::uint64_t all() const { return successful + failed; }
};

// Something in the period, and in the one of the same length before it.
struct ComparedSums {
  SessionSums now;
  SessionSums before;
  std::size_t reports = 0;
  std::size_t reports_before = 0;
};

struct FailureKind {
  std::string result_type;
  std::string mx;  // empty: not told

  friend auto operator<=>(const FailureKind&, const FailureKind&) = default;
};

struct FailureSums {
  std::uint64_t now = 0;
  std::uint64_t before = 0;
  std::set<std::string> organizations;  // that told of it in the period
  std::set<std::string> domains;
};

struct ReceivedSummary {
  Time since;
  Time until;
  ComparedSums total;
  std::map<std::string, ComparedSums> domains;
  std::map<std::string, ComparedSums> organizations;
  std::map<FailureKind, FailureSums> failures;
  Seconds step{0};                 // of `steps`: a day, or whole days
  std::vector<SessionSums> steps;  // from `since` on; the last may be shorter
  // Reports of the period whose class is not counted, by class; none of zero.
  std::map<Trust, std::size_t> left_out;

  Time before() const { return since - (until - since); }
};

// Fails as the store does.
Result<ReceivedSummary> summarise(Store& store, const SummaryRequest& request);

// An organisation that sent reports about a domain daily, and does so no longer.
struct StoppedReporter {
  std::string organization;
  Time last;  // when the period of its last report began
};

// Daily is a report on at least kDailyLeast of the kDailyDays up to the last one. It has stopped if
// its last period began more than kMissedAfter ago: a day, one more for the report to come, and one
// to be sure. Those whose last period began before `since` are not told. By the last report, newest
// first. Fails as the store does.
constexpr int kDailyDays = 10;
constexpr std::size_t kDailyLeast = 7;
constexpr Seconds kMissedAfter = std::chrono::hours(72);
Result<std::vector<StoppedReporter>> find_stopped(Store& store, const std::string& domain,
                                                  const std::set<Trust>& counted, Time since,
                                                  Time now);

}  // namespace rapporteur
