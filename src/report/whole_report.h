#pragma once
// A window's report in one piece, if it is short enough to be held in memory: the usual case, which
// is quick (report/gzip.h).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "report/counts_source.h"

namespace rapporteur {

// gzip(report_json()) of everything in the source under `head`, which is open_report(). None if
// that is larger than `room` bytes, or the report is longer than a mebibyte, or is long and judged
// by its beginning does not fit by far. Adds the bytes that are compressed to `work`. Fails as the
// source does.
Result<std::optional<std::string>> whole_report(CountsSource& source, std::string_view head,
                                                std::size_t room, std::uint64_t& work);

}  // namespace rapporteur
