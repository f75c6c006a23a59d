#pragma once
// The syntax tree of one expression, in an arena: docs/expressions.md has the grammar. Children
// stand before their parents, so that walking forward visits operands first and needs no recursion.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "expr/expression.h"

namespace expr {

using NodeId = std::uint32_t;  // an index into Ast::nodes

// Bytes of the source.
struct Span {
  std::uint32_t offset = 0;
  std::uint32_t length = 1;
};

enum class UnaryOp { kNot, kNegate };

enum class BinaryOp {
  kMultiply,
  kDivide,
  kAdd,
  kSubtract,
  kGreater,
  kGreaterEqual,
  kLess,
  kLessEqual,
  kEqual,
  kNotEqual,
  kXor,
  kAnd,
  kOr,
};

// As written in an expression; of synonyms the canonical one.
std::string_view spelling(UnaryOp op);
std::string_view spelling(BinaryOp op);

struct Literal {
  Value value;
  bool truth = false;  // written as true or false
};

// A variable or a constant: the checker knows which.
struct Name {
  std::string text;
};

struct Capture {
  std::uint32_t group = 0;
};

struct Unary {
  UnaryOp op = UnaryOp::kNot;
  NodeId operand = 0;
};

struct Binary {
  BinaryOp op = BinaryOp::kAdd;
  NodeId left = 0;
  NodeId right = 0;
};

struct List {
  std::vector<NodeId> items;
};

struct Index {
  NodeId array = 0;
  NodeId position = 0;
};

// Of a function or of one of the forms that look like one: matches, system, if_then.
struct Call {
  std::string function;
  Span name;
  std::vector<NodeId> arguments;
};

struct Node {
  std::variant<Literal, Name, Capture, Unary, Binary, List, Index, Call> form;
  Span span;                // all of it, without parentheses around it
  std::uint32_t point = 0;  // where a failure is shown: the operator, else the beginning
};

struct Ast {
  std::vector<Node> nodes;
  NodeId root = 0;
};

// One line: (+ 'a' (call system 'domain')). Two trees have the same dump only if they are equal.
std::string dump(const Ast& ast);

}  // namespace expr
