#pragma once
// Expression settings: a value of the file, in any of its three written forms, to a checked Rule.
// What is wrong inside an expression is reported at its very place in the TOML string.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/document.h"
#include "config/reporter.h"
#include "config/settings.h"

namespace rapporteur {

class ExpressionReader {
 public:
  // `system` is what system('…') gives, `lookups` what key_get() and its like ask. `system` and the
  // reporter outlive this object.
  ExpressionReader(const std::map<std::string, std::string>& system,
                   std::shared_ptr<const expr::Lookups> lookups, Reporter& reporter);

  // Where a rule stands: its origin, and a domain that it may hold for.
  struct Scope {
    std::string origin;
    std::string domain;
  };

  // Nullopt after reporting. The forms: a string, number or truth value; an array of
  // { if, then } and one last { else }; a table of `match`, which is such an array without the
  // last or a table of { if, then } by decimal numbers, and `else`.
  std::optional<Rule> read(Setting setting, const Node& node, const Scope& scope);

  // The built-in default. Nullopt after reporting, at `system_domain`, that it cannot hold with the
  // values of [system].
  std::optional<Rule> built_in(Setting setting, std::string_view source, Span system_domain);

 private:
  // A result that may hold.
  struct Result {
    expr::Program program;
    std::optional<expr::Value> settled;
    const Node* node;
  };

  // An if-block while it is read.
  struct Draft {
    Setting setting = Setting::kFromName;
    std::vector<expr::Program> conditions;
    std::vector<const Member*> asked;  // the `if` of each condition
    std::vector<Result> results;       // as many
    std::optional<Result> otherwise;
    const Member* else_member = nullptr;
    bool branch_after_else = false;
    bool broken = false;
  };

  void read_array(const Node& node, Draft& draft);
  void read_table(const Node& node, Draft& draft);
  void read_match(const Member& match, Draft& draft);
  void read_item(const Node& item, bool else_allowed, Draft& draft);
  void read_branch(const Member* condition, const Member* result, Draft& draft, Span item);
  void read_else(const Member& member, Draft& draft);
  bool knows_keys(const Node& table, const std::vector<std::string_view>& known, Draft& draft);
  void fail(Draft& draft, Span where, std::string message, std::string suggestion = {});

  void advise_on_reach(const expr::IfBlock& block, const Draft& draft);
  void advise_on_subject(const Draft& draft, const std::string& domain);

  std::optional<expr::Program> compile(Setting setting, const Node& node);
  std::optional<Result> compile_result(Setting setting, const Node& node);

  // What the expressions of one setting have in common.
  struct Language {
    expr::Schema schema;
    // By their sources: overrides often say the same. Only those that nothing is said about.
    std::unordered_map<std::string, expr::Program> programs;
  };
  Language& language(Setting setting);

  const std::map<std::string, std::string>& system_;
  std::shared_ptr<const expr::Lookups> lookups_;
  Reporter& reporter_;
  std::array<std::optional<Language>, kSettingCount> languages_;
  std::size_t regex_bytes_ = 0;  // of all programs so far
};

// What is known about a result before any evaluation.
struct ResultJudgement {
  std::string problem;  // what is certainly wrong with it; empty: nothing
  std::string suggestion;
  std::optional<expr::Value> settled;  // if it depends on nothing, as conform() gives it
};
ResultJudgement judge(Setting setting, const expr::PossibleResult& result);

}  // namespace rapporteur
