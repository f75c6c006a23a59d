// rapporteur expr eval: tries an expression of the configuration.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/domain.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "schedule/dns_answers.h"

namespace rapporteur {

namespace {

// Names and values that the expression may use.
struct Surroundings {
  expr::Schema schema;
  expr::MapEnvironment environment;
};

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (text.empty() || !is_letter(text.front())) return false;
  return std::ranges::all_of(text, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

// Reads "name=value" into `values`. Returns what is wrong with it.
std::string read_assignment(std::string_view text, std::map<std::string, expr::Value>& values) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  if (equals == std::string_view::npos || !is_name(name)) {
    return fmt::format("--set: '{}' is not of the form name=value", text);
  }
  auto read = read_value(text.substr(equals + 1));
  if (!read.value) return fmt::format("--set: '{}': {}", text, read.problem);
  values.insert_or_assign(std::string(name), *std::move(read.value));
  return "";
}

// system() knows what the configuration says, if it can be read: the expression may do without.
std::map<std::string, std::string> system_of(const Config* config) {
  if (!config) return {};
  return {{"domain", config->domain}, {"hostname", config->hostname}};
}

Surroundings surroundings_of(std::map<std::string, expr::Value> values, const Config* config) {
  Surroundings result;
  const auto system = system_of(config);
  result.schema.system = system;
  if (config != nullptr) result.schema.lookups = config->lookups;
  for (const auto& constant : schema_for(Setting::kSendFrequency, system).constants) {
    if (!values.contains(constant)) result.schema.constants.push_back(constant);
  }
  for (const auto setting : kSettings) {
    for (const auto& variable : schema_for(setting, system).variables) {
      if (values.contains(variable.name)) continue;
      result.schema.unavailable.emplace(
          variable.name, fmt::format("has no value here; --set {}=… gives it one", variable.name));
    }
  }
  for (auto& [name, value] : values) {
    result.schema.variables.push_back({name, expr::type_of(value)});
    result.environment.set(name, std::move(value));
  }
  return result;
}

// "expression:1:5: error: …", the line, and a caret under the place.
struct Remark {
  expr::Severity severity = expr::Severity::kError;
  std::size_t column = 1;  // in characters
  std::string message;
  std::string suggestion;
  std::string text;
};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

Remark remark_on(std::string_view source, const expr::Diagnostic& diagnostic) {
  const auto offset = std::min(diagnostic.offset, source.size());
  const auto before = source.substr(0, offset);
  const auto line_start = before.rfind('\n') + 1;  // 0 if there is none
  const auto line = source.substr(line_start, source.find('\n', offset) - line_start);
  const auto line_number = 1 + std::ranges::count(before, '\n');
  const auto marked = source.substr(offset, diagnostic.length);

  Remark remark;
  remark.severity = diagnostic.severity;
  remark.column = 1 + characters(source.substr(line_start, offset - line_start));
  remark.message = diagnostic.message;
  remark.suggestion = diagnostic.suggestion;
  const auto width = std::max<std::size_t>(1, characters(marked.substr(0, marked.find('\n'))));
  std::string visible(to_valid_utf8(line));
  std::ranges::replace_if(
      visible, [](char byte) { return byte >= 0 && byte < ' '; }, ' ');
  remark.text = fmt::format("expression:{}:{}: {}: {}\n  {}\n  {}^{}", line_number, remark.column,
                            remark.severity == expr::Severity::kError ? "error" : "advice",
                            printable(remark.message), visible, std::string(remark.column - 1, ' '),
                            std::string(width - 1, '~'));
  if (!remark.suggestion.empty()) remark.text += "\n  " + printable(remark.suggestion);
  return remark;
}

int fail_with(const Context& context, const std::vector<Remark>& remarks) {
  if (context.json) {
    auto list = Json::array();
    std::string first;
    for (const auto& remark : remarks) {
      const bool error = remark.severity == expr::Severity::kError;
      if (error && first.empty()) first = remark.message;
      list.add(Json::object()
                   .set("column", std::uint64_t{remark.column})
                   .set("severity", error ? "error" : "advice")
                   .set("message", remark.message)
                   .set("suggestion", Json::text_or_null(remark.suggestion)));
    }
    context.print(Json::object().set("error", first).set("diagnostics", std::move(list)));
  }
  for (const auto& remark : remarks) context.world.err << remark.text << '\n';
  return kExitFailed;
}

void print_advice(const Context& context, const std::vector<Remark>& remarks) {
  for (const auto& remark : remarks) context.world.err << remark.text << '\n';
}

int print_value(const Context& context, const expr::Value& value) {
  if (context.json) {
    context.print(Json::object()
                      .set("type", expr::to_string(expr::type_of(value)))
                      .set("value", Json::of(value)));
  } else {
    context.world.out << expr::to_text(value) << '\n';
  }
  return kExitDone;
}

// `remarks` are advice. The one that foretells the failure is left out when it comes.
int run(const Context& context, const ExprEvalRequest& request, const expr::Program& program,
        const expr::Environment& environment, std::vector<Remark> remarks) {
  if (request.dump) {
    print_advice(context, remarks);
    if (context.json) {
      context.print(Json::object().set("program", program.dump()));
    } else {
      context.world.out << program.dump() << '\n';
    }
    return kExitDone;
  }
  const auto outcome = expr::evaluate(program, environment);
  if (const auto* failure = std::get_if<expr::Failure>(&outcome)) {
    expr::Diagnostic diagnostic;
    diagnostic.offset = failure->offset;
    diagnostic.message = failure->message;
    auto failed = remark_on(program.source(), diagnostic);
    std::erase_if(remarks, [&](const Remark& remark) { return remark.column == failed.column; });
    remarks.push_back(std::move(failed));
    return fail_with(context, remarks);
  }
  print_advice(context, remarks);
  return print_value(context, std::get<expr::Value>(outcome));
}

}  // namespace

int expr_eval(const Context& context, const ExprEvalRequest& request) {
  const auto domain = normalise_domain(request.domain);
  if (!domain) return fail(context, "--domain: " + domain.error().text, kExitUsage);
  std::map<std::string, expr::Value> values{{"rcpt_domain", expr::Value(*domain)}};
  for (const auto& assignment : request.set) {
    const auto problem = read_assignment(assignment, values);
    if (!problem.empty()) return fail(context, problem, kExitUsage);
  }
  const auto config = load_config(context.config_path).config;
  auto surroundings = surroundings_of(std::move(values), config.get());
  const auto compiled = expr::compile(request.expression, surroundings.schema);

  std::vector<Remark> remarks;
  for (const auto& diagnostic : compiled.diagnostics) {
    remarks.push_back(remark_on(request.expression, diagnostic));
  }
  if (!compiled.program) {
    const int exit_code = fail_with(context, remarks);
    if (!config && request.expression.find("system") != std::string::npos) {
      context.world.err << "rapporteur: " << printable(context.config_path)
                        << " cannot be used, so system() knows nothing\n";
    }
    return exit_code;
  }
  std::unique_ptr<Resolver> resolver;
  std::optional<DnsAnswers> dns;
  if (compiled.program->asks_dns() && !request.dump) {
    auto made = make_resolver(context, config ? config->dns : DnsConfig{{}, Seconds(10), 1, {}});
    if (!made) return fail(context, made.error());
    resolver = *std::move(made);
    dns.emplace(*resolver);
    surroundings.environment.set_dns(&*dns);
  }
  return run(context, request, *compiled.program, surroundings.environment, std::move(remarks));
}

}  // namespace rapporteur
