#include "daemon/http_upload.h"

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kSampleBytes = 200;

}  // namespace

UploadShare::Verdict UploadShare::set(std::size_t bytes) {
  uploads_.open_bytes += bytes;
  uploads_.open_bytes -= bytes_;
  bytes_ = bytes;
  if (bytes > HttpUploads::kMostRequestBytes) return Verdict::kTooLarge;
  return uploads_.open_bytes > HttpUploads::kMostOpenBytes ? Verdict::kNoRoom : Verdict::kFits;
}

void sample_rejected(LogSampler& sampler, std::string_view source, std::string_view reason,
                     std::string_view text) {
  sampler.warning(
      "session-rejected", reason,
      {{"source", std::string(source)},
       {"reason", std::string(reason)},
       {"sample", truncate_utf8(to_valid_utf8(text.substr(0, 2 * kSampleBytes)), kSampleBytes)}});
}

std::string why_not_stored(const Error& error) {
  const bool unknown = error.fault == Fault::kUnknown;
  return (unknown ? "nobody can tell whether it was counted: " : "nothing was counted: ") +
         error.text;
}

}  // namespace rapporteur
