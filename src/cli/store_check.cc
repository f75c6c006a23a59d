// rapporteur store check: whether the rows of the store agree with each other.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"

namespace rapporteur {

int store_check(const Context& context) {
  const auto opened = open(context);
  if (!opened) return opened.exit_code;
  auto& out = context.world.out;
  auto findings = Json::array();
  std::size_t number = 0;
  const auto rows = opened.store->check([&](const Finding& finding) {
    ++number;
    if (!context.json) {
      out << printable(fmt::format("{}: {}; {}", finding.where, finding.what, advice(finding.kind)))
          << '\n';
      return;
    }
    findings.add(Json::object()
                     .set("kind", to_string(finding.kind))
                     .set("where", finding.where)
                     .set("what", finding.what)
                     .set("advice", advice(finding.kind)));
  });
  if (!rows) return fail(context, rows.error());
  if (context.json) {
    auto looked_at = Json::object();
    for (const auto& [table, count] : *rows) looked_at.set(table, count);
    context.print(
        Json::object().set("findings", std::move(findings)).set("rows", std::move(looked_at)));
  } else {
    out << (number == 0 ? "nothing is wrong" : count_text(number, "finding")) << "; looked at";
    std::string_view between = " ";
    for (const auto& [table, count] : *rows) {
      out << between << count_text(count, "row") << " of " << table;
      between = ", ";
    }
    out << '\n';
  }
  return number == 0 ? kExitDone : kExitFailed;
}

}  // namespace rapporteur
