#pragma once
// Files that must not replace others.

#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

// Writes a file whole or not at all under a name that is free, and puts it on disk: as write_file()
// in base/file.h, but whatever stands there, a link that leads nowhere included, is left as it is,
// and Fault::kPermanent says so. `mode` as for open(2). Fails with Fault::kTransient if it cannot
// be made or written.
Result<void> write_new_file(const std::string& path, std::string_view content, unsigned mode);

}  // namespace rapporteur
