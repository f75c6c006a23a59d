#pragma once
// JSON that is printed for programs, built piece by piece, and the values of expressions as JSON.
// Hides the JSON library. Nothing here reads sessions or reports.

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "expr/expression.h"

namespace rapporteur {

// One JSON value. Keys stay in the order in which they were set. Conversions are implicit, so that
// objects read as they are written.
class Json {
 public:
  Json();  // null
  Json(const char* text) : Json(std::string_view(text)) {}
  Json(std::string_view text);
  Json(const std::string& text) : Json(std::string_view(text)) {}
  Json(int number) : Json(std::int64_t{number}) {}
  Json(std::int64_t number);
  Json(std::uint64_t number);
  Json(double number);  // null if it is not finite
  Json(Time time) : Json(std::string_view(format_rfc3339(time))) {}
  template <std::same_as<bool> T>
  Json(T truth) : Json(Truth{truth}) {}
  Json(Json&& other) noexcept;
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json object();
  static Json array();
  static Json strings(const std::vector<std::string>& texts);
  // Null for an empty text and for an absent time.
  static Json text_or_null(std::string_view text);
  static Json time_or_null(const std::optional<Time>& time);
  static Json of(const expr::Value& value);  // constants are strings
  // Nullopt if the text is no JSON, or has more than 64 arrays and objects within each other.
  static std::optional<Json> parse(std::string_view text);

  // For objects: sets a key that is not there yet.
  Json& set(std::string_view key, Json value) &;
  Json&& set(std::string_view key, Json value) &&;
  // For arrays.
  Json& add(Json value);

  // Indented by two spaces for each level. Broken UTF-8 becomes U+FFFD. What was parsed gives at
  // most 150 bytes for each byte that it was parsed from.
  std::string text() const;
  // The same on one line.
  std::string line() const;

 private:
  struct Truth {
    bool value;
  };
  struct Tree;
  explicit Json(Truth truth);
  explicit Json(std::unique_ptr<Tree> tree);

  std::unique_ptr<Tree> tree_;  // never null, but in what was moved from
};

// A value given on the command line: read as JSON where it is JSON (true is 1, false is 0), else as
// a string. Without a value, `problem` says why: null, an object, a number beyond 64 bits, more
// than 64 arrays within each other.
struct ReadValue {
  std::optional<expr::Value> value;
  std::string problem;
};
ReadValue read_value(std::string_view text);

}  // namespace rapporteur
