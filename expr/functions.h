#pragma once
// The functions of the language as a table, and the names that are refused with a reason:
// docs/expressions.md, "Functions". Those that are no special forms are pure and total.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "expr/expression.h"
#include "expr/value.h"

namespace expr {

// What a parameter takes. Only what is known beforehand is refused; at run time everything is taken
// as text or number by the rules of to_text() and to_number().
enum class Accepts {
  kAnything,
  kText,     // no array
  kNumber,   // no array and no constant
  kWord,     // one of Function::words, if it is known beforehand
  kNetwork,  // text that is an address or a network, if it is known beforehand
};

enum class Gives {
  kAnything,
  kString,
  kInteger,
  kTruth,
  kArray,
  kStringOrArray,  // an array if the first argument is one, else a string
  kTruthOrArray,   // an array if the first argument is one, else a truth value
};

enum class Special {
  kNone,
  kMatches,
  kSystem,
  kIfThen,
  kKeyExists,
  kKeyGet,
  kIsLocalDomain,
  kDnsQuery,
};

constexpr std::size_t kMaxArity = 3;

// The arguments of one call. Used by one thread.
class Arguments {
 public:
  // Both outlive this object.
  Arguments(std::span<const Value* const, kMaxArity> values,
            const std::vector<std::string>& constants)
      : values_(values), constants_(constants) {}

  const Value& operator[](std::size_t i) const { return *values_[i]; }
  // to_text() of it. The reference holds as long as this object.
  const std::string& text(std::size_t i) const {
    if (const auto* text = std::get_if<std::string>(values_[i])) return *text;
    converted_[i] = to_text(*values_[i]);
    return converted_[i];
  }
  const std::vector<std::string>& constants() const { return constants_; }  // in their order

 private:
  std::span<const Value* const, kMaxArity> values_;
  const std::vector<std::string>& constants_;
  mutable std::array<std::string, kMaxArity> converted_;
};

// How the time that a function takes grows with its arguments; see expr/budget.h.
enum class Growth {
  kBytes,    // with their bytes
  kLetters,  // the same, but each costs more
  kSorting,  // as sorting the elements of the first does
  kPairs,    // with the pairs of elements that it compares
};

struct Function {
  std::string_view name;
  std::size_t arity = 0;
  std::array<Accepts, kMaxArity> accepts{};
  Gives gives = Gives::kAnything;
  Value (*apply)(const Arguments&) = nullptr;  // null for the special forms
  std::span<const std::string_view> words{};
  Special special = Special::kNone;
  Growth growth = Growth::kBytes;
};

// Null if there is none of this name.
const Function* find_function(std::string_view name);

std::vector<std::string_view> function_names();

// Why a function or a variable that Stalwart has does not exist here, as the end of the sentence
// "'NAME' …"; empty for other names.
std::string_view why_no_function(std::string_view name);
std::string_view why_no_variable(std::string_view name);

// The parts of the table, one a file.
std::span<const Function> text_functions();
std::span<const Function> case_functions();
std::span<const Function> array_functions();
std::span<const Function> address_functions();

// `change` of the text of a value; of an array, an array of the changes of its elements.
template <class Change>
Value map_text(const Value& value, const Change& change) {
  const auto* array = std::get_if<Array>(&value);
  if (array == nullptr) return Value(change(to_text(value)));
  Array changed;
  changed.reserve(array->size());
  for (const Value& element : *array) changed.push_back(map_text(element, change));
  return Value(std::move(changed));
}

inline Value count(std::size_t number) {
  return Value(static_cast<std::int64_t>(number));
}

// Whether a text is "ADDRESS" or "ADDRESS/BITS" with 8 to 32 bits, IPv6 8 to 128.
bool is_network(std::string_view text);

}  // namespace expr
