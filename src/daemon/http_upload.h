#pragma once
// What all ways share in which sessions come by HTTP.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "aggregate/recorder.h"
#include "aggregate/tally.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "daemon/log_sampler.h"

namespace rapporteur {

// The world of those who take sessions. The server's thread uses it.
struct HttpUploads {
  using Done = std::function<void(const Result<Recorded>&)>;

  const Clock& clock;
  Random& random;
  LogSampler& sampler;
  // As Recording::submit() and has_room().
  std::function<void(std::unique_ptr<Tally>, Done)> submit;
  std::function<bool()> has_room;
  std::function<IntakeRules()> rules;

  // Memory that requests take while they are read, all together.
  std::size_t open_bytes = 0;

  static constexpr std::size_t kMostOpenBytes = std::size_t{512} << 20;
  // One request's counts.
  static constexpr std::size_t kMostRequestBytes = std::size_t{256} << 20;
};

// One request's part of HttpUploads::open_bytes.
class UploadShare {
 public:
  explicit UploadShare(HttpUploads& uploads) : uploads_(uploads) {}
  ~UploadShare() { uploads_.open_bytes -= bytes_; }
  UploadShare(const UploadShare&) = delete;
  UploadShare& operator=(const UploadShare&) = delete;

  enum class Verdict { kFits, kTooLarge, kNoRoom };
  // The request takes so much now.
  Verdict set(std::size_t bytes);

 private:
  HttpUploads& uploads_;
  std::size_t bytes_ = 0;
};

// Logs a rejected session, now and then.
void sample_rejected(LogSampler& sampler, std::string_view source, std::string_view reason,
                     std::string_view text);

// Why a request that the store did not take was not served.
std::string why_not_stored(const Error& error);

// How long a client that was not served for our sake should wait, in seconds.
inline constexpr std::string_view kRetryAfter = "5";

}  // namespace rapporteur
