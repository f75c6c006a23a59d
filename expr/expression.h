#pragma once
// The expression language: text to a checked program, a program to a value. docs/expressions.md is
// the reference. Knows no mail and no TOML: names and their types come from a Schema, their values
// from an Environment. Nothing here does I/O, and evaluating changes nothing.

#include <cstddef>
#include <cstdint>
#include <functional>
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
std::string with_article(Type type);    // "a string", "an integer", "any value", …
Type type_of(const Value& value);       // never kAny or kTruth

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

// A list of keys, or a map from keys to values: of a list the values are ''.
using Lookup = std::map<std::string, std::string, std::less<>>;

// What key_exists(), key_get() and is_local_domain() ask. Immutable once an expression knows it.
struct Lookups {
  std::map<std::string, Lookup, std::less<>> by_name;
  // Whether mail for the domain, however it is written, is ours. Any thread. May be empty: never.
  std::function<bool(std::string_view domain)> is_local_domain;
};

// What an expression may mention.
struct Schema {
  struct Variable {
    std::string name;
    Type type = Type::kString;
    std::size_t slot = 0;  // handed to Environment::variable()
  };
  std::vector<Variable> variables;
  std::vector<std::string> constants;  // "hourly", …; the same name may not be a variable
  std::map<std::string, std::string> synonyms;  // other names of constants: {"disable", "never"}
  // Names and functions that exist but not here, with the reason: {"report_id", "is known only in
  // subject"}.
  std::map<std::string, std::string> unavailable;
  std::map<std::string, std::string> system;  // the arguments of system('…') and their values
  std::shared_ptr<const Lookups> lookups;     // null: there are none
};

// The types of dns_query(): 'txt', 'mx', 'ip' (both kinds of addresses), 'ipv4', 'ipv6', 'ptr'.
enum class DnsType { kTxt, kMx, kIp, kIpv4, kIpv6, kPtr };

struct DnsResult {
  // kTxt: the text of each record. kMx: host names by preference. kPtr: host names. Addresses as
  // text. Empty: there is definitely none.
  std::vector<std::string> records;
  std::string problem;  // why nothing is known; ends the evaluation. Empty: `records` is the answer
};

// Answers dns_query(). Called from the thread that evaluates, which waits for it.
class Dns {
 public:
  virtual ~Dns() = default;
  // `name` is any text; of kPtr an address.
  virtual DnsResult query(std::string_view name, DnsType type) = 0;
};

// The values of the variables. Called from the thread that evaluates.
class Environment {
 public:
  virtual ~Environment() = default;
  // Null if the name has no value here, which ends the evaluation with an error. `slot` is the
  // schema's. The pointer stays valid until the environment is changed.
  virtual const Value* variable(std::size_t slot, std::string_view name) const = 0;
  // The same as a value of the caller's own.
  virtual std::optional<Value> own(std::size_t slot, std::string_view name) const {
    const Value* value = variable(slot, name);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
  // Null: dns_query() ends the evaluation with an error.
  virtual Dns* dns() const { return nullptr; }
};

class MapEnvironment final : public Environment {
 public:
  void set(std::string name, Value value) {
    values_.insert_or_assign(std::move(name), std::move(value));
  }
  // Not owned; null for none.
  void set_dns(Dns* dns) { dns_ = dns; }
  // Finds values by their names; the slots do not matter.
  const Value* variable(std::size_t, std::string_view name) const override {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }
  Dns* dns() const override { return dns_; }

 private:
  std::map<std::string, Value, std::less<>> values_;
  Dns* dns_ = nullptr;
};

struct Failure {
  std::string message;     // one sentence
  std::size_t offset = 0;  // where in the source of the program that failed
};

using Outcome = std::variant<Value, Failure>;

// One of the values that a program may yield: of if_then(…) one for each side, of everything else
// one. Offset and length are bytes of its source.
struct PossibleResult {
  Type type = Type::kAny;
  std::optional<Value> value;  // if it depends on nothing
  std::string failure;         // what ends every evaluation of it; mostly empty
  std::size_t offset = 0;
  std::size_t length = 1;
};

struct Code;  // the checked program; expr/code.h

// A checked expression. Immutable, cheap to copy, used from any number of threads at once.
class Program {
 public:
  explicit Program(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  const std::string& source() const;
  Type type() const;              // of its result, as far as it is known
  const Value* constant() const;  // the result if it depends on nothing; else null
  const std::vector<PossibleResult>& possible_results() const;
  std::size_t regex_bytes() const;  // of its compiled regular expressions
  bool mentions(std::string_view variable) const;
  bool asks_lookups() const;    // calls key_exists(), key_get() or is_local_domain()
  bool asks_dns() const;        // calls dns_query()
  bool reads_captures() const;  // reads $0, $1, …
  std::string dump() const;     // one line, for tests: "(+ 'a' (call system 'domain'))"
  const Code& code() const { return *code_; }

 private:
  std::shared_ptr<const Code> code_;
};

struct Compilation {
  std::optional<Program> program;       // absent if any diagnostic is an error
  std::vector<Diagnostic> diagnostics;  // in the order of their offsets
};

// Never throws, whatever the text. Limits: 8 KiB of source, nesting 64, 1,024 nodes, 1 MiB of
// compiled regular expressions; each is a diagnostic.
Compilation compile(std::string_view source, const Schema& schema);

// if … then …, in order; the first true condition chooses. Captures of matches() live across all of
// it: a `then` and the later conditions see those of the last matches() that was evaluated.
struct IfBlock {
  struct Branch {
    Program condition;
    Program result;
  };
  std::vector<Branch> branches;
  Program otherwise;
  // $0 … $(captures_read - 1) are kept for the programs. Fewer is faster: see captures_read_by().
  std::size_t captures_read = 100;
};

// How many captures the programs of the block read at most.
std::size_t captures_read_by(const IfBlock& block);

// What was found on the way to a block's result. After a Failure it tells which program failed: the
// result of `branch`; else condition number conditions.size(); else, if all were asked,
// `otherwise`.
struct Trace {
  std::vector<Value> conditions;      // of the branches that were asked, in order
  std::optional<std::size_t> branch;  // the one taken; absent: `otherwise`
};

// Limits: 64 KiB for every value, and one millisecond of processor time for all of a block, ten
// more for each answer of the DNS; each is a Failure. A step that could take longer than the time
// that is left is not begun.
Outcome evaluate(const Program& program, const Environment& environment);
Outcome evaluate(const IfBlock& block, const Environment& environment, Trace* trace = nullptr);

// The time of an evaluation, in nanoseconds. Its beginning is not measured, but taken to be as long
// as it can be.
struct Budget {
  static constexpr std::int64_t kUnmeasured = 500'000;
  std::int64_t total = 1'000'000;
  std::int64_t left = kUnmeasured;  // certainly
  bool measured = false;
  std::int64_t before = 0;   // what was spent, at most, until measuring began
  std::int64_t started = 0;  // the thread's processor time when it did
};

// The same in two steps, for callers that know the result of some programs beforehand.
class Evaluation {
 public:
  // The block and the environment outlive this object.
  Evaluation(const IfBlock& block, const Environment& environment)
      : block_(block), environment_(environment) {}

  // Evaluates conditions until one is true. The number of its branch; branches.size(): `otherwise`.
  std::variant<std::size_t, Failure> choose(Trace* trace = nullptr);
  // Evaluates the result of the branch that choose() gave.
  Outcome result(std::size_t branch);

 private:
  const IfBlock& block_;
  const Environment& environment_;
  std::vector<std::string> captures_;
  Budget budget_;
};

}  // namespace expr
