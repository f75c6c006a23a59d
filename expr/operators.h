#pragma once
// What the operators do to values, and what is known of their results beforehand:
// docs/expressions.md, "Operators".

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "expr/ast.h"
#include "expr/expression.h"

namespace expr {

// A value, or one sentence that says why there is none.
using Computed = std::variant<Value, std::string_view>;

Value compute(UnaryOp op, const Value& operand);

// kAnd and kOr as if both operands had been evaluated. `constants` in the order of the schema.
Computed compute(BinaryOp op, const Value& left, const Value& right,
                 const std::vector<std::string>& constants);

// array[position]; '' where there is no such element.
Value element(const Value& array, const Value& position);

// An operand as far as it is known before the evaluation.
struct Operand {
  Type type = Type::kAny;
  const Value* value = nullptr;  // null: not known
};

// The type of what compute() or element() makes of such operands.
Type result_type(UnaryOp op, const Operand& operand);
Type result_type(BinaryOp op, const Operand& left, const Operand& right);
Type element_type(const Operand& array);

// Why an operator cannot take operands of such types.
struct Refusal {
  bool right = false;  // the right operand is to blame
  std::string message;
};
std::optional<Refusal> refuse(UnaryOp op, Type operand);
std::optional<Refusal> refuse(BinaryOp op, Type left, Type right);

}  // namespace expr
