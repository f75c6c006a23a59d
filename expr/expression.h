#pragma once
// The expression language: text to a checked program, a program to a value. docs/expressions.md is
// the reference. Knows no mail, no TOML and no clock: names and their types come from a Schema,
// their values from an Environment. Nothing here does I/O, and evaluating changes nothing.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace expr {

// A name with a meaning of its own, such as daily. Equal if the names are equal.
struct Constant {
  std::string name;
  friend bool operator==(const Constant&, const Constant&) = default;
};

struct Value;
using Array = std::vector<Value>;

// Truth values are the integers 1 and 0.
struct Value : std::variant<std::string, std::int64_t, double, Array, Constant> {
  using variant::variant;
};

// What is known about a value before it exists. kTruth is an integer that is 0 or 1.
enum class Type { kAny, kString, kInteger, kFloat, kArray, kConstant, kTruth };

std::string_view to_string(Type type);  // "string", "integer", "truth value", …

// As `+` would join it to a string: numbers in their shortest form, arrays as ['a', 1].
std::string to_text(const Value& value);

// As it would be written in an expression: 'it\'s', 3.0, ['a', 1], daily.
std::string to_literal(const Value& value);

// False for 0, 0.0, '' and [], true for everything else.
bool is_true(const Value& value);

enum class Severity { kError, kAdvice };

// Something to tell the author of an expression. Offset and length are bytes of its source.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::size_t offset = 0;
  std::size_t length = 1;
  std::string message;     // one sentence without a full stop: "unknown name 'rcpt_domian'"
  std::string suggestion;  // "did you mean rcpt_domain?"; may be empty
};

// What an expression may mention.
struct Schema {
  struct Variable {
    std::string name;
    Type type = Type::kString;
  };
  std::vector<Variable> variables;
  std::vector<std::string> constants;  // "hourly", …; the same name may not be a variable
  // Names that exist but not here, with the reason: {"report_id", "is known only in subject"}.
  std::map<std::string, std::string> unavailable;
  std::map<std::string, std::string> system;  // the arguments of system('…') and their values
};

// The values of the variables. Called from the thread that evaluates.
class Environment {
 public:
  virtual ~Environment() = default;
  // Null if the name has no value here, which ends the evaluation with an error. The pointer stays
  // valid until the environment is changed.
  virtual const Value* variable(std::string_view name) const = 0;
};

class MapEnvironment final : public Environment {
 public:
  void set(std::string name, Value value) {
    values_.insert_or_assign(std::move(name), std::move(value));
  }
  const Value* variable(std::string_view name) const override {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

struct Failure {
  std::string message;     // one sentence
  std::size_t offset = 0;  // where in the source of the program that failed
};

using Outcome = std::variant<Value, Failure>;

struct Code;  // the checked program; expr/code.h

// A checked expression. Immutable, cheap to copy, used from any number of threads at once.
class Program {
 public:
  explicit Program(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  const std::string& source() const;
  Type type() const;              // of its result, as far as it is known
  const Value* constant() const;  // the result if it depends on nothing; else null
  bool mentions(std::string_view variable) const;
  std::string dump() const;  // one line, for tests: "(+ 'a' (call system 'domain'))"
  const Code& code() const { return *code_; }

 private:
  std::shared_ptr<const Code> code_;
};

struct Compilation {
  std::optional<Program> program;       // absent if any diagnostic is an error
  std::vector<Diagnostic> diagnostics;  // in the order of their offsets
};

// Never throws, whatever the text. Limits: 8 KiB of source, nesting 64, 1,024 nodes, 1 MiB of
// compiled regular expressions, 64 KiB of result; each is a diagnostic or a Failure.
Compilation compile(std::string_view source, const Schema& schema);

Outcome evaluate(const Program& program, const Environment& environment);

// if … then …, in order; the first true condition chooses. Captures of matches() live across all of
// it: a `then` and the later conditions see those of the last matches() that was evaluated.
struct IfBlock {
  struct Branch {
    Program condition;
    Program result;
  };
  std::vector<Branch> branches;
  Program otherwise;
};

// What evaluating a block found on its way. After a Failure it tells which program failed: the
// result of `branch`; else condition number conditions.size(); else, if all were asked,
// `otherwise`.
struct Trace {
  std::vector<Value> conditions;      // of the branches that were asked, in order
  std::optional<std::size_t> branch;  // the one taken; absent: `otherwise`
};

Outcome evaluate(const IfBlock& block, const Environment& environment, Trace* trace = nullptr);

}  // namespace expr
