// rapporteur expr eval: tries an expression of the configuration.

#include <algorithm>

#include <fmt/format.h>

#include "base/domain.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "config/reporter.h"
#include "config/source_text.h"
#include "model/window.h"
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
  auto& value = values[std::string(name)];
  value = *std::move(read.value);
  // The one variable that is a constant in settings.
  const auto* word = std::get_if<std::string>(&value);
  if (name == "frequency" && word != nullptr && parse_frequency(*word)) {
    value = expr::Constant{*word};
  }
  return "";
}

// system() knows what the configuration says, if it can be read: the expression may do without.
std::map<std::string, std::string> system_of(const Config* config) {
  if (!config) return {};
  return {{"domain", config->domain}, {"hostname", config->hostname}};
}

bool mentions_configuration(std::string_view expression) {
  return expression.find("system") != expression.npos || expression.find("key_") != expression.npos;
}

Surroundings surroundings_of(std::map<std::string, expr::Value> values, const Config* config) {
  Surroundings result;
  const auto system = system_of(config);
  result.schema.system = system;
  if (config != nullptr) result.schema.lookups = config->lookups;
  const auto known = schema_for(Setting::kSendFrequency, system);
  result.schema.synonyms = known.synonyms;
  for (const auto& constant : known.constants) {
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

// With their places, in order: "expression:1:5: error: …", the line, and a caret under the place.
std::vector<ConfigDiagnostic> remarks_on(std::string_view text,
                                         const std::vector<expr::Diagnostic>& diagnostics) {
  const std::string name = "expression";
  const SourceText source(text);
  Reporter reporter(name, source);
  for (const auto& [severity, offset, length, message, suggestion] : diagnostics) {
    const auto begin = std::min(offset, text.size());
    const auto end = std::min(begin + length, text.size());
    reporter.report(severity, {begin, std::max(end, begin + 1)}, message, suggestion);
  }
  return reporter.take();
}

void print_remarks(const Context& context, const std::vector<ConfigDiagnostic>& remarks) {
  for (const auto& remark : remarks) context.world.err << remark.text() << '\n';
}

int fail_with(const Context& context, const std::vector<ConfigDiagnostic>& remarks) {
  if (context.json) {
    auto list = Json::array();
    std::string first;
    for (const auto& remark : remarks) {
      const bool error = remark.severity == expr::Severity::kError;
      if (error && first.empty()) first = remark.message;
      list.add(Json::object()
                   .set("line", remark.where.line)
                   .set("column", remark.where.column)
                   .set("severity", error ? "error" : "advice")
                   .set("message", remark.message)
                   .set("suggestion", Json::text_or_null(remark.suggestion)));
    }
    context.print(Json::object().set("error", first).set("diagnostics", std::move(list)));
  }
  print_remarks(context, remarks);
  return kExitFailed;
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

// `advice` is what the check said. That which foretells the failure is left out when it comes.
int run(const Context& context, const ExprEvalRequest& request, const expr::Program& program,
        const expr::Environment& environment, std::vector<expr::Diagnostic> advice) {
  if (request.dump) {
    print_remarks(context, remarks_on(program.source(), advice));
    if (context.json) {
      context.print(Json::object().set("program", program.dump()));
    } else {
      context.world.out << program.dump() << '\n';
    }
    return kExitDone;
  }
  const auto outcome = expr::evaluate(program, environment);
  if (const auto* failure = std::get_if<expr::Failure>(&outcome)) {
    std::erase_if(advice, [&](const auto& found) { return found.offset == failure->offset; });
    advice.push_back({expr::Severity::kError, failure->offset, 1, failure->message, ""});
    return fail_with(context, remarks_on(program.source(), advice));
  }
  print_remarks(context, remarks_on(program.source(), advice));
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

  if (!compiled.program) {
    const int exit_code = fail_with(context, remarks_on(request.expression, compiled.diagnostics));
    if (!config && mentions_configuration(request.expression)) {
      context.world.err << "rapporteur: " << printable(context.config_path)
                        << " cannot be used, so system() and the lookups know nothing\n";
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
  return run(context, request, *compiled.program, surroundings.environment, compiled.diagnostics);
}

}  // namespace rapporteur
