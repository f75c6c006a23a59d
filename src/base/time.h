#pragma once
// Instants and their texts. Everything is UTC; nothing here asks what time it is (clock.h does).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rapporteur {

using Time = std::chrono::sys_seconds;
using Seconds = std::chrono::seconds;

// "2026-11-20T00:00:00Z" (RFC 3339).
std::string format_rfc3339(Time time);

// "20261120T000000Z", without separators: fits a msg-id and a file name.
std::string format_compact(Time time);

// "Fri, 20 Nov 2026 00:00:00 +0000" (RFC 5322, section 3.3).
std::string format_rfc5322(Time time);

// Reads RFC 3339 with 'Z' or a numeric offset, a date alone (its midnight), or a number of seconds
// since 1970 with an optional fraction, which is cut off. Years 1970 to 9999.
std::optional<Time> parse_time(std::string_view text);

// "90s", "10m", "4h", "30d", "2w", "250ms" (rounded up to a second); a sequence such as "1h30m"
// adds up. Never negative. Nullopt for anything else, a bare number included.
std::optional<Seconds> parse_duration(std::string_view text);

// The shortest such text: "90s", "1h30m", "1d".
std::string format_duration(Seconds duration);

// "5242880", "512kb", "5mb", "1gb" (powers of 1024, any case), in bytes. Nullopt if it is none or
// does not fit 63 bits.
std::optional<std::int64_t> parse_size(std::string_view text);

}  // namespace rapporteur
