#include "store/store_summary.h"

#include <string_view>

namespace rapporteur {

namespace {

constexpr std::string_view kUnknownSource = "unknown";

bool is_total(std::string_view word) {
  return word == "accepted" || word == "late";
}

bool has_reasons(std::string_view word) {
  return word == "rejected" || word == "ignored" || word == "dropped";
}

// The text before the first dot; `rest` becomes what is behind it.
std::string_view take_word(std::string_view& rest) {
  const auto dot = rest.find('.');
  const auto word = rest.substr(0, dot);
  rest = dot == rest.npos ? std::string_view() : rest.substr(dot + 1);
  return word;
}

std::uint64_t& place_of(SourceCounts& counts, std::string_view outcome, std::string_view reason) {
  if (outcome == "accepted") return counts.accepted;
  if (outcome == "late") return counts.late;
  auto& reasons = outcome == "rejected"  ? counts.rejected
                  : outcome == "ignored" ? counts.ignored
                                         : counts.dropped;
  return reasons[std::string(reason)];
}

}  // namespace

IntakeCounts read_intake_counters(const std::map<std::string, std::uint64_t>& counters) {
  IntakeCounts found;
  for (const auto& [name, value] : counters) {
    if (name == kDroppedWindows || name == kDroppedSessions) continue;
    std::string_view rest = name;
    auto word = take_word(rest);
    auto source = kUnknownSource;
    if (!is_total(word) && !has_reasons(word) && !rest.empty()) {
      source = word;
      word = take_word(rest);
    }
    if (word == "recipient_domain_guessed") {
      found.recipient_domain_guessed += value;
    } else if (rest.empty() ? is_total(word) : has_reasons(word)) {
      place_of(found.sources[std::string(source)], word, rest) += value;
    }
  }
  return found;
}

ReceivedCounts read_received_counters(const std::map<std::string, std::uint64_t>& counters) {
  ReceivedCounts found;
  for (const auto& [name, value] : counters) {
    std::string_view rest = name;
    if (take_word(rest) != "received") continue;
    const auto word = take_word(rest);
    if (word == "stored") {
      found.stored[std::string(rest)] = value;
    } else if (word == "refused") {
      found.refused[std::string(rest)] = value;
    } else if (word == "duplicate") {
      found.duplicates = value;
    } else if (word == "new-failures") {
      found.new_failures = value;
    }
  }
  return found;
}

std::uint64_t sum(const std::map<std::string, std::uint64_t>& by_reason) {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : by_reason) total += count;
  return total;
}

}  // namespace rapporteur
