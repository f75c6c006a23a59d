#include "daemon/http_credentials.h"

#include <crypt.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/text.h"

namespace rapporteur {

namespace {

// CRYPT_MAX_PASSPHRASE_SIZE, which some libraries lack.
constexpr std::size_t kLongestPassword = 511;

std::string crypt_with_library(const std::string& password, const std::string& setting) {
  const auto work = std::make_unique<crypt_data>();
  const char* hash = crypt_r(password.c_str(), setting.c_str(), work.get());
  return hash == nullptr || hash[0] == '*' ? std::string() : std::string(hash);
}

std::string draw_secret(Random& random) {
  std::string secret;
  for (int i = 0; i < 4; ++i) {
    const auto number = random.next();
    for (unsigned shift = 0; shift < 64; shift += 8) {
      secret += static_cast<char>(number >> shift & 0xFF);
    }
  }
  return secret;
}

// In a time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(
        difference | (static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i])));
  }
  return difference == 0;
}

}  // namespace

std::optional<std::string> base64_decoded(std::string_view text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  const auto padding = text.size() - std::min(text.find('='), text.size());
  if (padding > 2) return std::nullopt;
  std::string bytes;
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto value = kAlphabet.find(text[i]);
    const bool pad = i + padding >= text.size();
    if (pad ? text[i] != '=' : value == kAlphabet.npos) return std::nullopt;
    group = group << 6 | (pad ? 0U : static_cast<std::uint32_t>(value));
    if (i % 4 != 3) continue;
    for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(group >> shift & 0xFF);
    group = 0;
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

struct HttpCredentials::State {
  std::map<std::string, std::string, std::less<>> passwords;  // user to hash
  std::vector<std::pair<std::string, std::string>> tokens;    // name and digest
  std::uint64_t generation = 0;                               // of use()
  std::unordered_map<Digest, bool> remembered;  // whether user and password were right
  struct Waiting {
    std::vector<Decide> callers;
  };
  std::unordered_map<Digest, Waiting> waiting;
  struct Failures {
    Instant since;
    int count = 0;
  };
  std::unordered_map<std::string, Failures> failures;  // by peer
  Instant remembered_since{};

  // Failures are forgotten after a while, so that what is kept stays small.
  void forget_old(Instant now) {
    if (now - remembered_since < kSpan && remembered.size() < kMostRemembered) return;
    std::erase_if(remembered, [](const auto& entry) { return !entry.second; });
    // bcrypt takes passwords for the same that begin with the same 72 bytes.
    if (remembered.size() >= kMostRemembered) remembered.clear();
    remembered_since = now;
  }
  bool fails_too_often(const std::string& peer, Instant now) {
    std::erase_if(failures, [&](const auto& entry) { return now - entry.second.since >= kSpan; });
    const auto found = failures.find(peer);
    if (found == failures.end()) return failures.size() >= kMostRemembered;
    return found->second.count >= kMostFailures;
  }
};

HttpCredentials::HttpCredentials(Random& random, Crypt crypt)
    : crypt_(crypt ? std::move(crypt) : Crypt(crypt_with_library)),
      secret_(draw_secret(random)),
      state_(std::make_unique<State>()) {}

HttpCredentials::~HttpCredentials() = default;

void HttpCredentials::use(std::vector<HttpCredential> users) {
  const std::lock_guard lock(mutex_);
  state_->passwords.clear();
  state_->tokens.clear();
  state_->remembered.clear();
  state_->failures.clear();
  ++state_->generation;
  for (auto& [name, bearer, hash] : users) {
    if (bearer) {
      state_->tokens.emplace_back(std::move(name), std::move(hash));
    } else {
      state_->passwords.emplace(std::move(name), std::move(hash));
    }
  }
}

HttpCredentials::Digest HttpCredentials::digest_of(std::string_view user, std::string_view password,
                                                   std::uint64_t generation) const {
  Sha256 hash;
  hash.update(secret_);
  hash.update(std::to_string(generation) + ':' + std::to_string(user.size()) + ':');
  hash.update(user);
  hash.update(password);
  hash.update(secret_);
  return hash.finish();
}

AccessDecision HttpCredentials::check_bearer(const State& state, std::string_view token) const {
  const auto digest = sha256_hex(token);
  AccessDecision decision{Access::kWrong, {}};
  for (const auto& [name, known] : state.tokens) {  // all of them, whichever it is
    if (equal_in_constant_time(digest, known)) decision = {Access::kGranted, name};
  }
  return decision;
}

void HttpCredentials::check(std::string_view authorization, const std::string& peer, Instant now,
                            Decide decide) {
  const auto space = std::min(authorization.find(' '), authorization.size());
  const auto scheme = authorization.substr(0, space);
  const auto rest = trim(authorization.substr(space));
  AccessDecision decision;
  {
    const std::lock_guard lock(mutex_);
    if (state_->passwords.empty() && state_->tokens.empty()) {
      decision.access = Access::kGranted;
    } else if (equals_ignoring_case(scheme, "Bearer")) {
      decision = check_bearer(*state_, rest);
    }
  }
  if (decision.access == Access::kMissing && equals_ignoring_case(scheme, "Basic")) {
    return check_basic(rest, peer, now, std::move(decide));
  }
  decide(std::move(decision));
}

void HttpCredentials::check_basic(std::string_view encoded, const std::string& peer, Instant now,
                                  Decide decide) {
  const auto decoded = base64_decoded(encoded);
  const auto colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos || decoded->find('\0') != std::string::npos) {
    return decide({Access::kWrong, {}});
  }
  const auto user = decoded->substr(0, colon);
  const auto password = decoded->substr(colon + 1);
  std::unique_lock lock(mutex_);
  auto& state = *state_;
  const auto digest = digest_of(user, password, state.generation);
  const auto finish = [&](Access access) {
    lock.unlock();
    decide({access, user});
  };
  if (state.passwords.empty() || password.size() > kLongestPassword) return finish(Access::kWrong);
  state.forget_old(now);
  if (const auto found = state.remembered.find(digest); found != state.remembered.end()) {
    return finish(found->second ? Access::kGranted : Access::kWrong);
  }
  if (const auto found = state.waiting.find(digest); found != state.waiting.end()) {
    found->second.callers.push_back([user, decide = std::move(decide)](AccessDecision decision) {
      decision.user = user;
      decide(std::move(decision));
    });
    return;
  }
  if (state.fails_too_often(peer, now)) return finish(Access::kBusy);
  // A name that nobody has takes as long as one that somebody has.
  const auto known = state.passwords.find(user);
  const bool exists = known != state.passwords.end();
  const auto setting = exists ? known->second : state.passwords.begin()->second;
  const bool accepted = worker_.run(
      [this, digest, user, password, setting, exists, generation = state.generation, peer, now] {
        compute(digest, user, password, setting, exists, generation, peer, now);
      });
  if (!accepted) return finish(Access::kBusy);
  state.waiting[digest].callers.push_back(std::move(decide));
}

void HttpCredentials::compute(const Digest& digest, const std::string& user,
                              const std::string& password, const std::string& setting, bool known,
                              std::uint64_t generation, const std::string& peer, Instant now) {
  const auto hash = crypt_(password, setting);
  const bool right = equal_in_constant_time(hash, setting) && known && !hash.empty();
  std::vector<Decide> callers;
  {
    const std::lock_guard lock(mutex_);
    auto& state = *state_;
    // After use() what was found out does not hold any more, but the answer is owed.
    if (generation == state.generation) state.remembered[digest] = right;
    if (!right) {
      auto& failures = state.failures.try_emplace(peer, State::Failures{now, 0}).first->second;
      ++failures.count;
    }
    const auto waiting = state.waiting.extract(digest);
    if (!waiting.empty()) callers = std::move(waiting.mapped().callers);
  }
  for (const auto& decide : callers) {
    decide({right ? Access::kGranted : Access::kWrong, user});
  }
}

}  // namespace rapporteur
