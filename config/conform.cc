#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "base/time.h"
#include "config/address.h"
#include "config/one_form.h"
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

Conformed accepted(expr::Value&& value) {
  return {std::move(value), {}};
}

Conformed conform_text(expr::Value&& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no string");
  if (is_one_line(*text)) return accepted(std::move(value));
  return refused(value, is_valid_utf8(*text) ? "holds a control character" : "is not UTF-8");
}

Conformed conform_address(expr::Value&& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no mail address");
  if (is_normal_address(*text)) return accepted(std::move(value));
  auto address = normalise_address(*text);
  if (!address) return refused(value, "is no mail address");
  return accepted(*std::move(address));
}

Conformed conform_domain(expr::Value&& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return refused(value, "is no domain");
  if (is_normal_domain(*text)) return accepted(std::move(value));
  auto domain = normalise_domain(*text);
  if (!domain) return refused(value, "is no domain");
  return accepted(*std::move(domain));
}

Conformed conform_frequency(expr::Value&& value) {
  constexpr std::array<std::string_view, 4> kFrequencies = {"hourly", "daily", "weekly", "never"};
  const auto* constant = std::get_if<expr::Constant>(&value);
  const auto* text = std::get_if<std::string>(&value);
  std::string_view name;
  if (constant != nullptr) name = constant->name;
  if (text != nullptr) name = *text;
  if (name == "disable") return accepted(expr::Constant{"never"});
  if (std::ranges::find(kFrequencies, name) == kFrequencies.end()) {
    return refused(value, "is none of hourly, daily, weekly and never");
  }
  if (constant != nullptr) return accepted(std::move(value));
  return accepted(expr::Constant{std::string(name)});
}

Conformed conform_size(expr::Value&& value) {
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

Conformed conform_truth(expr::Value&& value) {
  if (std::holds_alternative<expr::Constant>(value)) return refused(value, "is no truth value");
  return accepted(std::int64_t{expr::is_true(value) ? 1 : 0});
}

Conformed conform_uris(expr::Value&& value) {
  constexpr std::string_view kNoUri = "is neither a mailto: nor an https: URI";
  const auto is_uri = [](const expr::Value& item) {
    const auto* text = std::get_if<std::string>(&item);
    return text != nullptr && is_report_uri(*text);
  };
  const auto* array = std::get_if<expr::Array>(&value);
  if (array == nullptr) {
    if (!is_uri(value)) return refused(value, kNoUri);
    expr::Array one;
    one.push_back(std::move(value));
    return accepted(std::move(one));
  }
  const auto other = std::ranges::find_if_not(*array, is_uri);
  if (other != array->end()) return refused(*other, kNoUri);
  return accepted(std::move(value));
}

}  // namespace

Conformed conform(Setting setting, expr::Value value) {
  switch (kind_of(setting)) {
    case Kind::kText:
      return conform_text(std::move(value));
    case Kind::kAddress:
      return conform_address(std::move(value));
    case Kind::kDomain:
      return conform_domain(std::move(value));
    case Kind::kFrequency:
      return conform_frequency(std::move(value));
    case Kind::kSize:
      return conform_size(std::move(value));
    case Kind::kTruth:
      return conform_truth(std::move(value));
    case Kind::kUris:
      return conform_uris(std::move(value));
  }
  std::terminate();
}

}  // namespace rapporteur
