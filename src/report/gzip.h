#pragma once
// gzip (RFC 1952) of whole buffers.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

// One member without name or time: equal input makes equal bytes. Any thread; each keeps a
// compressor for its next call.
std::string gzip(std::string_view bytes);

// What a gzip file of one or more members holds; zero bytes after the last are ignored. Fails with
// Fault::kInput if it is no gzip, is damaged or cut off, or holds more than `max_bytes`; no more
// memory than that is used for what it holds.
Result<std::string> gunzip(std::string_view bytes, std::size_t max_bytes);

}  // namespace rapporteur
