#pragma once
// Looks up TXT records. The seam between this program and the DNS.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rapporteur {

struct TxtAnswer {
  enum class Status {
    kFound,      // at least one TXT record
    kNone,       // NXDOMAIN, or no TXT record: a definite answer
    kTemporary,  // SERVFAIL, time-out, bogus: nothing is known
  };
  Status status = Status::kTemporary;
  // One for each record, its character-strings joined without a separator (RFC 8460, section 3),
  // sorted.
  std::vector<std::string> records;
  bool secure = false;  // validated with DNSSEC
  Seconds ttl{0};
  std::string problem;  // kTemporary: what happened, for people
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  // Answers in the order of the names. CNAMEs are followed. Any thread, also several at once.
  // Returns when all are answered; no name takes longer than the time-out that the resolver was
  // made with.
  virtual std::vector<TxtAnswer> txt(std::span<const std::string> names) = 0;
  // Makes txt() calls that are under way, and all later ones, answer kTemporary at once. Any
  // thread.
  virtual void interrupt() = 0;
};

struct ResolverOptions {
  std::vector<std::string>
      servers;  // "127.0.0.1:53", "[::1]:53", "127.0.0.1"; empty: /etc/resolv.conf
  Seconds timeout{10};
  int concurrency = 200;     // queries under way at once
  std::string trust_anchor;  // a file; empty: no validation
};

// libunbound. Fails with Fault::kConfig if an option cannot be used.
Result<std::unique_ptr<Resolver>> make_resolver(const ResolverOptions& options);

}  // namespace rapporteur
