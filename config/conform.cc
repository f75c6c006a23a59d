#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/domain.h"
#include "base/text.h"
#include "base/time.h"
#include "config/address.h"
#include "config/reporter.h"
#include "config/settings.h"

namespace rapporteur {

namespace {

std::string shown(const expr::Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  const auto text = without_controls(to_valid_utf8(expr::to_text(value)));
  return truncate_utf8(text, 80);
}

Conformed refused(const expr::Value& value, std::string_view why) {
  return {std::nullopt, "yields " + shown(value) + ", which " + std::string(why)};
}

Conformed accepted(expr::Value value) {
  return {std::move(value), {}};
}

Conformed conform_text(const expr::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no string");
  if (!is_valid_utf8(*text)) return refused(value, "is not UTF-8");
  if (without_controls(*text).size() != text->size()) {
    return refused(value, "holds a control character");
  }
  return accepted(*text);
}

Conformed conform_address(const expr::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no mail address");
  auto address = normalise_address(*text);
  if (!address) return refused(value, "is no mail address");
  return accepted(*std::move(address));
}

Conformed conform_domain(const expr::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no domain");
  auto domain = normalise_domain(*text);
  if (!domain) return refused(value, "is no domain");
  return accepted(*std::move(domain));
}

Conformed conform_frequency(const expr::Value& value) {
  constexpr std::array<std::string_view, 4> kFrequencies = {"hourly", "daily", "weekly", "never"};
  std::string_view name;
  if (const auto* constant = std::get_if<expr::Constant>(&value)) name = constant->name;
  if (const auto* text = std::get_if<std::string>(&value)) name = *text;
  if (name == "disable") name = "never";
  if (std::ranges::find(kFrequencies, name) == kFrequencies.end()) {
    return refused(value, "is none of hourly, daily, weekly and never");
  }
  return accepted(expr::Constant{std::string(name)});
}

Conformed conform_size(const expr::Value& value) {
  std::optional<std::int64_t> size;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) size = *integer;
  if (const auto* text = std::get_if<std::string>(&value)) size = parse_size(*text);
  if (const auto* number = std::get_if<double>(&value)) {
    // 2^63 is the least double that is too large.
    if (*number >= 0 && *number < 9223372036854775808.0) size = static_cast<std::int64_t>(*number);
  }
  if (!size || *size < 0) return refused(value, "is no size in bytes");
  return accepted(*size);
}

Conformed conform_truth(const expr::Value& value) {
  if (std::holds_alternative<expr::Constant>(value)) return refused(value, "is no truth value");
  return accepted(std::int64_t{expr::is_true(value) ? 1 : 0});
}

bool is_report_uri(const expr::Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || without_controls(to_valid_utf8(*text)) != *text) return false;
  return starts_with_ignoring_case(*text, "mailto:") || starts_with_ignoring_case(*text, "https:");
}

Conformed conform_uris(const expr::Value& value) {
  constexpr std::string_view kNoUri = "is neither a mailto: nor an https: URI";
  const auto* array = std::get_if<expr::Array>(&value);
  if (array == nullptr) {
    if (!is_report_uri(value)) return refused(value, kNoUri);
    return accepted(expr::Array{value});
  }
  for (const auto& item : *array) {
    if (!is_report_uri(item)) return refused(item, kNoUri);
  }
  return accepted(*array);
}

}  // namespace

Conformed conform(Setting setting, const expr::Value& value) {
  switch (kind_of(setting)) {
    case Kind::kText:
      return conform_text(value);
    case Kind::kAddress:
      return conform_address(value);
    case Kind::kDomain:
      return conform_domain(value);
    case Kind::kFrequency:
      return conform_frequency(value);
    case Kind::kSize:
      return conform_size(value);
    case Kind::kTruth:
      return conform_truth(value);
    case Kind::kUris:
      return conform_uris(value);
  }
  std::terminate();
}

std::optional<std::string> normalise_address(std::string_view text) {
  constexpr std::size_t kMaxAddress = 254;  // RFC 5321, section 4.5.3.1.3, without "<" and ">"
  constexpr std::size_t kMaxLocalPart = 64;
  const auto at = text.rfind('@');
  if (at == text.npos || at == 0 || at > kMaxLocalPart) return std::nullopt;
  const auto local = text.substr(0, at);
  const auto is_atext = [](char c) {  // RFC 5322, section 3.2.3
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
  };
  for (const auto atom : split(local, '.')) {
    if (atom.empty() || !std::ranges::all_of(atom, is_atext)) return std::nullopt;
  }
  const auto domain = normalise_domain(text.substr(at + 1));
  if (!domain || domain->find('.') == domain->npos) return std::nullopt;
  auto address = std::string(local) + "@" + *domain;
  if (address.size() > kMaxAddress) return std::nullopt;
  return address;
}

}  // namespace rapporteur
