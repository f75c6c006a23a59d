#include "daemon/health.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/time.h"
#include "daemon/http_json.h"

namespace rapporteur {

namespace {

using std::chrono::seconds;

struct LoopRules {
  std::string_view name;
  // A call of the store waits ten seconds for another process's lock, and a round makes several.
  // Whatever is broken inside shows as an error and the loop goes on, so that only what truly
  // hangs comes near these.
  seconds limit;
};

constexpr std::array<LoopRules, kLoopCount> kLoops = {{
    {"intake", seconds(120)},
    {"recording", seconds(120)},
    // The lookups of a page of windows, or the largest report there is, take minutes.
    {"schedule", seconds(900)},
    // Each of a round's outcomes and notices is a transaction of its own.
    {"delivery", seconds(300)},
}};

struct ProblemRules {
  std::string_view name;
  bool keeps_from_ready;
};

constexpr std::array<ProblemRules, kProblemCount> kProblems = {{
    {"stopping", true},
    {"store-read", true},
    {"flush", true},
    {"intake-full", true},
    {"listener", true},
    {"store-schedule", true},
    {"store-delivery", true},
    {"resolver", false},
    {"relay", false},
    {"delivery-options", false},
    {"bounces", false},
    {"received-posts", false},
    {"received-mail", false},
    {"configuration", false},
    {"disk", false},
    {"spill", false},
    {"paused", false},
}};

seconds since(Health::Instant begin, Health::Instant now) {
  return std::max(std::chrono::floor<seconds>(now - begin), seconds(0));
}

}  // namespace

std::string_view to_string(Loop loop) {
  return kLoops.at(static_cast<std::size_t>(loop)).name;
}

std::string_view to_string(Problem problem) {
  return kProblems.at(static_cast<std::size_t>(problem)).name;
}

bool keeps_from_ready(Problem problem) {
  return kProblems.at(static_cast<std::size_t>(problem)).keeps_from_ready;
}

void Health::started(Loop loop, Instant now) {
  beat(loop, now);
}

void Health::beat(Loop loop, Instant now) {
  beats_.at(static_cast<std::size_t>(loop))
      .store(std::max<Instant::rep>(now.time_since_epoch().count(), 1), std::memory_order_relaxed);
}

void Health::ended(Loop loop) {
  beats_.at(static_cast<std::size_t>(loop)).store(0, std::memory_order_relaxed);
}

void Health::set_problem(Problem problem, std::string text, Instant now) {
  const std::lock_guard lock(mutex_);
  auto& entry = problems_.at(static_cast<std::size_t>(problem));
  if (entry) {
    entry->text = std::move(text);
  } else {
    entry = Entry{std::move(text), now};
  }
}

void Health::clear_problem(Problem problem) {
  const std::lock_guard lock(mutex_);
  problems_.at(static_cast<std::size_t>(problem)).reset();
}

void Health::tell(Problem problem, std::string text, Instant now) {
  if (text.empty()) {
    clear_problem(problem);
  } else {
    set_problem(problem, std::move(text), now);
  }
}

std::vector<Health::Trouble> Health::problems() const {
  const std::lock_guard lock(mutex_);
  std::vector<Trouble> found;
  for (std::size_t i = 0; i < problems_.size(); ++i) {
    const auto& entry = problems_.at(i);
    if (entry) found.push_back({static_cast<Problem>(i), entry->text, entry->since});
  }
  return found;
}

std::vector<std::pair<Loop, seconds>> Health::stuck(Instant now) const {
  std::vector<std::pair<Loop, seconds>> found;
  for (std::size_t i = 0; i < beats_.size(); ++i) {
    const auto beat = beats_.at(i).load(std::memory_order_relaxed);
    if (beat == 0) continue;
    const auto silent = since(Instant(Instant::duration(beat)), now);
    if (silent > kLoops.at(i).limit) found.emplace_back(static_cast<Loop>(i), silent);
  }
  return found;
}

HealthAnswer Health::alive(Instant now) const {
  const auto silent = stuck(now);
  HealthAnswer answer{.good = silent.empty(), .text = silent.empty() ? "ok\n" : "not alive\n"};
  std::string list;
  for (const auto& [loop, time] : silent) {
    const auto name = std::string(to_string(loop));
    const auto count = std::to_string(time.count());
    answer.text += "thread " + name + ": no sign of life for " + format_duration(time) + "\n";
    if (!list.empty()) list += ", ";
    list += "{\"thread\": " + json_text(name) + ", \"silent-seconds\": " + count + "}";
  }
  answer.json = std::string("{\"alive\": ") + (answer.good ? "true" : "false") + ", \"stuck\": [" +
                list + "]}\n";
  return answer;
}

HealthAnswer Health::ready(Instant now) const {
  const auto troubles = problems();
  HealthAnswer answer;
  answer.good = std::ranges::none_of(
      troubles, [](const Trouble& trouble) { return keeps_from_ready(trouble.problem); });
  answer.text = answer.good ? "ready\n" : "not ready\n";
  std::string list;
  for (const auto& trouble : troubles) {
    const auto name = to_string(trouble.problem);
    const bool blocking = keeps_from_ready(trouble.problem);
    const auto time = since(trouble.since, now);
    const auto text = without_controls(to_valid_utf8(trouble.text));
    answer.text += std::string(name) + (blocking ? "" : " (remark)") + ": " + text + " (for " +
                   format_duration(time) + ")\n";
    if (!list.empty()) list += ", ";
    list += "{\"problem\": " + json_text(name) +
            ", \"keeps-from-ready\": " + (blocking ? "true" : "false") +
            ", \"text\": " + json_text(text) + ", \"seconds\": " + std::to_string(time.count()) +
            "}";
  }
  answer.json = std::string("{\"ready\": ") + (answer.good ? "true" : "false") +
                ", \"problems\": [" + list + "]}\n";
  return answer;
}

}  // namespace rapporteur
