#pragma once
// Who may use the HTTP server: Basic (RFC 7617) against hashes of crypt(5), Bearer (RFC 6750)
// against SHA-256 digests. Hashes of passwords are slow by design, so each is computed once, in a
// thread of its own, and strangers can have only a few of them computed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "config/config.h"
#include "daemon/worker.h"

namespace rapporteur {

enum class Access {
  kGranted,
  kMissing,  // no credentials, or of a kind that is not taken
  kWrong,
  kBusy,  // too many attempts: later
};

struct AccessDecision {
  Access access = Access::kMissing;
  std::string user;  // whose name was given; of a token, whose it is
};

class HttpCredentials {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  using Decide = std::function<void(AccessDecision)>;
  // The hash of `password` made as `setting` was; empty if that cannot be done.
  using Crypt = std::function<std::string(const std::string& password, const std::string& setting)>;

  // Without `crypt` libcrypt's crypt(3) is used.
  explicit HttpCredentials(Random& random, Crypt crypt = {});
  ~HttpCredentials();
  HttpCredentials(const HttpCredentials&) = delete;
  HttpCredentials& operator=(const HttpCredentials&) = delete;

  // These users from now on. What was found out about others is forgotten. Any thread.
  void use(std::vector<HttpCredential> users);

  // Decides about the value of an Authorization field that came from `peer`. `decide` is called
  // exactly once, at once or from the thread that computes. If there are no users everybody is let
  // in. Any thread.
  void check(std::string_view authorization, const std::string& peer, Instant now, Decide decide);

  // Computes nothing more; whoever waits hears nothing more. One thread.
  void end() { worker_.end(); }

  // Different passwords that wait to be computed, and failures of one peer within kSpan that are
  // computed: further ones are kBusy.
  static constexpr std::size_t kMostWaiting = 64;
  static constexpr int kMostFailures = 10;
  static constexpr std::chrono::seconds kSpan{60};
  // What else is remembered: failures, and peers with failures.
  static constexpr std::size_t kMostRemembered = 1000;

 private:
  using Digest = std::string;  // 32 bytes that tell nothing without secret_

  struct State;
  AccessDecision check_bearer(const State& state, std::string_view token) const;
  void check_basic(std::string_view encoded, const std::string& peer, Instant now, Decide decide);
  void compute(const Digest& digest, const std::string& user, const std::string& password,
               const std::string& setting, bool known, std::uint64_t generation,
               const std::string& peer, Instant now);
  Digest digest_of(std::string_view user, std::string_view password,
                   std::uint64_t generation) const;

  const Crypt crypt_;
  const std::string secret_;
  std::mutex mutex_;
  const std::unique_ptr<State> state_;  // under the lock
  Worker worker_{kMostWaiting};         // last: its thread uses the rest
};

// Standard base64 (RFC 4648, section 4), padding required. Nullopt if it is none.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace rapporteur
