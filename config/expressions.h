#pragma once
// Expression settings: a value of the file, in any of its three written forms, to a checked Rule.
// What is wrong inside an expression is reported at its very place in the TOML string.

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/document.h"
#include "config/reporter.h"
#include "config/settings.h"

namespace rapporteur {

class ExpressionReader {
 public:
  // `system` is what system('…') gives. The reporter outlives this object.
  ExpressionReader(const std::map<std::string, std::string>& system, Reporter& reporter);

  // Nullopt after reporting. The forms: a string, number or truth value; an array of
  // { if, then } and one last { else }; a table of `match`, which is such an array without the
  // last or a table of { if, then } by decimal numbers, and `else`.
  std::optional<Rule> read(Setting setting, const Node& node, const std::string& origin);

  // The built-in default. Nullopt after reporting, at `system_domain`, that it cannot hold with the
  // values of [system].
  std::optional<Rule> built_in(Setting setting, std::string_view source, Span system_domain);

 private:
  // An if-block while it is read.
  struct Draft {
    Setting setting = Setting::kFromName;
    std::vector<expr::IfBlock::Branch> branches;
    std::vector<Location> places;
    std::optional<expr::Program> otherwise;
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

  std::optional<expr::Program> compile(Setting setting, const Node& node);
  std::optional<expr::Program> compile_result(Setting setting, const Node& node);
  const expr::Schema& schema(Setting setting);

  const std::map<std::string, std::string>& system_;
  Reporter& reporter_;
  std::array<std::optional<expr::Schema>, kSettingCount> schemas_;
};

// What is certainly wrong with a result before any value exists.
struct Mismatch {
  std::string problem;  // empty: nothing
  std::string suggestion;
};
Mismatch certain_mismatch(Setting setting, const expr::Program& program);

}  // namespace rapporteur
