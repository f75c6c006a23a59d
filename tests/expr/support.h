#pragma once
// What the tests of the language share: a schema with a few names, values for them, and short ways
// to compile and evaluate.

#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "expr/expression.h"

namespace expr {

inline void PrintTo(const Value& value, std::ostream* out) {
  *out << to_literal(value);
}
inline void PrintTo(const Diagnostic& found, std::ostream* out) {
  *out << found.offset << "+" << found.length << ": " << found.message << " (" << found.suggestion
       << ")";
}

namespace testing_support {

// What docs/expressions.md says of the lookups in its examples.
inline std::shared_ptr<const Lookups> lookups() {
  Lookups lookups;
  lookups.by_name["partners"] = {{"example.com", ""}, {"example.net", ""}};
  lookups.by_name["contacts"] = {{"example.com", "tls@example.com"}};
  lookups.is_local_domain = [](std::string_view domain) { return domain == "example.org"; };
  return std::make_shared<const Lookups>(std::move(lookups));
}

// A DNS that knows example.com, and is silent about example.net.
class TableDns final : public Dns {
 public:
  DnsResult query(std::string_view name, DnsType type) override {
    ++asked;
    if (name == "example.net") return {{}, "SERVFAIL"};
    if (name == "192.0.2.1" && type == DnsType::kPtr) return {{"mail.example.com"}, ""};
    if (name != "example.com") return {};
    switch (type) {
      case DnsType::kTxt:
        return {{"v=spf1 mx -all", "other=text"}, ""};
      case DnsType::kMx:
        return {{"mx1.example.com", "mx2.example.com"}, ""};
      case DnsType::kIp:
        return {{"192.0.2.1", "2001:db8::1"}, ""};
      case DnsType::kIpv4:
        return {{"192.0.2.1"}, ""};
      case DnsType::kIpv6:
        return {{"2001:db8::1"}, ""};
      case DnsType::kPtr:
        break;
    }
    return {};
  }

  int asked = 0;
};

inline Schema schema() {
  Schema schema;
  schema.lookups = lookups();
  schema.variables = {{"rcpt_domain", Type::kString},
                      {"empty", Type::kString},
                      {"failed_sessions", Type::kInteger},
                      {"ratio", Type::kFloat},
                      {"policy_types", Type::kArray},
                      {"frequency", Type::kConstant},
                      {"flag", Type::kTruth},
                      {"anything", Type::kAny},
                      {"absent", Type::kString}};
  schema.constants = {"hourly", "daily", "weekly", "never", "disable"};
  schema.unavailable = {{"report_id", "is known only in subject"}};
  schema.system = {{"domain", "example.org"}, {"hostname", "mail.example.org"}};
  return schema;
}

// `absent` is declared but has no value.
inline MapEnvironment environment() {
  MapEnvironment environment;
  environment.set("rcpt_domain", Value("mail.example.com"));
  environment.set("empty", Value(""));
  environment.set("failed_sessions", Value(std::int64_t{7}));
  environment.set("ratio", Value(0.5));
  environment.set("policy_types", Value(Array{Value("sts"), Value("tlsa")}));
  environment.set("frequency", Value(Constant{"daily"}));
  environment.set("flag", Value(std::int64_t{1}));
  environment.set("anything", Value(Array{Value("x")}));
  return environment;
}

inline Program compiled(std::string_view source) {
  Compilation compilation = compile(source, schema());
  if (!compilation.program) {
    ADD_FAILURE() << source << ": " << testing::PrintToString(compilation.diagnostics);
    return *compile("'does not compile'", Schema{}).program;
  }
  return *compilation.program;
}

// The value as a literal, or "error OFFSET: MESSAGE".
inline std::string shown(const Outcome& outcome) {
  if (const auto* failure = std::get_if<Failure>(&outcome)) {
    return "error " + std::to_string(failure->offset) + ": " + failure->message;
  }
  return to_literal(std::get<Value>(outcome));
}

inline std::string evaluated(std::string_view source) {
  return shown(evaluate(compiled(source), environment()));
}

// An expression and the literal it evaluates to.
struct Case {
  const char* input;
  const char* want;
};

inline void PrintTo(const Case& test, std::ostream* out) {
  *out << test.input;
}

// A name for a test of a table: its place and the letters of its input.
template <class Row>
std::string row_name(const testing::TestParamInfo<Row>& test) {
  std::string name = std::to_string(test.index) + "_";
  for (const char c : std::string_view(test.param.input)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
    if (name.size() > 40) break;
  }
  return name;
}

}  // namespace testing_support
}  // namespace expr
