#pragma once
// One window's report as several, each small enough to be submitted (docs/design.md, "Reports").

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/counts.h"
#include "report/counts_source.h"
#include "report/report.h"

namespace rapporteur {

struct SplitRules {
  std::uint64_t limit_bytes = 0;  // of one submitted message or POST body; 0: no limit
  int first_part = 1;             // the number of the first part
  // The head of the part with this number. Equal numbers get equal heads.
  std::function<ReportHead(int part)> head;
  // The bytes of the largest form in which that many bytes of gzip will be submitted as that part.
  // Called often. Must not shrink when the gzip grows, nor be too small whatever the number of
  // parts turns out to be.
  std::function<std::size_t(std::size_t gzip_size, int part)> submitted_size;
  // So much gzip is submitted within the limit, as the only part, without asking submitted_size:
  // for those to whom it is dear. 0: nobody knows.
  std::size_t surely_fits = 0;
  // If set, the bytes of text that were given to compressors are added to it.
  std::uint64_t* compressed_bytes = nullptr;
};

struct ReportPart {
  int number = 0;
  std::string gz;                // a complete report
  std::uint64_t successful = 0;  // sums over its policies
  std::uint64_t failed = 0;
};

// The window's counts in few parts, numbered on from first_part and handed to `take` one by one,
// and how many there were. If `take` or the source fails, so does this, at once.
//
// Each part is a complete report below the limit. Over all parts each policy's totals and each
// detail's count add up to exactly what they are in the source. Policies stay whole where they fit.
// One that alone exceeds the limit is divided between its details, largest count first; its success
// count stands in its first piece, each piece's failure count is the sum of its details as long as
// the total lasts, the first piece has what is left over. If one detail alone is too large its free
// texts are shortened, as a last resort also the texts of the policy; a shortened text ends in "…".
// A part has no policies only if the source has none. What fits in one part is told in the order of
// report_json() if its text is shorter than a mebibyte; otherwise large policies stand before small
// ones. Equal input makes equal bytes.
//
// Holds one part in memory, a few mebibytes beside it, and some numbers for each policy. Most of
// the text is compressed once. A source is asked for a policy's details about once for each part
// that has some of them, and once before for a sample.
//
// Fails with Fault::kConfig and the smallest limit that would do if the limit is too small for the
// smallest reports; parts may have been handed over before.
Result<int> split_report(CountsSource& source, const SplitRules& rules,
                         const std::function<Result<void>(ReportPart&&)>& take);

// The same of counts in memory, all parts at once.
Result<std::vector<ReportPart>> split_report(const WindowCounts& counts, const SplitRules& rules);

}  // namespace rapporteur
