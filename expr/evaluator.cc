// The stack machine that runs checked programs. It cannot loop and does not recurse: every jump of
// its instructions leads forward. Operands stay where they stand, in the program or the
// environment, and are copied only when they become a result.

#include <algorithm>
#include <array>
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
constexpr std::string_view kTooSlow =
    "this could take longer than a setting may: shorten the text or the regular expression, or ask "
    "a lookup";

const std::array<Value, 2> kTruths = {Value(std::int64_t{0}), Value(std::int64_t{1})};

// What the programs of one evaluation share.
struct Shared {
  const Environment& environment;
  std::vector<std::string>& captures;  // of the last matches() that was evaluated
  Budget& budget;
  std::size_t groups;  // how many captures any of the programs reads: those from $0 on
};

bool are_texts(std::span<const Value* const> values) {
  return std::all_of(values.begin(), values.end(), [](const Value* value) {
    return std::holds_alternative<std::string>(*value);
  });
}

// Values of the machine's own live in first_ and temporaries_; the stack holds pointers to them and
// to values that stand elsewhere. A machine runs once.
class Machine {
 public:
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  Machine(const Code& code, Shared& shared) : code_(code), shared_(shared) {
    if (code.depth <= kUsualDepth) return;
    large_.resize(code.depth);
    stack_ = large_.data();
  }

  // The result, valid as long as this object. Null: failure() says why.
  const Value* run() {
    const auto steps = static_cast<std::int64_t>(code_.instructions.size());
    if (!afford(shared_.budget, steps * kStepCost)) {
      fail(kTooSlow);
      return nullptr;
    }
    while (next_ < code_.instructions.size()) {
      const Instruction& instruction = code_.instructions[next_++];
      if (!step(instruction)) return nullptr;
    }
    return top();
  }

  Failure failure() {
    const std::size_t last = next_ == 0 ? 0 : next_ - 1;
    return {std::move(problem_), failed_at_.value_or(code_.instructions[last].point)};
  }

  // The result as a value of one's own.
  Value take() {
    const Value* result = top();
    if (first_ && result == &*first_) return *std::move(first_);
    for (Value& own : temporaries_) {
      if (&own == result) return std::move(own);
    }
    return *result;
  }

 private:
  // Each of these is false if there is a problem_.
  bool step(const Instruction& instruction) {
    const std::uint32_t operand = instruction.operand;
    switch (instruction.action) {
      case Action::kPush:
        return push(&code_.values[operand]);
      case Action::kVariable:
        return variable(code_.names[operand]);
      case Action::kCapture:
        return capture(operand);
      case Action::kUnary:
        return pay(cost_of_bytes(topmost(1))) &&
               replace(1, compute(static_cast<UnaryOp>(operand), *top()));
      case Action::kBinary:
        return binary(static_cast<BinaryOp>(operand));
      case Action::kJoin:
        return join(code_.joins[operand]);
      case Action::kList:
        return list(operand);
      case Action::kIndex:
        return replace(2, element(*under_top(), *top()));
      case Action::kCall:
        return call(*code_.calls[operand]);
      case Action::kMatch:
        return match(code_.regexes[operand]);
      case Action::kAsk:
        return ask(static_cast<Special>(operand));
      case Action::kTruth:
        return replace(1, is_true(*top()));
      default:
        jump(instruction);
        return true;
    }
  }

  void jump(const Instruction& instruction) {
    const bool holds = instruction.action != Action::kJump && is_true(*top());
    switch (instruction.action) {
      case Action::kJumpIfFalse:
        --size_;
        if (holds) return;
        break;
      case Action::kAnd:
        if (holds) return void(--size_);
        replace(1, false);
        break;
      case Action::kOr:
        if (!holds) return void(--size_);
        replace(1, true);
        break;
      default:
        break;
    }
    next_ = instruction.operand;
  }

  bool variable(const Code::Variable& variable) {
    const Value* value = shared_.environment.variable(variable.slot, variable.name);
    if (value == nullptr) return fail(mention(variable.name) + " has no value here");
    const std::size_t bytes = size_of(*value);
    if (bytes > kMaxValueBytes) {
      return fail("the value of " + variable.name + " is larger than 64 KiB");
    }
    const bool counted = std::holds_alternative<Array>(*value);  // element by element
    if (counted && !pay(static_cast<std::int64_t>(bytes) / 4)) return false;
    return push(value);
  }

  bool capture(std::size_t group) {
    const auto& captures = shared_.captures;
    return replace(0, Value(group < captures.size() ? captures[group] : std::string()));
  }

  bool binary(BinaryOp op) {
    if (!pay(cost_of_operands(op))) return false;
    if (op == BinaryOp::kEqual) return replace(2, equal(*under_top(), *top()));
    if (op == BinaryOp::kNotEqual) return replace(2, !equal(*under_top(), *top()));
    Computed result = compute(op, *under_top(), *top(), code_.constant_order);
    if (const auto* problem = std::get_if<std::string_view>(&result)) return fail(*problem);
    return replace(2, std::get<Value>(std::move(result)));
  }

  std::int64_t cost_of_operands(BinaryOp op) const {
    std::int64_t cost = cost_of_bytes(topmost(2));
    if (op == BinaryOp::kAdd) cost += cost_of_texts(topmost(2));
    if (op == BinaryOp::kSubtract) cost += cost_of_pairs(*under_top(), *top());
    return cost;
  }

  // Texts one after the other. `points` are those of the operators between them.
  bool join(const std::vector<std::uint32_t>& points) {
    const auto operands = topmost(points.size() + 1);
    if (!pay(cost_of_texts(operands))) return false;
    std::size_t size = 0;
    for (const Value* operand : operands) size += size_of(*operand);
    std::string joined;
    joined.reserve(std::min(size, kMaxValueBytes));
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (const auto* text = std::get_if<std::string>(operands[i])) {
        joined += *text;
      } else {
        joined += to_text(*operands[i]);
      }
      if (joined.size() > kMaxValueBytes) {
        failed_at_ = points[i == 0 ? 0 : i - 1];
        return fail(kTooLarge);
      }
    }
    return replace(operands.size(), Value(std::move(joined)));
  }

  bool list(std::size_t size) {
    const auto operands = topmost(size);
    std::size_t bytes = 0;
    for (const Value* operand : operands) bytes += size_of(*operand);
    if (bytes > kMaxValueBytes) return fail(kTooLarge);
    Array array;
    array.reserve(size);
    for (const Value* operand : operands) array.push_back(*operand);
    return replace(size, Value(std::move(array)));
  }

  bool call(const Function& function) {
    const auto operands = topmost(function.arity);
    const bool plain = function.growth == Growth::kBytes && are_texts(operands);
    const auto cost = plain ? cost_of_bytes(operands) : cost_of_call(function, operands);
    if (!pay(cost)) return false;
    std::array<const Value*, kMaxArity> values{};
    std::copy(operands.begin(), operands.end(), values.begin());
    return replace(function.arity, function.apply(Arguments(values, code_.constant_order)));
  }

  bool match(const Regex& regex) {
    if (!pay(cost_of_texts(topmost(1)))) return false;
    std::string converted;
    const auto* text = std::get_if<std::string>(top());
    if (text == nullptr) {
      converted = to_text(*top());
      text = &converted;
    }
    if (!pay(cost_of_search(regex.instructions(), text->size()))) return false;
    return replace(1, regex.search(*text, shared_.groups, shared_.captures));
  }

  // The functions that ask for what neither the program nor the environment's variables hold.
  bool ask(Special special) {
    const Lookups* lookups = code_.lookups.get();
    const auto operands = topmost(special == Special::kIsLocalDomain ? 1 : 2);
    if (!pay(cost_of_bytes(operands) + cost_of_texts(operands))) return false;
    if (special == Special::kIsLocalDomain) {
      if (!pay(kDomainCost)) return false;
      return replace(1, is_local_domain(lookups, to_text(*top())));
    }
    const std::string first = to_text(*under_top());
    const std::string second = to_text(*top());
    Found found = special == Special::kKeyExists ? key_exists(lookups, first, second)
                  : special == Special::kKeyGet  ? key_get(lookups, first, second)
                                                 : query(first, second);
    if (auto* problem = std::get_if<std::string>(&found)) return fail(std::move(*problem));
    return replace(2, std::get<Value>(std::move(found)));
  }

  Found query(const std::string& name, const std::string& type) {
    shared_.budget.total += kAnswerAllowance;
    return dns_query(shared_.environment.dns(), name, type);
  }

  const Value* top() const { return stack_[size_ - 1]; }
  const Value* under_top() const { return stack_[size_ - 2]; }
  std::span<const Value* const> topmost(std::size_t count) const {
    return {stack_ + (size_ - count), count};
  }

  bool pay(std::int64_t cost) { return afford(shared_.budget, cost) || fail(kTooSlow); }

  bool push(const Value* value) {
    stack_[size_++] = value;
    return true;
  }

  // Puts a result in the place of the topmost `count` values.
  bool replace(std::size_t count, bool holds) {
    size_ -= count;
    return push(&kTruths[holds ? 1 : 0]);
  }

  bool replace(std::size_t count, Value value) {
    const std::size_t bytes = size_of(value);
    if (bytes > kMaxValueBytes) return fail(kTooLarge);
    if (!pay(kCopiedByteCost * static_cast<std::int64_t>(bytes))) return false;
    size_ -= count;
    if (!first_) return push(&first_.emplace(std::move(value)));
    // Every instruction runs once at most, so that no value has to move.
    if (temporaries_.empty()) temporaries_.reserve(code_.instructions.size());
    temporaries_.push_back(std::move(value));
    return push(&temporaries_.back());
  }

  bool fail(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  static constexpr std::size_t kUsualDepth = 16;

  const Code& code_;
  Shared& shared_;
  std::array<const Value*, kUsualDepth> usual_;
  std::vector<const Value*> large_;
  const Value** stack_ = usual_.data();
  std::size_t size_ = 0;
  std::optional<Value> first_;  // most programs need no more than one of their own
  std::vector<Value> temporaries_;
  std::size_t next_ = 0;
  std::string problem_;
  std::optional<std::size_t> failed_at_;
};

// Programs that are one value need no machine.
Outcome run(const Program& program, Shared& shared) {
  if (const Value* known = program.constant()) return *known;
  const Code& code = program.code();
  if (code.is_variable) {
    const auto& [name, slot] = code.names[0];
    auto own = shared.environment.own(slot, name);
    if (own && size_of(*own) <= kMaxValueBytes) return *std::move(own);
  }
  Machine machine(code, shared);
  if (machine.run() == nullptr) return machine.failure();
  return machine.take();
}

// matches() with a variable, the condition of most long blocks, without the machine. Null if it
// needs the machine after all.
const Value* search(const Code& code, Shared& shared) {
  const auto& [name, slot] = code.names[0];
  const Value* value = shared.environment.variable(slot, name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  if (text == nullptr || text->size() > kMaxValueBytes) return nullptr;
  const Regex& regex = code.regexes[0];
  const auto cost = 2 * kStepCost + cost_of_search(code.search_instructions, text->size());
  if (!afford(shared.budget, cost)) return nullptr;
  return &kTruths[regex.search(*text, shared.groups, shared.captures) ? 1 : 0];
}

}  // namespace

std::size_t captures_read_by(const IfBlock& block) {
  std::size_t groups = block.otherwise.code().groups_read;
  for (const auto& [condition, result] : block.branches) {
    groups = std::max({groups, condition.code().groups_read, result.code().groups_read});
  }
  return groups;
}

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
  Shared shared{environment_, captures_, budget_, block_.captures_read};
  for (std::size_t i = 0; i < block_.branches.size(); ++i) {
    const Code& code = block_.branches[i].condition.code();
    const Value* value = code.constant    ? &*code.constant
                         : code.is_search ? search(code, shared)
                                          : nullptr;
    std::optional<Machine> machine;
    if (value == nullptr) value = machine.emplace(code, shared).run();
    if (value == nullptr) return machine->failure();
    if (trace != nullptr) trace->conditions.push_back(*value);
    if (!is_true(*value)) continue;
    if (trace != nullptr) trace->branch = i;
    return i;
  }
  return block_.branches.size();
}

Outcome Evaluation::result(std::size_t branch) {
  const Program& program =
      branch < block_.branches.size() ? block_.branches[branch].result : block_.otherwise;
  Shared shared{environment_, captures_, budget_, block_.captures_read};
  return run(program, shared);
}

}  // namespace expr
