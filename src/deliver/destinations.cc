#include "deliver/destinations.h"

#include <algorithm>
#include <limits>

#include "deliver/retry.h"

namespace rapporteur {

namespace {

constexpr std::string_view kMailto = "mailto:";
constexpr Seconds kMinute = std::chrono::minutes(1);

// Whether the answer means that other deliveries to the host are better not tried either: none at
// all, or one by which the host asks to be left alone.
bool concerns_host(const Reply& reply) {
  constexpr int kTooManyRequests = 429;
  constexpr int kUnavailable = 503;
  const bool failed =
      reply.outcome == Reply::Outcome::kTemporary || reply.outcome == Reply::Outcome::kUncertain;
  return failed &&
         (reply.code == 0 || reply.code == kTooManyRequests || reply.code == kUnavailable);
}

}  // namespace

int Destinations::left_of_rate(const Entry& entry, Time now) const {
  if (limits_.rate <= 0) return std::numeric_limits<int>::max();
  // A start in the future means that the clock was set back: it no longer counts.
  const auto recent = std::count_if(entry.starts.begin(), entry.starts.end(), [&](Time start) {
    return start <= now && now - start < kMinute;
  });
  return std::max(0, limits_.rate - static_cast<int>(recent));
}

void Destinations::set_limits(const DestinationLimits& limits) {
  limits_ = limits;
  for (const auto& entry : entries_) crowded_.insert(entry.first);
}

std::vector<std::string> Destinations::full(Time now) {
  std::erase_if(crowded_, [&](const std::string& key) { return room(key, now) > 0; });
  return {crowded_.begin(), crowded_.end()};
}

Destinations::Answer Destinations::ask(const std::string& key, Time now, bool last_chance) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Answer::kGo;
  const auto& entry = found->second;
  if (entry.failures > 0) {
    if (entry.probing || entry.under_way > 0) {
      crowded_.insert(key);
      return Answer::kWait;
    }
    const bool early = now < entry.probe_at && !is_misplanned(entry.probe_at, now, entry.wait);
    if (early && !last_chance) return Answer::kDown;
  }
  const bool room = entry.under_way < limits_.concurrency && left_of_rate(entry, now) > 0;
  if (!room) crowded_.insert(key);
  return room ? Answer::kGo : Answer::kWait;
}

std::size_t Destinations::room(const std::string& key, Time now) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::numeric_limits<std::size_t>::max();
  const auto& entry = found->second;
  if (entry.failures > 0) {
    const bool waits = entry.probing || entry.under_way > 0;
    return waits ? 0 : std::numeric_limits<std::size_t>::max();
  }
  const int left = std::min(limits_.concurrency - entry.under_way, left_of_rate(entry, now));
  return static_cast<std::size_t>(std::max(left, 0));
}

void Destinations::started(const std::string& key, Time now) {
  auto& entry = entries_[key];
  ++entry.under_way;
  if (entry.failures > 0) entry.probing = true;
  crowded_.insert(key);  // perhaps
  if (limits_.rate <= 0) return;
  while (!entry.starts.empty() && now - entry.starts.front() >= kMinute) entry.starts.pop_front();
  entry.starts.push_back(now);
}

void Destinations::taken_back(const std::string& key) {
  auto& entry = entries_[key];
  --entry.under_way;
  entry.probing = false;
  if (!entry.starts.empty()) entry.starts.pop_back();
  if (entry.under_way == 0 && entry.failures == 0 && entry.starts.empty()) entries_.erase(key);
}

void Destinations::ended(const std::string& key, const Reply& reply, Time now) {
  auto& entry = entries_[key];
  --entry.under_way;
  const bool was_probe = entry.probing;
  entry.probing = false;
  const bool mail = key.starts_with(kMailto);
  if (!mail && concerns_host(reply)) {
    // What was already under way when the host went down tells nothing new about it.
    if (entry.failures == 0 || was_probe) ++entry.failures;
    // Half of what the delivery itself waits: with its jitter, it does not come too early to probe.
    const auto first = std::max(limits_.first_retry / 2, Seconds(1));
    const auto wait = doubled_wait(first, entry.failures, kLongestWait);
    entry.wait = std::max(wait, reply.retry_after.value_or(Seconds(0)));
    entry.probe_at = now + entry.wait;
    entry.trouble = reply.text;
  } else if (reply.outcome != Reply::Outcome::kInterrupted) {
    entry.failures = 0;
    entry.trouble.clear();
  }
  forget_if_idle(key, now);
  forget_idle(now);
}

void Destinations::forget_idle(Time now) {
  while (!fading_.empty() && fading_.front().first <= now) {
    const auto key = std::move(fading_.front().second);
    fading_.pop_front();
    const auto found = entries_.find(key);
    if (found == entries_.end()) continue;
    found->second.fading = false;
    forget_if_idle(key, now);
  }
}

// With a limit of rate it is still of use for a minute.
void Destinations::forget_if_idle(const std::string& key, Time now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  auto& entry = found->second;
  const bool counted = !entry.starts.empty() && now - entry.starts.back() < kMinute;
  if (entry.under_way > 0 || entry.failures > 0) return;
  if (!counted) {
    entries_.erase(found);
  } else if (!entry.fading) {
    entry.fading = true;
    fading_.emplace_back(entry.starts.back() + kMinute, key);
  }
}

std::string Destinations::trouble(const std::string& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? "" : found->second.trouble;
}

std::size_t Destinations::hosts_down() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const auto& entry) { return entry.second.failures > 0; }));
}

}  // namespace rapporteur
