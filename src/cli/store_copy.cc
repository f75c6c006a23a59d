// rapporteur store copy: moves a store of one node to the database of several.

#include <optional>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "store/copy.h"

namespace rapporteur {

int store_copy(const Context& context, const std::string& from, const std::string& to) {
  auto& out = context.world.out;
  std::string told;  // the table that was told of last
  std::optional<Progress> seen;
  std::string watched;  // the table that it is about
  const auto summary =
      copy_store(from, to, context.world.random, [&](const CopyProgress& progress) {
        if (!seen || watched != progress.table) {
          watched = progress.table;
          seen.emplace(context.world, watched, "rows");
        }
        seen->tell(progress.rows, progress.of);
        if (context.json || (progress.rows < progress.of && progress.table == told)) return;
        told = progress.table;
        seen->wipe();
        out << fmt::format("{}: {} of {}\n", progress.table, progress.rows,
                           count_text(progress.of, "row"));
        out.flush();
      });
  seen.reset();
  if (!summary) {
    const bool goes_on =
        summary.error().fault == Fault::kTransient || summary.error().fault == Fault::kUnknown;
    if (goes_on) context.world.err << "the same command goes on where this one ended\n";
    return fail(context, summary.error());
  }
  if (context.json) {
    context.print(Json::object().set("rows", summary->rows).set("resumed", summary->resumed));
    return kExitDone;
  }
  out << fmt::format("copied {}{}; rows and sums are equal\n", count_text(summary->rows, "row"),
                     summary->resumed == 0
                         ? std::string()
                         : fmt::format(", {} were there from an earlier copy", summary->resumed));
  return kExitDone;
}

}  // namespace rapporteur
