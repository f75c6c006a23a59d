// The stack machine that runs checked programs. It cannot loop and does not recurse: every jump of
// its instructions leads forward.

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "expr/code.h"
#include "expr/expression.h"
#include "expr/literal.h"
#include "expr/operators.h"
#include "expr/value.h"

namespace expr {
namespace {

using Captures = std::vector<std::string>;  // of the last matches() that was evaluated

class Machine {
 public:
  Machine(const Code& code, const Environment& environment, Captures& captures)
      : code_(code), environment_(environment), captures_(captures) {}

  Outcome run() {
    for (next_ = 0; next_ < code_.instructions.size();) {
      const Instruction& instruction = code_.instructions[next_++];
      if (auto problem = step(instruction)) {
        return Failure{std::move(*problem), instruction.point};
      }
    }
    return std::move(stack_.back());
  }

 private:
  using Problem = std::optional<std::string>;

  Problem step(const Instruction& instruction) {
    const std::uint32_t operand = instruction.operand;
    switch (instruction.action) {
      case Action::kPush:
        return push(code_.values[operand]);
      case Action::kVariable:
        return variable(code_.names[operand]);
      case Action::kCapture:
        return push(Value(operand < captures_.size() ? captures_[operand] : std::string()));
      case Action::kUnary:
        stack_.back() = compute(static_cast<UnaryOp>(operand), stack_.back());
        return std::nullopt;
      case Action::kBinary:
        return binary(static_cast<BinaryOp>(operand));
      case Action::kList:
        return list(operand);
      case Action::kIndex:
        return index();
      case Action::kCall:
        return call(*code_.calls[operand]);
      case Action::kMatch:
        stack_.back() = truth(code_.regexes[operand].search(to_text(stack_.back()), captures_));
        return std::nullopt;
      case Action::kTruth:
        stack_.back() = truth(is_true(stack_.back()));
        return std::nullopt;
      default:
        jump(instruction);
        return std::nullopt;
    }
  }

  void jump(const Instruction& instruction) {
    const bool holds = instruction.action != Action::kJump && is_true(stack_.back());
    switch (instruction.action) {
      case Action::kJumpIfFalse:
        stack_.pop_back();
        if (holds) return;
        break;
      case Action::kAnd:
        if (holds) return stack_.pop_back();
        stack_.back() = truth(false);
        break;
      case Action::kOr:
        if (!holds) return stack_.pop_back();
        stack_.back() = truth(true);
        break;
      default:
        break;
    }
    next_ = instruction.operand;
  }

  Problem push(Value value) {
    if (size_of(value) > kMaxValueBytes) return "the result is larger than 64 KiB";
    stack_.push_back(std::move(value));
    return std::nullopt;
  }

  Problem variable(const std::string& name) {
    const Value* value = environment_.variable(name);
    if (value == nullptr) return mention(name) + " has no value here";
    if (size_of(*value) > kMaxValueBytes) return "the value of " + name + " is larger than 64 KiB";
    stack_.push_back(*value);
    return std::nullopt;
  }

  Problem binary(BinaryOp op) {
    const Value right = pop();
    const Value left = pop();
    Computed result = compute(op, left, right, code_.constant_order);
    if (const auto* problem = std::get_if<std::string_view>(&result)) return std::string(*problem);
    return push(std::get<Value>(std::move(result)));
  }

  Problem list(std::size_t size) {
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(size);
    Array array(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    return push(Value(std::move(array)));
  }

  Problem index() {
    const Value position = pop();
    const Value array = pop();
    return push(element(array, position));
  }

  Problem call(const Function& function) {
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(function.arity);
    const auto values = std::span<const Value>(stack_).last(function.arity);
    Value result = function.apply(Arguments(values, code_.constant_order));
    stack_.erase(first, stack_.end());
    return push(std::move(result));
  }

  Value pop() {
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  const Code& code_;
  const Environment& environment_;
  Captures& captures_;
  std::vector<Value> stack_;
  std::size_t next_ = 0;
};

Outcome run(const Program& program, const Environment& environment, Captures& captures) {
  return Machine(program.code(), environment, captures).run();
}

}  // namespace

Outcome evaluate(const Program& program, const Environment& environment) {
  Captures captures;
  return run(program, environment, captures);
}

Outcome evaluate(const IfBlock& block, const Environment& environment, Trace* trace) {
  Trace unused;
  Trace& found = trace == nullptr ? unused : *trace;
  found = {};
  Captures captures;
  for (std::size_t i = 0; i < block.branches.size(); ++i) {
    Outcome condition = run(block.branches[i].condition, environment, captures);
    if (std::holds_alternative<Failure>(condition)) return condition;
    found.conditions.push_back(std::get<Value>(std::move(condition)));
    if (is_true(found.conditions.back())) {
      found.branch = i;
      return run(block.branches[i].result, environment, captures);
    }
  }
  return run(block.otherwise, environment, captures);
}

}  // namespace expr
