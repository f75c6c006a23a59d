#pragma once
// The part of a report mail that people read (RFC 8460, section 5.3). Nothing is taken from it by
// programs: the JSON beside it is what counts.

#include <string>

#include "model/counts.h"
#include "report/report.h"

namespace rapporteur {

struct SummaryContext {
  std::string domain;     // whose report it is
  std::string submitter;  // the domain of contact-info
  int part = 1;           // 1 to parts: which of the window's reports this mail carries
  int parts = 1;
};

// Lines of 7-bit ASCII that end in LF, shorter than 78 bytes unless a single word is longer. The
// counts are those of the whole window, whatever part the mail carries; at most 20 policies are
// told one by one. Its size grows with `part` and `parts` only by their digits and, if there are
// several parts, one paragraph.
std::string human_summary(const SummaryContext& context, const ReportHead& head,
                          const WindowCounts& counts);

}  // namespace rapporteur
