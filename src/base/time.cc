#include "base/time.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>

#include <fmt/compile.h>

#include "base/text.h"

namespace rapporteur {

namespace {

using namespace std::chrono;

struct Broken {
  int year;
  unsigned month, day, weekday;
  int hour, minute, second;
};

Broken broken(Time time) {
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          weekday{day}.c_encoding(),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count())};
}

// Takes exactly `digits` decimal digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

void drop_fraction(std::string_view& text) {
  if (!take(text, '.')) return;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
}

std::optional<Seconds> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return Seconds{0};
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  return sign * (hours{*hour} + minutes{*minute});
}

constexpr Time kLast{sys_days{year{9999} / 12 / 31} + hours{24} - seconds{1}};

std::optional<Time> parse_epoch(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || value < 0 || value > kLast.time_since_epoch().count()) {
    return std::nullopt;
  }
  auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
  drop_fraction(rest);
  if (!rest.empty()) return std::nullopt;
  return Time{Seconds{value}};
}

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
// "ms" stands before "m" and "s", so that the longer name is found first.
constexpr std::array kUnits = {Unit{"ms", 1},        Unit{"s", 1000},       Unit{"m", 60'000},
                               Unit{"h", 3'600'000}, Unit{"d", 86'400'000}, Unit{"w", 604'800'000}};

}  // namespace

std::string format_rfc3339(Time time) {
  const auto t = broken(time);
  return fmt::format(FMT_COMPILE("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z"), t.year, t.month, t.day,
                     t.hour, t.minute, t.second);
}

std::string format_compact(Time time) {
  const auto t = broken(time);
  return fmt::format(FMT_COMPILE("{:04}{:02}{:02}T{:02}{:02}{:02}Z"), t.year, t.month, t.day,
                     t.hour, t.minute, t.second);
}

std::string format_rfc5322(Time time) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto t = broken(time);
  return fmt::format(FMT_COMPILE("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000"), kDays.at(t.weekday),
                     t.day, kMonths.at(t.month - 1), t.year, t.hour, t.minute, t.second);
}

std::optional<Time> parse_time(std::string_view text) {
  if (const auto epoch = parse_epoch(text)) return epoch;
  const auto y = take_number(text, 4);
  if (!y || *y < 1970 || !take(text, '-')) return std::nullopt;
  const auto m = take_number(text, 2);
  if (!m || !take(text, '-')) return std::nullopt;
  const auto d = take_number(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)},
                            day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  Time time{sys_days{date}};
  if (text.empty()) return time;
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  drop_fraction(text);
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  time += hours{*hour} + minutes{*minute} + seconds{*second} - *offset;
  if (time < Time{} || time > kLast) return std::nullopt;
  return time;
}

std::optional<Seconds> parse_duration(std::string_view text) {
  constexpr std::int64_t kLimit = std::int64_t{100} * 366 * 86'400'000;  // a century
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const Unit* unit = nullptr;
    for (const auto& candidate : kUnits) {
      if (text.starts_with(candidate.name)) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr || number > kLimit / unit->milliseconds) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += number * unit->milliseconds;
    if (total > kLimit) return std::nullopt;
  }
  return Seconds{(total + 999) / 1000};
}

std::string format_duration(Seconds duration) {
  if (duration.count() <= 0) return "0s";
  std::string text;
  auto left = duration.count();
  for (const auto& [name, size] : {std::pair{'d', 86'400}, {'h', 3'600}, {'m', 60}, {'s', 1}}) {
    if (left < size) continue;
    text += std::to_string(left / size) + name;
    left %= size;
  }
  return text;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || number < 0) return std::nullopt;
  const auto unit = to_lower(text.substr(static_cast<std::size_t>(end - text.data())));
  int shift = 0;
  if (unit == "kb") {
    shift = 10;
  } else if (unit == "mb") {
    shift = 20;
  } else if (unit == "gb") {
    shift = 30;
  } else if (!unit.empty() && unit != "b") {
    return std::nullopt;
  }
  if (number > (std::numeric_limits<std::int64_t>::max() >> shift)) return std::nullopt;
  return number << shift;
}

}  // namespace rapporteur
