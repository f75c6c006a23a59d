#pragma once
// What a checked expression is inside: its tree, and the instructions that a stack machine runs.
// The machine is evaluator.cc; nothing outside of this room needs this header.

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "expr/ast.h"
#include "expr/expression.h"
#include "expr/functions.h"
#include "expr/regex.h"

namespace expr {

enum class Action : std::uint8_t {
  kPush,         // values[operand]
  kVariable,     // the value of names[operand]
  kCapture,      // group `operand` of the last matches()
  kUnary,        // the UnaryOp `operand` of the topmost value
  kBinary,       // the BinaryOp `operand` of the two topmost values
  kJoin,         // the texts of the topmost values, of which joins[operand] has one fewer
  kList,         // an array of the `operand` topmost values
  kIndex,        // array[position] of the two topmost values
  kCall,         // calls[operand] with as many values as it takes
  kMatch,        // whether regexes[operand] matches the topmost value; sets the captures
  kAsk,          // the Special `operand`, a lookup or dns_query, with the topmost values
  kTruth,        // 1 or 0 for the topmost value
  kJump,         // to instruction `operand`
  kJumpIfFalse,  // takes the topmost value
  kAnd,          // if the topmost value is false, makes it 0 and jumps; else takes it
  kOr,           // if the topmost value is true, makes it 1 and jumps; else takes it
};

struct Instruction {
  Action action = Action::kPush;
  std::uint32_t operand = 0;
  std::uint32_t point = 0;  // where in the source a failure is shown
};

struct Code {
  struct Variable {
    std::string name;
    std::size_t slot = 0;
  };

  std::string source;
  Ast ast;
  Type type = Type::kAny;
  std::optional<Value> constant;
  std::vector<PossibleResult> results;
  std::set<std::string, std::less<>> variables;  // that the source mentions
  std::vector<std::string> constant_order;       // the schema's, for comparing

  std::vector<Instruction> instructions;
  std::vector<Value> values;
  std::vector<Variable> names;
  std::vector<std::vector<std::uint32_t>> joins;  // the points of the operators
  std::vector<const Function*> calls;
  std::vector<Regex> regexes;
  std::shared_ptr<const Lookups> lookups;
  std::size_t depth = 0;        // values on the stack at most
  std::size_t groups_read = 0;  // $0 … $(groups_read - 1) are mentioned
  bool asks_lookups = false;
  bool asks_dns = false;
  bool is_variable = false;             // nothing but the value of a variable
  bool is_search = false;               // nothing but matches() with the value of a variable
  std::size_t search_instructions = 0;  // of its regular expression then
};

}  // namespace expr
