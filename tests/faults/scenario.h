#pragma once
// A scenario, and how it is run: once to count its fault points, then once for each of them.

#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "faults/invariants.h"
#include "faults/world.h"

namespace rapporteur::testing_support {

inline const Time kMorning = at("2026-11-20T09:00:00Z");

// The record of `domain` sends its reports there.
inline void publish(World& world, const std::string& domain, const std::string& rua) {
  world.table.say("_smtp._tls." + domain, {"v=TLSRPTv1; rua=" + rua});
}

// libtlsrpt datagrams: a session that succeeded under a policy of its own, and one that failed for
// a reason of its own. The reason is long and does not compress if it is to.
inline void take_success(World& world, const std::string& domain, int number) {
  const auto marker = "ok" + std::to_string(number) + ".example";
  world.take(marker, R"({"dpv":"1","d":")" + domain +
                         R"(","pr":"v=TLSRPTv1; rua=mailto:t@x.example",)" +
                         R"("policies":[{"policy-type":1,"policy-domain":")" + marker +
                         R"(","t":0,"f":0}]})");
}
inline void take_failure(World& world, const std::string& domain, const std::string& reason) {
  world.take(reason,
             R"({"dpv":"1","d":")" + domain + R"(","pr":"v=TLSRPTv1; rua=mailto:t@x.example",)" +
                 R"("policies":[{"policy-type":9,"policy-domain":")" + domain +
                 R"(","failure-details":[{"c":205,"f":")" + reason + R"("}],"t":1,"f":1}]})");
}
// A session in the native form: with its time, and an id if it is not empty.
inline std::string native(const std::string& domain, const std::string& marker, Time time,
                          const std::string& id = {}) {
  return R"({"epoch":)" + std::to_string(time.time_since_epoch().count()) +
         R"(,"recipient-domain":")" + domain + (id.empty() ? "" : R"(","id":")" + id) +
         R"(","policies":[{"policy":{"policy-type":"tlsa","policy-domain":")" + marker +
         R"("},"type":1}]})";
}

struct Scenario {
  std::string name;
  std::string config;
  int threads = 1;
  std::size_t few_entries = RecordingOptions().few_entries;  // 0: all counts go through the journal
  // Plays it up to its last event; what follows is brought to rest by the caller.
  std::function<void(World&)> play;
};

struct Outcome {
  Breaches breaches;
  bool reached = true;
  std::array<std::vector<std::string>, kSeams.size()> visited;
  std::size_t accepted = 0;  // submissions
  std::string log;           // its last complaint
};

constexpr Seconds kLongestEnd{30 * 3600};

// Under a sanitizer, where all takes several times as long, every fourth point stands for the rest.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kStride = 4;
#else
constexpr std::size_t kStride = 1;
#endif

inline Outcome run(const Scenario& scenario, const std::shared_ptr<const Config>& config,
                   const std::optional<Plan>& plan) {
  World world(config, kMorning, scenario.threads, scenario.few_entries);
  if (plan) world.points.plan(*plan);
  scenario.play(world);
  world.pass_to_rest(world.clock.right() + kLongestEnd);
  Outcome outcome{breaches_in(world), world.points.reached(), {}, 0, {}};
  for (const auto seam : kSeams) {
    outcome.visited.at(static_cast<std::size_t>(seam)) = world.points.visited(seam);
  }
  outcome.accepted =
      static_cast<std::size_t>(std::ranges::count_if(world.mailbox.attempts(), &Attempt::accepted));
  if (const auto lines = world.log.complaints(); !lines.empty()) {
    outcome.log = testing::PrintToString(lines.back());
  }
  return outcome;
}

// Calls that change nothing: to die before them is to die after them.
inline bool only_reads(const std::string& method) {
  static const std::set<std::string, std::less<>> kReads = {
      "places",   "seen",           "file",         "counters",       "counts", "deliveries",
      "outline",  "read_counts",    "suppressions", "failure_streak", "pause",  "reported_like",
      "dossiers", "due_deliveries", "windows",      "submission"};
  return kReads.contains(method);
}

// What can happen to a call.
inline std::vector<Trouble> troubles_at(Seam seam, const std::string& call) {
  using enum Trouble;
  static const std::set<std::string, std::less<>> kOfOneWindow = {"dossiers", "read_counts",
                                                                  "conclude", "reported_like"};
  if (seam == Seam::kResolver) return {kFails, kIsBroken, kDiesBefore};
  if (seam == Seam::kTransport) return {kFails, kIsBroken, kLosesReply, kDiesBefore, kDiesAfter};
  if (seam == Seam::kClock) return {kDiesBefore};
  std::vector<Trouble> troubles = {kFails, kDiesBefore};
  if (!only_reads(call)) troubles.push_back(kDiesAfter);
  if (kOfOneWindow.contains(call)) troubles.push_back(kIsBroken);
  if (call == "add") troubles.push_back(kLosesReply);
  return troubles;
}

// Runs the scenario with every fault, and tells how many there were. At least `least`, or the
// scenario does not do what it is for.
inline void expect_no_breach(const Scenario& scenario, std::size_t least) {
  const auto config = config_of(scenario.config);
  const auto plain = run(scenario, config, std::nullopt);
  ASSERT_THAT(plain.breaches, testing::IsEmpty())
      << scenario.name << " without a fault: " << plain.log;
  ASSERT_GT(plain.accepted, 0U) << scenario.name << " delivers nothing";
  std::size_t covered = 0;
  std::string counts;
  for (const auto seam : kSeams) {
    const auto& calls = plain.visited.at(static_cast<std::size_t>(seam));
    std::size_t of_seam = 0;
    // Between two readings of the clock there is hardly ever more than one other call.
    const std::size_t step = kStride * (seam == Seam::kClock ? 4 : 1);
    for (std::size_t index = 0; index < calls.size(); index += step) {
      for (const auto trouble : troubles_at(seam, calls[index])) {
        const auto outcome = run(scenario, config, Plan{seam, index, trouble});
        if (outcome.reached) ++of_seam;
        ASSERT_THAT(outcome.breaches, testing::IsEmpty())
            << scenario.name << ": call " << index << " of the " << to_string(seam) << ", "
            << calls[index] << ", " << to_string(trouble);
      }
    }
    covered += of_seam;
    counts += " " + std::string(to_string(seam)) + " " + std::to_string(of_seam);
  }
  std::cout << "[ faults   ] " << scenario.name << ":" << counts << ", in all " << covered << "\n";
  EXPECT_GE(covered, least / kStride);
}

}  // namespace rapporteur::testing_support
