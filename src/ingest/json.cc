#include "ingest/json.h"

#include <array>
#include <charconv>
#include <cmath>

#include <simdjson.h>

namespace rapporteur {

namespace {

using simdjson::dom::element;

// Nullopt if the key is absent or its value null.
std::optional<element> value_at(const JsonObject& object, std::string_view key) {
  element value;
  if (object.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

template <class T>
std::optional<T> get(const std::optional<element>& value) {
  T result;
  if (!value || value->get(result) != simdjson::SUCCESS) return std::nullopt;
  return result;
}

template <class T>
std::string decimal(T number) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() ? std::string(digits.data(), end) : std::string();
}

}  // namespace

bool has(const JsonObject& object, std::string_view key) {
  return value_at(object, key).has_value();
}

std::string_view text_at(const JsonObject& object, std::string_view key) {
  return get<std::string_view>(value_at(object, key)).value_or(std::string_view());
}

std::string text_or_number_at(const JsonObject& object, std::string_view key) {
  const auto value = value_at(object, key);
  if (const auto text = get<std::string_view>(value)) return std::string(*text);
  if (const auto number = get<std::int64_t>(value)) return decimal(*number);
  if (const auto number = get<std::uint64_t>(value)) return decimal(*number);
  if (const auto number = get<double>(value)) return decimal(*number);
  return {};
}

std::optional<std::int64_t> integer_at(const JsonObject& object, std::string_view key) {
  return get<std::int64_t>(value_at(object, key));
}

std::optional<double> number_at(const JsonObject& object, std::string_view key) {
  return get<double>(value_at(object, key));
}

std::vector<std::string_view> texts_at(const JsonObject& object, std::string_view key) {
  std::vector<std::string_view> texts;
  const auto value = value_at(object, key);
  if (const auto text = get<std::string_view>(value)) texts.push_back(*text);
  if (const auto array = get<simdjson::dom::array>(value)) {
    for (const auto item : *array) {
      if (const auto text = get<std::string_view>(item)) texts.push_back(*text);
    }
  }
  return texts;
}

bool read_time(const JsonObject& object, std::string_view key, double units_per_second,
               std::optional<Time>& time) {
  constexpr double kYear10000 = 253402300800.0;
  if (!has(object, key)) return true;
  const auto number = number_at(object, key);
  if (!number) return false;
  const double seconds = std::floor(*number / units_per_second);
  if (!(seconds >= 0 && seconds < kYear10000)) return false;
  time = Time(Seconds(static_cast<std::int64_t>(seconds)));
  return true;
}

std::optional<std::vector<JsonObject>> objects_at(const JsonObject& object, std::string_view key) {
  const auto value = value_at(object, key);
  if (const auto single = get<JsonObject>(value)) return std::vector<JsonObject>{*single};
  const auto array = get<simdjson::dom::array>(value);
  if (!array) return std::nullopt;
  std::vector<JsonObject> objects;
  for (const auto item : *array) {
    const auto single = get<JsonObject>(item);
    if (!single) return std::nullopt;
    objects.push_back(*single);
  }
  return objects;
}

void read_detail(const JsonObject& object, RawDetail& detail) {
  const auto read = [&object](std::string_view key, std::string_view& field) {
    if (const auto text = text_at(object, key); !text.empty()) field = text;
  };
  read("sending-mta-ip", detail.sending_mta_ip);
  read("receiving-mx-hostname", detail.receiving_mx_hostname);
  read("receiving-mx-helo", detail.receiving_mx_helo);
  read("receiving-ip", detail.receiving_ip);
  read("additional-information", detail.additional_information);
  if (auto reason = text_or_number_at(object, "failure-reason-code"); !reason.empty()) {
    detail.failure_reason_code = std::move(reason);
  }
  if (const auto type = text_or_number_at(object, "result-type"); !type.empty()) {
    set_result_type(detail, type);
  }
}

}  // namespace rapporteur
