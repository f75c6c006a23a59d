// The stack machine that runs checked programs. It cannot loop and does not recurse: every jump of
// its instructions leads forward. Operands are borrowed where they stand (in the program, in the
// environment) and copied only when they become a result.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>

#include "expr/budget.h"
#include "expr/code.h"
#include "expr/expression.h"
#include "expr/literal.h"
#include "expr/lookups.h"
#include "expr/operators.h"
#include "expr/value.h"

namespace expr {
namespace {

constexpr std::string_view kTooLarge = "the result is larger than 64 KiB";
constexpr std::string_view kTooSlow = "this could take longer than a millisecond";

// What the programs of one evaluation share.
struct Shared {
  const Environment& environment;
  std::vector<std::string>& captures;  // of the last matches() that was evaluated
  Budget& budget;
  std::size_t groups;  // how many captures any of the programs reads: those from $0 on
};

// A value of the machine's own, or one that stands elsewhere and stays there.
class Cell {
 public:
  explicit Cell(const Value* borrowed) : borrowed_(borrowed) {}
  explicit Cell(Value value) : owned_(std::move(value)) {}

  const Value& value() const { return borrowed_ != nullptr ? *borrowed_ : owned_; }
  Value take() { return borrowed_ != nullptr ? *borrowed_ : std::move(owned_); }
  void set(Value value) {
    borrowed_ = nullptr;
    owned_ = std::move(value);
  }

 private:
  const Value* borrowed_ = nullptr;
  Value owned_ = std::int64_t{0};
};

const std::string* text_in(const Cell& cell) {
  return std::get_if<std::string>(&cell.value());
}

std::int64_t elements_of(const Value& value) {
  const auto* array = std::get_if<Array>(&value);
  return array == nullptr ? 1 : static_cast<std::int64_t>(array->size());
}

class Machine {
 public:
  Machine(const Code& code, Shared& shared) : code_(code), shared_(shared), stack_(&memory_) {
    stack_.reserve(code.depth);
  }

  Outcome run() {
    while (next_ < code_.instructions.size()) {
      const Instruction& instruction = code_.instructions[next_++];
      if (!step(instruction)) {
        return Failure{std::move(problem_), failed_at_.value_or(instruction.point)};
      }
    }
    return stack_.back().take();
  }

 private:
  // Each of these is false if there is a problem_.
  bool step(const Instruction& instruction) {
    if (!afford(shared_.budget, kStepCost)) return fail(kTooSlow);
    const std::uint32_t operand = instruction.operand;
    switch (instruction.action) {
      case Action::kPush:
        stack_.emplace_back(&code_.values[operand]);
        return true;
      case Action::kVariable:
        return variable(code_.names[operand]);
      case Action::kCapture:
        return push(operand < shared_.captures.size() ? shared_.captures[operand] : std::string());
      case Action::kUnary:
        return unary(static_cast<UnaryOp>(operand));
      case Action::kBinary:
        return binary(static_cast<BinaryOp>(operand));
      case Action::kJoin:
        return join(code_.joins[operand]);
      case Action::kList:
        return list(operand);
      case Action::kIndex:
        return index();
      case Action::kCall:
        return call(*code_.calls[operand]);
      case Action::kMatch:
        return match(code_.regexes[operand]);
      case Action::kAsk:
        return ask(static_cast<Special>(operand));
      case Action::kTruth:
        stack_.back().set(truth(is_true(top())));
        return true;
      default:
        jump(instruction);
        return true;
    }
  }

  void jump(const Instruction& instruction) {
    const bool holds = instruction.action != Action::kJump && is_true(top());
    switch (instruction.action) {
      case Action::kJumpIfFalse:
        stack_.pop_back();
        if (holds) return;
        break;
      case Action::kAnd:
        if (holds) return stack_.pop_back();
        stack_.back().set(truth(false));
        break;
      case Action::kOr:
        if (!holds) return stack_.pop_back();
        stack_.back().set(truth(true));
        break;
      default:
        break;
    }
    next_ = instruction.operand;
  }

  bool variable(const Code::Variable& variable) {
    const Value* value = shared_.environment.variable(variable.slot, variable.name);
    if (value == nullptr) return fail(mention(variable.name) + " has no value here");
    if (size_of(*value) > kMaxValueBytes) {
      return fail("the value of " + variable.name + " is larger than 64 KiB");
    }
    stack_.emplace_back(value);
    return true;
  }

  bool unary(UnaryOp op) {
    if (!afford_bytes(1)) return false;
    stack_.back().set(compute(op, top()));
    return true;
  }

  bool binary(BinaryOp op) {
    if (!afford_bytes(2)) return false;
    Computed result = compute(op, under_top(), top(), code_.constant_order);
    if (const auto* problem = std::get_if<std::string_view>(&result)) return fail(*problem);
    return replace(2, std::get<Value>(std::move(result)));
  }

  // Texts one after the other. `points` are those of the operators between them.
  bool join(const std::vector<std::uint32_t>& points) {
    const std::size_t count = points.size() + 1;
    const auto operands = std::span(stack_).last(count);
    std::array<std::string, 1> converted;
    std::string joined;
    std::size_t size = 0;
    for (const Cell& operand : operands) {
      const std::string* text = text_in(operand);
      size += text != nullptr ? text->size() : 0;
    }
    joined.reserve(std::min(size, kMaxValueBytes));
    for (std::size_t i = 0; i < count; ++i) {
      const std::string* text = text_in(operands[i]);
      if (text == nullptr) {
        converted[0] = to_text(operands[i].value());
        text = &converted[0];
      }
      if (joined.size() + text->size() > kMaxValueBytes) {
        failed_at_ = points[i == 0 ? 0 : i - 1];
        return fail(kTooLarge);
      }
      joined += *text;
    }
    return replace(count, Value(std::move(joined)));
  }

  bool list(std::size_t size) {
    std::size_t bytes = 0;
    for (const Cell& cell : std::span(stack_).last(size)) bytes += size_of(cell.value());
    if (bytes > kMaxValueBytes) return fail(kTooLarge);
    Array array;
    array.reserve(size);
    for (Cell& cell : std::span(stack_).last(size)) array.push_back(cell.take());
    return replace(size, Value(std::move(array)));
  }

  bool index() {
    Value found = element(under_top(), top());
    return replace(2, std::move(found));
  }

  bool call(const Function& function) {
    if (!afford_bytes(function.arity) || !afford_comparisons(function)) return false;
    std::array<const Value*, kMaxArity> values{};
    const auto operands = std::span(stack_).last(function.arity);
    for (std::size_t i = 0; i < operands.size(); ++i) values[i] = &operands[i].value();
    Value result = function.apply(Arguments(values, code_.constant_order));
    return replace(function.arity, std::move(result));
  }

  bool match(const Regex& regex) {
    std::string converted;
    const std::string* text = text_in(stack_.back());
    if (text == nullptr) {
      converted = to_text(top());
      text = &converted;
    }
    if (!afford(shared_.budget, cost_of_search(regex.instructions(), text->size()))) {
      return fail(kTooSlow);
    }
    const bool found = regex.search(*text, shared_.groups, shared_.captures);
    stack_.back().set(truth(found));
    return true;
  }

  // The functions that ask for what neither the program nor the environment's variables hold.
  bool ask(Special special) {
    if (special == Special::kIsLocalDomain) {
      stack_.back().set(is_local_domain(code_.lookups.get(), to_text(top())));
      return true;
    }
    const std::string first = to_text(under_top());
    const std::string second = to_text(top());
    Found found = special == Special::kKeyExists ? key_exists(code_.lookups.get(), first, second)
                  : special == Special::kKeyGet  ? key_get(code_.lookups.get(), first, second)
                                                 : query(first, second);
    if (auto* problem = std::get_if<std::string>(&found)) return fail(std::move(*problem));
    return replace(2, std::get<Value>(std::move(found)));
  }

  Found query(const std::string& name, const std::string& type) {
    shared_.budget.total += kAnswerAllowance;
    shared_.budget.left += kAnswerAllowance;
    return dns_query(shared_.environment.dns(), name, type);
  }

  const Value& top() const { return stack_.back().value(); }
  const Value& under_top() const { return stack_[stack_.size() - 2].value(); }

  // Pays for a look at every byte of the topmost `count` values.
  bool afford_bytes(std::size_t count) {
    std::size_t bytes = 0;
    for (const Cell& cell : std::span(stack_).last(count)) bytes += size_of(cell.value());
    return afford(shared_.budget, kByteCost * static_cast<std::int64_t>(bytes)) || fail(kTooSlow);
  }

  bool afford_comparisons(const Function& function) {
    if (function.growth == Growth::kBytes) return true;
    const auto operands = std::span(stack_).last(function.arity);
    const Value& first = operands[0].value();
    const Value& other = function.arity == 2 ? operands[1].value() : first;
    const std::int64_t elements = elements_of(first);
    std::int64_t comparisons = elements * elements_of(other);
    // Comparing long texts takes longer.
    std::int64_t cost = static_cast<std::int64_t>(size_of(first)) * elements_of(other) / 2;
    if (function.growth == Growth::kSorting) {
      const auto rounds = std::bit_width(static_cast<std::uint64_t>(elements));
      comparisons = elements * static_cast<std::int64_t>(rounds);
      cost = 0;
    }
    cost += kComparisonCost * comparisons;
    return afford(shared_.budget, cost) || fail(kTooSlow);
  }

  bool push(Value value) {
    stack_.emplace_back(std::move(value));
    return true;
  }

  // Puts a result in the place of the topmost `count` values.
  bool replace(std::size_t count, Value value) {
    const std::size_t bytes = size_of(value);
    if (bytes > kMaxValueBytes) return fail(kTooLarge);
    if (!afford(shared_.budget, kCopiedByteCost * static_cast<std::int64_t>(bytes))) {
      return fail(kTooSlow);
    }
    if (count == 0) return push(std::move(value));
    stack_.erase(stack_.end() - static_cast<std::ptrdiff_t>(count) + 1, stack_.end());
    stack_.back().set(std::move(value));
    return true;
  }

  bool fail(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  static constexpr std::size_t kUsualDepth = 8;

  const Code& code_;
  Shared& shared_;
  alignas(Cell) std::array<std::byte, kUsualDepth * sizeof(Cell)> room_;
  std::pmr::monotonic_buffer_resource memory_{room_.data(), room_.size()};
  std::pmr::vector<Cell> stack_;
  std::size_t next_ = 0;
  std::string problem_;
  std::optional<std::size_t> failed_at_;
};

// Programs that are one value need no machine.
Outcome run(const Program& program, Shared& shared) {
  if (const Value* known = program.constant()) return *known;
  return Machine(program.code(), shared).run();
}

std::size_t groups_read(const IfBlock& block) {
  std::size_t groups = block.otherwise.code().groups_read;
  for (const auto& [condition, result] : block.branches) {
    groups = std::max({groups, condition.code().groups_read, result.code().groups_read});
  }
  return groups;
}

}  // namespace

Outcome evaluate(const Program& program, const Environment& environment) {
  std::vector<std::string> captures;
  Budget budget;
  Shared shared{environment, captures, budget, program.code().groups_read};
  return run(program, shared);
}

Outcome evaluate(const IfBlock& block, const Environment& environment, Trace* trace) {
  Evaluation evaluation(block, environment);
  auto chosen = evaluation.choose(trace);
  if (auto* failure = std::get_if<Failure>(&chosen)) return std::move(*failure);
  return evaluation.result(std::get<std::size_t>(chosen));
}

std::variant<std::size_t, Failure> Evaluation::choose(Trace* trace) {
  if (trace != nullptr) *trace = {};
  if (block_.branches.empty()) return std::size_t{0};
  Shared shared{environment_, captures_, budget_, groups_read(block_)};
  for (std::size_t i = 0; i < block_.branches.size(); ++i) {
    Outcome condition = run(block_.branches[i].condition, shared);
    if (auto* failure = std::get_if<Failure>(&condition)) return std::move(*failure);
    auto& value = std::get<Value>(condition);
    const bool holds = is_true(value);
    if (trace != nullptr) {
      trace->conditions.push_back(std::move(value));
      if (holds) trace->branch = i;
    }
    if (holds) return i;
  }
  return block_.branches.size();
}

Outcome Evaluation::result(std::size_t branch) {
  const Program& program =
      branch < block_.branches.size() ? block_.branches[branch].result : block_.otherwise;
  Shared shared{environment_, captures_, budget_, program.code().groups_read};
  return run(program, shared);
}

}  // namespace expr
