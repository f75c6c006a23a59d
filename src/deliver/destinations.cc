#include "deliver/destinations.h"

#include <algorithm>
#include <limits>

#include "base/domain.h"
#include "base/text.h"
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

std::string destination_key(std::string_view destination) {
  if (starts_with_ignoring_case(destination, kMailto)) {
    return std::string(kMailto) + to_lower(domain_of_address(destination));
  }
  constexpr std::string_view kDefaultPort = ":443";
  const auto scheme = destination.find("://");
  if (scheme == destination.npos) return to_lower(destination);
  const auto end = destination.find_first_of("/?#", scheme + 3);
  auto key = to_lower(destination.substr(0, end));
  if (key.ends_with(kDefaultPort)) key.resize(key.size() - kDefaultPort.size());
  return key;
}

int Destinations::left_of_rate(const Entry& entry, Time now) const {
  if (limits_.rate <= 0) return std::numeric_limits<int>::max();
  // A start in the future means that the clock was set back: it no longer counts.
  const auto recent = std::count_if(entry.starts.begin(), entry.starts.end(), [&](Time start) {
    return start <= now && now - start < kMinute;
  });
  return std::max(0, limits_.rate - static_cast<int>(recent));
}

Destinations::Answer Destinations::ask(const std::string& key, Time now, bool last_chance) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Answer::kGo;
  const auto& entry = found->second;
  if (entry.failures > 0) {
    if (entry.probing || entry.under_way > 0) return Answer::kWait;
    const bool early = now < entry.probe_at && !is_misplanned(entry.probe_at, now, entry.wait);
    if (early && !last_chance) return Answer::kDown;
  }
  const bool room = entry.under_way < limits_.concurrency && left_of_rate(entry, now) > 0;
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
  if (limits_.rate <= 0) return;
  while (!entry.starts.empty() && now - entry.starts.front() >= kMinute) entry.starts.pop_front();
  entry.starts.push_back(now);
}

void Destinations::taken_back(const std::string& key) {
  auto& entry = entries_[key];
  --entry.under_way;
  entry.probing = false;
  if (!entry.starts.empty()) entry.starts.pop_back();
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
}

void Destinations::forget_if_idle(const std::string& key, Time now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const auto& entry = found->second;
  const bool counted = !entry.starts.empty() && now - entry.starts.back() < kMinute;
  if (entry.under_way == 0 && entry.failures == 0 && !counted) entries_.erase(found);
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
