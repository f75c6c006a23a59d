// The clock of the machine is wrong for two hours, or the machine sleeps, at any reading of the
// clock: afterwards everything is reported once, and nothing waits for a time that was never right.

#include <gmock/gmock.h>

#include "faults/stages.h"

namespace rapporteur {
namespace {

using namespace testing_support;

const std::vector<Jump>& jumps() {
  static const std::vector<Jump> kJumps = {
      {.name = "an hour back", .to = {}, .by = -1h, .lasts = 2h, .sleeps = false},
      {.name = "ten days ahead", .to = {}, .by = 10 * 24h, .lasts = 2h, .sleeps = false},
      {.name = "no clock at all",
       .to = at("1970-01-01T00:00:10Z"),
       .by = 0s,
       .lasts = 2h,
       .sleeps = false},
      {.name = "a sleep of three days", .to = {}, .by = 3 * 24h, .lasts = 0s, .sleeps = true}};
  return kJumps;
}

// Windows that are not over yet wait for their end; of the others, none does anything any more.
void check_that_nothing_waits(World& world, Breaches& breaches) {
  for (const auto& window : said(world.observer->windows({.domain = {}, .limit = 1000}))) {
    const auto state = window.state;
    if (state == WindowState::kDone || state == WindowState::kSuppressed) continue;
    if (window.period.end + 5h > world.clock.right()) continue;
    breaches.push_back("window " + name_of(window) + " waits as " + std::string(to_string(state)) +
                       " " + window.reason);
    for (const auto& delivery : said(world.observer->deliveries({.id = {}, .limit = 1000}))) {
      if (!delivery.next_attempt) continue;
      breaches.push_back(delivery.destination + " waits until " +
                         format_rfc3339(*delivery.next_attempt));
    }
  }
}

// What was held because it came from a file, and seemed to be old, is released by the
// administrator.
void release_held(World& world) {
  for (const auto& window :
       said(world.observer->windows({.domain = {}, .state = WindowState::kHeld}))) {
    ASSERT_TRUE(said(world.observer->release(window.id, world.clock.right())));
  }
}

// A listener refuses what seems to be too old to it: that many sessions may be missing.
void forgive_refused(World& world, Breaches& breaches) {
  auto counters = said(world.observer->counters());
  auto forgiven = counters["datagram.rejected.too-old"];
  std::erase_if(breaches, [&](const std::string& breach) {
    return breach.ends_with(" was not reported") && forgiven > 0 && forgiven-- > 0;
  });
}

void check_periods(World& world, Breaches& breaches) {
  for (const auto& entry : said(world.observer->reports({}, 1000))) {
    if (entry.window.period.start >= kMorning - 10 * 24h) continue;
    breaches.push_back("a report about " + format_rfc3339(entry.window.period.start));
  }
}

Breaches run_with_jump(const Scenario& scenario, const std::shared_ptr<const Config>& config,
                       std::size_t index, const Jump& jump) {
  World world(config, kMorning, scenario.threads, scenario.few_entries);
  world.clock.jump = jump;
  world.longest_step = 3h;
  world.points.plan({Seam::kClock, index, Trouble::kJumps});
  scenario.play(world);
  world.pass_to_rest(world.clock.right() + kLongestEnd);
  if (const auto righted = world.clock.righted_at()) world.pass_to(*righted);
  release_held(world);
  Breaches breaches;
  world.pass_to_rest(world.clock.right() + kLongestEnd);
  check_that_nothing_waits(world, breaches);
  world.pass_to_rest(world.clock.right() + 12 * 24h);
  std::ranges::copy(breaches_in(world), std::back_inserter(breaches));
  forgive_refused(world, breaches);
  check_periods(world, breaches);
  return breaches;
}

void expect_no_breach_by_jumps(const Scenario& scenario, std::size_t least) {
  const auto config = config_of(scenario.config);
  const auto plain = run(scenario, config, std::nullopt);
  ASSERT_THAT(plain.breaches, testing::IsEmpty()) << scenario.name << plain.log;
  const auto readings = plain.visited.at(static_cast<std::size_t>(Seam::kClock)).size();
  std::size_t covered = 0;
  for (const auto& jump : jumps()) {
    for (std::size_t index = 0; index < readings; index += 2 * kStride) {
      ++covered;
      ASSERT_THAT(run_with_jump(scenario, config, index, jump), testing::IsEmpty())
          << scenario.name << ": " << jump.name << " at reading " << index;
    }
  }
  std::cout << "[ faults   ] " << scenario.name << ": clock jumps " << covered << "\n";
  EXPECT_GE(covered, least / kStride);
}

TEST(ClockJumps, DoNotDisturbIntake) {
  expect_no_breach_by_jumps(intake_scenario(), 100);
}

TEST(ClockJumps, DoNotDisturbTheJournal) {
  expect_no_breach_by_jumps(journal_scenario(), 100);
}
TEST(ClockJumps, DoNotDisturbAFile) {
  expect_no_breach_by_jumps(file_scenario(), 100);
}
TEST(ClockJumps, DoNotDisturbAssembly) {
  expect_no_breach_by_jumps(assembly_scenario(), 100);
}
TEST(ClockJumps, DoNotDisturbSupplements) {
  expect_no_breach_by_jumps(supplement_scenario(), 100);
}
TEST(ClockJumps, DoNotDisturbDeliveries) {
  expect_no_breach_by_jumps(refusal_scenario(), 100);
}

}  // namespace
}  // namespace rapporteur
