#pragma once
// Text to syntax tree: docs/expressions.md, "Grammar". Knows no names: whether `rcpt_domain` or
// `len` exists is the checker's question.

#include <cstddef>
#include <string_view>
#include <variant>

#include "expr/ast.h"
#include "expr/expression.h"

namespace expr {

constexpr std::size_t kMaxSourceBytes = 8'192;
constexpr int kMaxNesting = 64;  // of parentheses, brackets, calls and unary operators
constexpr std::size_t kMaxNodes = 1024;

// The tree, or the first thing that is wrong with the text. At the end of the text a diagnostic
// has the offset source.size() and the length 1.
std::variant<Ast, Diagnostic> parse(std::string_view source);

}  // namespace expr
