#pragma once
// One window's report as several, each small enough to be submitted (docs/design.md, "Reports").

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/counts.h"
#include "report/report.h"

namespace rapporteur {

struct SplitRules {
  std::uint64_t limit_bytes = 0;  // of one submitted message or POST body; 0: no limit
  int first_part = 1;             // the number of the first part
  // The head of the part with this number. Called often; equal numbers get equal heads.
  std::function<ReportHead(int part)> head;
  // The bytes of the largest form in which that many bytes of gzip will be submitted as that part.
  // Called often. Must not shrink when the gzip grows, nor be too small whatever the number of
  // parts turns out to be.
  std::function<std::size_t(std::size_t gzip_size, int part)> submitted_size;
};

struct ReportPart {
  int number = 0;
  WindowCounts counts;
  std::string gz;  // gzip(report_json(head(number), counts))
};

// The window's counts in as few parts as is found with bounded work, numbered on from first_part.
// Each is a complete report below the limit. Over all parts each policy's totals and each detail's
// count add up to exactly what they are in `counts`. Policies stay whole where they fit. One that
// alone exceeds the limit is divided between its details, largest count first; its success count
// stands in its first piece, each piece's failure count is the sum of its details as long as the
// total lasts, the first piece has what is left over. If one detail alone is too large its free
// texts are shortened, as a last resort also the texts of the policy; a shortened text ends in "…".
// A part has no policies only if `counts` has none. Fails with Fault::kConfig and the smallest
// limit that would do if the limit is too small for the smallest reports.
Result<std::vector<ReportPart>> split_report(const WindowCounts& counts, const SplitRules& rules);

}  // namespace rapporteur
