#include "config/expressions.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "config/reachability.h"
#include "config/subject_form.h"
#include "config/values.h"

namespace rapporteur {

namespace {

// Compiling them takes about a second and a half, and as much memory again as they need to run.
constexpr std::size_t kMostRegexBytes = std::size_t{16} << 20;

// Where a stretch of an expression was written. Numbers and truth values are short enough to be
// shown whole.
Span place_in(const Node& node, std::size_t offset, std::size_t length, const SourceText& source) {
  if (node.type != NodeType::kString) return node.span;
  const auto offsets = content_offsets(source.text(), node.span.begin, node.text.size());
  const auto last = offsets.size() - 1;
  offset = std::min(offset, last);
  length = std::min(std::max<std::size_t>(length, 1), last - offset);
  const auto begin = offsets[offset];
  if (length == 0) return {begin, begin + 1};  // at the end: the closing quote
  return {begin, std::max(offsets[offset + length], begin + 1)};
}

// The whole expression without white space around it.
Span place_of_all(const Node& node, const SourceText& source) {
  const auto trimmed = trim(node.text);
  if (trimmed.empty()) return node.span;
  return place_in(node, static_cast<std::size_t>(trimmed.data() - node.text.data()), trimmed.size(),
                  source);
}

bool is_expression(const Node& node) {
  return node.type == NodeType::kString || node.type == NodeType::kInteger ||
         node.type == NodeType::kFloat || node.type == NodeType::kBoolean;
}

}  // namespace

ExpressionReader::ExpressionReader(const std::map<std::string, std::string>& system,
                                   std::shared_ptr<const expr::Lookups> lookups, Reporter& reporter)
    : system_(system), lookups_(std::move(lookups)), reporter_(reporter) {}

std::optional<Rule> ExpressionReader::read(Setting setting, const Node& node, const Scope& scope) {
  Draft draft;
  draft.setting = setting;
  if (is_expression(node)) {
    draft.otherwise = compile_result(setting, node);
  } else if (node.type == NodeType::kArray) {
    read_array(node, draft);
  } else if (node.type == NodeType::kTable) {
    read_table(node, draft);
  } else {
    fail(draft, node.span,
         std::string(to_string(setting)) + " must be an expression in quotes, not " +
             std::string(with_article(node.type)));
  }
  if (draft.broken || !draft.otherwise) return std::nullopt;

  const auto where = reporter_.location(node.span.begin);
  Rule rule{.block = {.branches = {}, .otherwise = draft.otherwise->program},
            .origin = scope.origin,
            .where = where,
            .branches = {},
            .otherwise = where};
  for (std::size_t i = 0; i < draft.results.size(); ++i) {
    rule.block.branches.push_back({draft.conditions[i], draft.results[i].program});
    rule.branches.push_back(reporter_.location(draft.asked[i]->key_span.begin));
    rule.settled.push_back(draft.results[i].settled);
  }
  rule.settled.push_back(draft.otherwise->settled);
  if (draft.else_member != nullptr) {
    rule.otherwise = reporter_.location(draft.else_member->key_span.begin);
  }
  advise_on_reach(rule.block, draft);
  if (setting == Setting::kSubject) advise_on_subject(draft, scope.domain);
  return rule;
}

std::optional<Rule> ExpressionReader::built_in(Setting setting, std::string_view source,
                                               Span system_domain) {
  auto compiled = expr::compile(source, language(setting).schema);
  ResultJudgement judgement;
  if (compiled.program) {
    judgement = judge(setting, compiled.program->possible_results().front());
  } else {
    judgement.problem = "does not compile: " + compiled.diagnostics.front().message;
  }
  if (!judgement.problem.empty()) {
    reporter_.error(system_domain, "with this domain the default of " +
                                       std::string(to_string(setting)) + " " + judgement.problem);
    return std::nullopt;
  }
  return Rule{.block = {.branches = {}, .otherwise = *std::move(compiled.program)},
              .origin = "default",
              .where = {},
              .branches = {},
              .otherwise = {},
              .settled = {std::move(judgement.settled)}};
}

void ExpressionReader::advise_on_reach(const expr::IfBlock& block, const Draft& draft) {
  if (block.branches.empty()) return;
  for (const auto& [branch, reason] : find_unreachable(block)) {
    if (branch < block.branches.size()) {
      reporter_.advice(place_of_all(draft.asked[branch]->value, reporter_.source()),
                       "this branch is never taken: " + reason);
    } else {
      reporter_.advice(draft.else_member->key_span, "'else' is never reached: " + reason);
    }
  }
}

void ExpressionReader::advise_on_subject(const Draft& draft, const std::string& domain) {
  const auto advise = [&](const Result& result) {
    const auto stray = stray_subject(result.program, domain);
    if (!stray) return;
    reporter_.advice(place_of_all(*result.node, reporter_.source()),
                     "subject yields, for example, " + quoted(*stray) +
                         ", which is not of the form of RFC 8460, section 5.3",
                     "receivers look for 'Report Domain: ' + rcpt_domain + ' Submitter: ' + "
                     "submitter + ' Report-ID: <' + report_id + '>'");
  };
  for (const auto& result : draft.results) advise(result);
  advise(*draft.otherwise);
}

void ExpressionReader::fail(Draft& draft, Span where, std::string message, std::string suggestion) {
  draft.broken = true;
  reporter_.error(where, std::move(message), std::move(suggestion));
}

void ExpressionReader::read_array(const Node& node, Draft& draft) {
  for (const auto& item : node.items) read_item(item, true, draft);
  if (draft.else_member == nullptr) {
    fail(draft, node.span, "'else' is missing: what if no condition is true?",
         "end the list with { else = \"...\" }");
  }
}

void ExpressionReader::read_table(const Node& node, Draft& draft) {
  knows_keys(node, {"match", "else"}, draft);
  if (const auto* match = node.find("match")) read_match(*match, draft);
  if (const auto* otherwise = node.find("else")) {
    read_else(*otherwise, draft);
  } else {
    fail(draft, node.span, "'else' is missing: what if no condition is true?",
         "write { match = [...], else = \"...\" }");
  }
}

void ExpressionReader::read_match(const Member& match, Draft& draft) {
  if (match.value.type == NodeType::kArray) {
    for (const auto& item : match.value.items) read_item(item, false, draft);
    return;
  }
  if (match.value.type != NodeType::kTable) {
    return fail(draft, match.value.span,
                "match must be an array of { if, then }, not " +
                    std::string(with_article(match.value.type)));
  }
  std::map<std::uint64_t, const Member*> ordered;
  for (const auto& member : match.value.members) {
    const auto number = branch_number(member.key);
    if (!number) {
      fail(draft, member.key_span, quoted(member.key) + " is no number of a branch",
           "match is an array of { if, then }, or a table of them by 0, 1, 2, ...");
    } else if (!ordered.emplace(*number, &member).second) {
      fail(draft, member.key_span, "a second branch " + std::to_string(*number));
    }
  }
  for (const auto& [number, member] : ordered) read_item(member->value, false, draft);
}

void ExpressionReader::read_item(const Node& item, bool else_allowed, Draft& draft) {
  if (item.type != NodeType::kTable) {
    return fail(draft, item.span,
                "a branch must be a table, not " + std::string(with_article(item.type)),
                "write { if = \"...\", then = \"...\" }");
  }
  if (!knows_keys(item, {"if", "then", "else"}, draft)) return;
  const auto* condition = item.find("if");
  const auto* result = item.find("then");
  const auto* otherwise = item.find("else");
  if (otherwise == nullptr) return read_branch(condition, result, draft, item.span);
  if (condition != nullptr || result != nullptr) {
    draft.else_member = otherwise;
    return fail(draft, otherwise->key_span, "'else' stands beside 'if' or 'then'",
                "give it a table of its own, the last one: { else = \"...\" }");
  }
  if (!else_allowed) {
    return fail(draft, otherwise->key_span, "'else' stands inside of match",
                "write { match = [...], else = \"...\" }");
  }
  if (draft.else_member != nullptr) {
    return fail(draft, otherwise->key_span, "a second 'else'");
  }
  read_else(*otherwise, draft);
}

void ExpressionReader::read_branch(const Member* condition, const Member* result, Draft& draft,
                                   Span item) {
  if (condition == nullptr) {
    return fail(draft, result == nullptr ? item : result->key_span,
                result == nullptr ? "the branch is empty" : "'then' without an 'if'");
  }
  if (result == nullptr) return fail(draft, condition->key_span, "'if' without a 'then'");
  if (draft.else_member != nullptr && !draft.branch_after_else) {
    draft.branch_after_else = true;
    fail(draft, draft.else_member->key_span,
         "'else' stands before 'if': the branches after it are never asked");
  }
  auto asked = compile(draft.setting, condition->value);
  auto taken = compile_result(draft.setting, result->value);
  if (!asked || !taken) {
    draft.broken = true;
    return;
  }
  draft.conditions.push_back(*std::move(asked));
  draft.asked.push_back(condition);
  draft.results.push_back(*std::move(taken));
}

void ExpressionReader::read_else(const Member& member, Draft& draft) {
  draft.else_member = &member;
  draft.otherwise = compile_result(draft.setting, member.value);
}

bool ExpressionReader::knows_keys(const Node& table, const std::vector<std::string_view>& known,
                                  Draft& draft) {
  bool all = true;
  for (const auto& member : table.members) {
    if (std::ranges::find(known, member.key) != known.end()) continue;
    all = false;
    fail(draft, member.key_span, "unknown key " + quoted(member.key) + " in a condition",
         did_you_mean(member.key, known));
  }
  return all;
}

std::optional<expr::Program> ExpressionReader::compile(Setting setting, const Node& node) {
  if (!is_expression(node)) {
    reporter_.error(node.span, "this must be an expression in quotes, not " +
                                   std::string(with_article(node.type)));
    return std::nullopt;
  }
  if (regex_bytes_ > kMostRegexBytes) return std::nullopt;
  auto& [schema, programs] = language(setting);
  if (const auto known = programs.find(node.text); known != programs.end()) return known->second;
  auto compiled = expr::compile(node.text, schema);
  if (compiled.program && compiled.diagnostics.empty()) {
    programs.emplace(node.text, *compiled.program);
  }
  for (auto& [severity, offset, length, message, suggestion] : compiled.diagnostics) {
    reporter_.report(severity, place_in(node, offset, length, reporter_.source()),
                     std::move(message), std::move(suggestion));
  }
  if (compiled.program) regex_bytes_ += compiled.program->regex_bytes();
  if (regex_bytes_ > kMostRegexBytes) {
    reporter_.error(node.span,
                    "the regular expressions of the file take more than 16 MiB when compiled; "
                    "nothing behind this one is checked",
                    "shorten them: classes such as \\pL with a large repetition take most");
    return std::nullopt;
  }
  return std::move(compiled.program);
}

std::optional<ExpressionReader::Result> ExpressionReader::compile_result(Setting setting,
                                                                         const Node& node) {
  auto program = compile(setting, node);
  if (!program) return std::nullopt;
  const auto& results = program->possible_results();
  std::optional<expr::Value> settled;
  bool refused = false;
  for (const auto& result : results) {
    auto judgement = judge(setting, result);
    settled = std::move(judgement.settled);
    if (judgement.problem.empty()) continue;
    refused = true;
    const auto& source = reporter_.source();
    const auto place = results.size() == 1 ? place_of_all(node, source)
                                           : place_in(node, result.offset, result.length, source);
    reporter_.error(place, std::string(to_string(setting)) + " " + judgement.problem,
                    std::move(judgement.suggestion));
  }
  if (refused) return std::nullopt;
  if (results.size() > 1) settled.reset();
  return Result{*std::move(program), std::move(settled), &node};
}

ExpressionReader::Language& ExpressionReader::language(Setting setting) {
  auto& language = languages_[static_cast<std::size_t>(setting)];
  if (!language) language = Language{schema_for(setting, system_, lookups_), {}};
  return *language;
}

}  // namespace rapporteur
