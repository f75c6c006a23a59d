#pragma once
// Numbers and strings as they are written in an expression: docs/expressions.md, "Literals".

#include <string>
#include <string_view>
#include <variant>

#include "expr/expression.h"

namespace expr {

// What is wrong with a token, in the words of a Diagnostic.
struct Malformed {
  std::string message;
  std::string suggestion;
};

// An integer, a float, a duration (milliseconds) or a size (bytes). The whole token must be one.
std::variant<Value, Malformed> read_number(std::string_view token);

// The text that stands between two quotes, its escapes replaced by what they mean.
std::string unescape(std::string_view body);

// 'text', with the escapes that make unescape() give it back.
std::string quote(std::string_view text);

// For messages: 'text', shortened, on one line.
std::string mention(std::string_view text);

}  // namespace expr
