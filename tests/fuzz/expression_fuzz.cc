// Any text as expressions: what compile() and evaluate() promise of all of them. The parts of the
// text between ";;" are those of an if-block: condition, result, condition, result, else. What is
// missing is the first part.

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "expr/expression.h"
#include "expr/grammar.h"
#include "expr/printer.h"
#include "expr/value.h"
#include "fuzz/require.h"

namespace {

using namespace expr;
using fuzz::require;
using testing_support::print;

constexpr std::string_view kTooSlow =
    "this could take longer than a setting may: shorten the text or the regular expression, or ask "
    "a lookup";
// Of processor time for one evaluation. A millisecond is promised; sanitizers and a slow machine
// multiply it, but what grows with the square of a text takes seconds.
constexpr std::int64_t kMostMilliseconds = 500;

// Answers at once, the same each time.
class FixedDns final : public Dns {
 public:
  DnsResult query(std::string_view name, DnsType type) override {
    if (name.empty()) return {{}, "there is no such name"};
    switch (type) {
      case DnsType::kTxt:
        return {{"v=TLSRPTv1; rua=mailto:a@" + std::string(name), ""}, ""};
      case DnsType::kIp:
      case DnsType::kIpv4:
        return {{"192.0.2.1", "192.0.2.77"}, ""};
      case DnsType::kIpv6:
        return {{"2001:db8::1"}, ""};
      default:
        return {name.size() % 2 == 0 ? std::vector<std::string>{std::string(name)}
                                     : std::vector<std::string>{},
                ""};
    }
  }
};

Schema schema() {
  auto lookups = std::make_shared<Lookups>();
  lookups->by_name["vip"] = {{"example.com", ""}, {"12", ""}};
  lookups->by_name["owner"] = {{"example.com", "Bob"}, {"a", "1"}, {"", "0"}};
  lookups->is_local_domain = [](std::string_view domain) {
    return domain.ends_with("example.org");
  };
  Schema schema;
  schema.variables = {{"rcpt_domain", Type::kString, 0},
                      {"empty", Type::kString, 1},
                      {"failed_sessions", Type::kInteger, 2},
                      {"ratio", Type::kFloat, 3},
                      {"policy_types", Type::kArray, 4},
                      {"frequency", Type::kConstant, 5},
                      {"flag", Type::kTruth, 6},
                      {"anything", Type::kAny, 7},
                      {"long", Type::kString, 8},
                      {"absent", Type::kString, 9}};
  schema.constants = {"hourly", "daily", "weekly", "never", "disable"};
  schema.unavailable = {{"report_id", "is known only in subject"},
                        {"hash", "is not available here"}};
  schema.system = {{"domain", "example.org"}, {"hostname", "mail.example.org"}};
  schema.lookups = std::move(lookups);
  return schema;
}

// By slot; where a value is missing the name has none.
class Row final : public Environment {
 public:
  Row(std::vector<Value> values, Dns* dns) : values_(std::move(values)), dns_(dns) {}
  const Value* variable(std::size_t slot, std::string_view) const override {
    return slot < values_.size() ? &values_[slot] : nullptr;
  }
  Dns* dns() const override { return dns_; }

 private:
  std::vector<Value> values_;
  Dns* dns_;
};

std::vector<Row> environments(Dns* dns) {
  const auto integer = [](std::int64_t number) { return Value(number); };
  std::vector<Row> rows;
  rows.emplace_back(
      std::vector<Value>{"mail.example.com", "", integer(7), 0.5, Array{"sts", "tlsa"},
                         Constant{"daily"}, integer(1), Array{"x"}, std::string(60'000, 'a')},
      dns);
  rows.emplace_back(std::vector<Value>{"12", "", integer(INT64_MIN), -1e308,
                                       Array{integer(1), 2.5, Array{}, "", Constant{"weekly"}},
                                       Constant{"never"}, integer(0),
                                       "\xC3\x89"
                                       "A.b@C.d\n\xFF",
                                       ""},
                    nullptr);
  rows.emplace_back(std::vector<Value>{"", "", integer(0), 0.0, Array{}, Constant{"disable"},
                                       integer(1), Constant{"hourly"}, "1e5"},
                    dns);
  return rows;
}

bool is_of(const Value& value, Type type) {
  if (type == Type::kAny) return true;
  if (type != Type::kTruth) return type_of(value) == type;
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr && (*integer == 0 || *integer == 1);
}

std::string shown(const Outcome& outcome) {
  if (const auto* failure = std::get_if<Failure>(&outcome)) {
    return "failure at " + std::to_string(failure->offset) + ": " + failure->message;
  }
  return to_literal(std::get<Value>(outcome));
}

bool took_too_long(const Outcome& outcome) {
  const auto* failure = std::get_if<Failure>(&outcome);
  return failure != nullptr && failure->message == kTooSlow;
}

void check_diagnostics(std::string_view source, const Compilation& compilation) {
  bool error = false;
  std::size_t last = 0;
  for (const Diagnostic& found : compilation.diagnostics) {
    error = error || found.severity == Severity::kError;
    const std::string what = std::to_string(found.offset) + "+" + std::to_string(found.length) +
                             ": " + found.message + " " + found.suggestion;
    const bool at_end = found.offset == source.size() && found.length == 1;
    require(found.length >= 1, "a diagnostic covers something", what);
    require(at_end || found.offset + found.length <= source.size(),
            "a diagnostic is about the text or its end", what);
    require(found.offset >= last, "diagnostics are in order", what);
    require(!found.message.empty(), "a diagnostic says something", what);
    require(found.message.find('\n') == std::string::npos, "a message is one line", what);
    last = found.offset;
  }
  require(compilation.program.has_value() == !error, "there is a program or an error");
}

void check_syntax(std::string_view source) {
  const auto parsed = parse(source);
  const auto* ast = std::get_if<Ast>(&parsed);
  if (ast == nullptr) return;
  const std::string printed = print(*ast);
  if (printed.size() > kMaxSourceBytes) return;
  const auto again = parse(printed);
  const auto* same = std::get_if<Ast>(&again);
  require(same != nullptr, "what was printed can be read", printed);
  require(dump(*same) == dump(*ast), "what was printed is the same tree", printed);
  require(print(*same) == printed, "what was printed is printed the same way", printed);
}

void check_value(const Program& program, const Value& value) {
  require(size_of(value) <= kMaxValueBytes, "a result has 64 KiB at most");
  require(is_of(value, program.type()), "the result is of the type that was promised",
          program.source() + " is " + to_literal(value) + ", not a " +
              std::string(to_string(program.type())));
  require(program.constant() == nullptr || to_literal(*program.constant()) == to_literal(value),
          "the result is the one that was known beforehand", program.source());
}

std::int64_t processor_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Outcome evaluated(const Program& program, const Row& row) {
  const std::int64_t begin = processor_time();
  Outcome outcome = evaluate(program, row);
  const std::int64_t used = processor_time() - begin;
  require(used <= kMostMilliseconds, "an evaluation takes about a millisecond",
          std::to_string(used) + " ms: " + program.source());
  return outcome;
}

void check_program(const Program& program, const std::vector<Row>& rows) {
  require(program.dump() == program.dump(), "a dump is always the same");
  for (const Row& row : rows) {
    const Outcome outcome = evaluated(program, row);
    const Outcome again = evaluated(program, row);
    if (took_too_long(outcome) || took_too_long(again)) continue;
    require(shown(outcome) == shown(again), "each evaluation gives the same",
            shown(outcome) + "\n" + shown(again));
    if (const auto* failure = std::get_if<Failure>(&outcome)) {
      require(failure->offset < program.source().size() && !failure->message.empty(),
              "a failure has a place and a message", shown(outcome));
      require(program.constant() == nullptr, "what is known beforehand does not fail",
              program.source());
    } else {
      check_value(program, std::get<Value>(outcome));
    }
  }
}

void check_trace(const IfBlock& block, const Trace& trace, const Outcome& outcome) {
  const std::size_t asked = trace.conditions.size();
  require(asked <= block.branches.size(), "no condition is asked twice");
  for (std::size_t i = 0; i < asked; ++i) {
    require(is_true(trace.conditions[i]) == (trace.branch == i),
            "the first true condition chooses");
  }
  const bool failed = std::holds_alternative<Failure>(outcome);
  require(failed || trace.branch || asked == block.branches.size(),
          "all conditions are asked before the else");
  const auto* value = std::get_if<Value>(&outcome);
  if (value == nullptr) return;
  check_value(trace.branch ? block.branches[*trace.branch].result : block.otherwise, *value);
}

// In two steps, and with no more captures than are read.
Outcome evaluated_in_steps(IfBlock block, const Row& row, Trace& trace) {
  block.captures_read = captures_read_by(block);
  Evaluation evaluation(block, row);
  auto chosen = evaluation.choose(&trace);
  if (auto* failure = std::get_if<Failure>(&chosen)) return std::move(*failure);
  return evaluation.result(std::get<std::size_t>(chosen));
}

void check_block(const IfBlock& block, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    Trace trace;
    const Outcome outcome = evaluate(block, row, &trace);
    check_trace(block, trace, outcome);
    Trace other;
    const Outcome again = evaluated_in_steps(block, row, other);
    if (took_too_long(outcome) || took_too_long(again)) continue;
    require(shown(outcome) == shown(again) && trace.branch == other.branch &&
                trace.conditions.size() == other.conditions.size(),
            "a block gives the same in one step and in two", shown(outcome) + "\n" + shown(again));
  }
}

std::vector<std::string_view> parts_of(std::string_view text) {
  constexpr std::string_view kSeparator = ";;";
  std::vector<std::string_view> parts;
  for (auto at = text.find(kSeparator); at != text.npos && parts.size() < 4;
       at = text.find(kSeparator)) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + kSeparator.size());
  }
  parts.push_back(text);
  parts.resize(5, parts.front());
  return parts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Schema kSchema = schema();
  static FixedDns dns;
  static const std::vector<Row> kRows = environments(&dns);

  const std::string text(data, data + size);
  const auto parts = parts_of(text);
  std::vector<Program> programs;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].data() == parts[0].data()) {
      if (!programs.empty()) programs.push_back(programs.front());
      continue;
    }
    const Compilation compilation = compile(parts[i], kSchema);
    check_diagnostics(parts[i], compilation);
    check_syntax(parts[i]);
    if (!compilation.program) continue;
    check_program(*compilation.program, kRows);
    programs.push_back(*compilation.program);
  }
  if (programs.size() == parts.size()) {
    check_block({{{programs[0], programs[1]}, {programs[2], programs[3]}}, programs[4]}, kRows);
  }
  return 0;
}
