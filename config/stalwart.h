#pragma once
// Report settings of Stalwart Mail Server as [report] and [report.tls]: the objects
// TlsReportSettings and ReportSettings of 0.16, and the keys report.tls.aggregate.* and
// report.submitter of 0.15. docs/configuration.md, "Coming from Stalwart". Nothing else of
// Stalwart's is read.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rapporteur {

// Larger files hold something else.
inline constexpr std::size_t kMaxStalwartFile = std::size_t{1} << 20U;

struct ImportedSetting {
  enum class Status {
    kImported,
    kLeftOut,  // has no counterpart, or one that the configuration refuses: stands in a comment
    kDefault   // the source says nothing, or what our default does; may be written all the same
  };
  std::string setting;  // "fromAddress"; of what is no setting of ours the name in the source
  Status status = Status::kDefault;
  std::string source;  // as it stands in the source, on one line; empty: it is absent
  std::string reason;  // one or more sentences; empty: nothing is to be said
};

std::string_view to_string(ImportedSetting::Status status);  // "imported", "left-out", "default"

struct StalwartImport {
  std::string toml;                       // comments, [report] and [report.tls]
  std::vector<ImportedSetting> settings;  // in the order of `toml`
};

// Reads JSON, one JSON value a line, or TOML. `name` is what messages call the file. Every setting
// that is written passes the checks of the configuration with this [system]. Fails with
// Fault::kInput if the text cannot be read, with the place, or holds no such settings.
Result<StalwartImport> import_stalwart(std::string_view text, const std::string& name,
                                       const std::string& domain, const std::string& hostname);

}  // namespace rapporteur
