#include "deliver/judge.h"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr Seconds kLongestRetryAfter = std::chrono::hours(24);

std::optional<std::int64_t> parse_digits(std::string_view text) {
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

std::optional<unsigned> parse_month(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kMonths = {
      "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
  const auto lower = to_lower(name);
  const auto* const found = std::find(kMonths.begin(), kMonths.end(), lower);
  if (found == kMonths.end()) return std::nullopt;
  return static_cast<unsigned>(found - kMonths.begin()) + 1;
}

std::optional<Seconds> parse_time_of_day(std::string_view text) {
  const auto fields = split(text, ':');
  if (fields.size() != 3) return std::nullopt;
  std::array<std::int64_t, 3> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = fields[i].size() == 2 ? parse_digits(fields[i]) : std::nullopt;
    if (!number || *number > (i == 0 ? 23 : 60)) return std::nullopt;
    numbers[i] = *number;
  }
  return Seconds(numbers[0] * 3600 + numbers[1] * 60 + numbers[2]);
}

// The words of an HTTP date in whichever of its three forms, the day of the week first.
struct DateWords {
  std::string_view day, month, year, time;
};

std::optional<DateWords> split_date(std::string_view value) {
  std::vector<std::string_view> words;
  for (const auto word : split(value, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  if (words.size() == 6) return DateWords{words[1], words[2], words[3], words[4]};  // IMF-fixdate
  if (words.size() == 5) return DateWords{words[2], words[1], words[4], words[3]};  // asctime
  if (words.size() != 4) return std::nullopt;
  const auto date = split(words[1], '-');  // RFC 850
  if (date.size() != 3) return std::nullopt;
  return DateWords{date[0], date[1], date[2], words[2]};
}

// A year of two digits is never more than 50 years in the future (RFC 9110, section 5.6.7).
std::int64_t whole_year(std::int64_t year, std::string_view digits, Time now) {
  if (digits.size() != 2) return year;
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const auto this_year = static_cast<int>(today.year());
  year += this_year - this_year % 100;
  return year > this_year + 50 ? year - 100 : year;
}

std::optional<Time> parse_http_date(std::string_view value, Time now) {
  const auto words = split_date(value);
  if (!words) return std::nullopt;
  const auto day = words->day.size() <= 2 ? parse_digits(words->day) : std::nullopt;
  const auto month = parse_month(words->month);
  const auto year = words->year.size() <= 4 ? parse_digits(words->year) : std::nullopt;
  const auto time = parse_time_of_day(words->time);
  if (!day || !month || !year || !time) return std::nullopt;
  const std::chrono::year_month_day date(
      std::chrono::year(static_cast<int>(whole_year(*year, words->year, now))),
      std::chrono::month(*month), std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + *time;
}

}  // namespace

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::kConnect:
      return "connect";
    case Stage::kGreeting:
      return "greeting";
    case Stage::kEhlo:
      return "EHLO";
    case Stage::kStarttls:
      return "STARTTLS";
    case Stage::kAuth:
      return "AUTH";
    case Stage::kMailFrom:
      return "MAIL FROM";
    case Stage::kRcptTo:
      return "RCPT TO";
    case Stage::kData:
      return "DATA";
    case Stage::kFinal:
      return "end of data";
    case Stage::kRequest:
      return "POST";
  }
  return "";
}

Reply::Outcome judge_smtp(Stage stage, int code) {
  if (stage < Stage::kRcptTo) return Reply::Outcome::kRelayTrouble;
  if (stage == Stage::kFinal) {
    if (code >= 200 && code < 300) return Reply::Outcome::kAccepted;
    if (code == 0) return Reply::Outcome::kUncertain;
  }
  return code >= 500 && code < 600 ? Reply::Outcome::kPermanent : Reply::Outcome::kTemporary;
}

Reply::Outcome judge_http(int code, bool handed_over) {
  if (code == 0) return handed_over ? Reply::Outcome::kUncertain : Reply::Outcome::kTemporary;
  if (code >= 200 && code < 300) return Reply::Outcome::kAccepted;
  if (code == 408 || code == 425 || code == 429 || (code >= 500 && code < 600)) {
    return Reply::Outcome::kTemporary;
  }
  return Reply::Outcome::kPermanent;
}

Reply::Outcome judge_exit(int code) {
  switch (code) {
    case EX_OK:
      return Reply::Outcome::kAccepted;
    case EX_DATAERR:
    case EX_NOUSER:
    case EX_NOHOST:
    case EX_UNAVAILABLE:
      return Reply::Outcome::kPermanent;
    default:  // the program, its configuration or its queue: nothing about the recipient
      return Reply::Outcome::kRelayTrouble;
  }
}

std::string_view exit_name(int code) {
  static constexpr std::array<std::string_view, EX__MAX - EX__BASE + 1> kNames = {
      "EX_USAGE",       "EX_DATAERR",  "EX_NOINPUT",  "EX_NOUSER", "EX_NOHOST",
      "EX_UNAVAILABLE", "EX_SOFTWARE", "EX_OSERR",    "EX_OSFILE", "EX_CANTCREAT",
      "EX_IOERR",       "EX_TEMPFAIL", "EX_PROTOCOL", "EX_NOPERM", "EX_CONFIG"};
  if (code < EX__BASE || code > EX__MAX) return "";
  return kNames.at(static_cast<std::size_t>(code - EX__BASE));
}

std::optional<Seconds> parse_retry_after(std::string_view value, Time now) {
  value = trim(value);
  const bool all_digits = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  if (all_digits) {
    const auto seconds = parse_digits(value);  // nullopt: more than 63 bits
    if (!seconds || *seconds > kLongestRetryAfter.count()) return kLongestRetryAfter;
    return Seconds(*seconds);
  }
  const auto date = parse_http_date(value, now);
  if (!date) return std::nullopt;
  return std::clamp(*date - now, Seconds(0), kLongestRetryAfter);
}

std::string reply_text(std::string_view text, Stage stage) {
  const auto suffix = " (" + std::string(to_string(stage)) + ")";
  // Bounded before it is cleaned: a hostile line may be long.
  const auto clean = without_controls(to_valid_utf8(text.substr(0, 4 * kMaxReplyText)));
  return truncate_utf8(std::string(trim(clean)), kMaxReplyText - suffix.size()) + suffix;
}

bool is_safe_address(std::string_view address) {
  constexpr std::size_t kLongest = 254;  // RFC 5321, section 4.5.3.1.3, less the angle brackets
  constexpr std::string_view kForbidden = "<>\"\\(),;:[]";
  if (address.empty() || address.size() > kLongest) return false;
  if (address.find('@') == address.npos) return false;
  return std::all_of(address.begin(), address.end(), [&](char c) {
    return c > ' ' && c < '\x7f' && kForbidden.find(c) == kForbidden.npos;
  });
}

}  // namespace rapporteur
