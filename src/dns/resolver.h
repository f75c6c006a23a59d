#pragma once
// Asks the DNS. The seam between this program and the DNS. Nothing is interpreted here beyond the
// form of a record's data; see dns/tlsrpt_record.h and dns/caching_resolver.h.

#include <chrono>
#include <compare>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace rapporteur {

enum class DnsType { kTxt, kMx, kIpv4, kIpv6, kPtr };

struct DnsQuestion {
  // A domain name as people write it, with or without its last dot, any case. Bytes are asked as
  // they are (a backslash escapes nothing, and no name holds one); U-labels are asked as A-labels.
  // For kPtr the text of an IPv4 or IPv6 address, of which the resolver makes the name under
  // in-addr.arpa (RFC 1035, section 3.5) or ip6.arpa (RFC 3596, section 2.5).
  std::string name;
  DnsType type = DnsType::kTxt;

  friend auto operator<=>(const DnsQuestion&, const DnsQuestion&) = default;
};

// No answer has more records than this. What comes later in the order of `records` is cut off.
inline constexpr std::size_t kMostDnsRecords = 100;

struct DnsAnswer {
  enum class Status {
    kFound,  // at least one record
    // NXDOMAIN, no record of the type, none that is well-formed, or what was asked for can be no
    // name or, for kPtr, is no address: a definite answer.
    kNone,
    kTemporary,  // SERVFAIL, time-out, bogus, interrupted: nothing is known
  };
  Status status = Status::kTemporary;
  // kTxt: one for each record, its character-strings joined without a separator (RFC 8460, section
  //   3), sorted. Any bytes.
  // kMx: the names of the hosts, the most preferred first, those of one preference sorted. The null
  //   MX (RFC 7505) is no host; see null_mx.
  // kIpv4, kIpv6: addresses in the canonical text of base/ip.h, sorted as text. An IPv6 record that
  //   holds an IPv4-mapped address has the text of the IPv4 address.
  // kPtr: the names of the hosts, sorted.
  // The name of a host is in lower case, without the last dot, made of letters, digits, '-', '_'
  // and the dots between labels. Records with other names are left out. But for kTxt each text
  // occurs once.
  std::vector<std::string> records;
  bool null_mx = false;  // kMx, kNone: the domain says that it takes no mail (RFC 7505)
  bool secure = false;   // validated with DNSSEC
  // How long the answer holds, that there is nothing included (RFC 2308); 0: for this moment only.
  // 0 for kTemporary.
  Seconds ttl{0};
  std::string problem;     // kTemporary: what happened, for people
  bool timed_out = false;  // kTemporary: the whole time-out went by without an answer
};

// An answer of a DnsStream, with the number that its question was given.
struct StreamedAnswer {
  std::size_t ticket = 0;
  DnsAnswer answer;
};

// Questions whose answers are taken as they come, in any order: a name whose servers are silent
// holds up no other. One thread. What is open when it ends is given up.
class DnsStream {
 public:
  virtual ~DnsStream() = default;
  // Asks as soon as it is the question's turn. Returns at once.
  virtual void ask(const DnsQuestion& question, std::size_t ticket) = 0;
  // What was answered since the last call. Waits for the first for `most` if there is none yet and
  // a question is open, and no longer. Questions get their turn in here.
  virtual std::vector<StreamedAnswer> take(std::chrono::milliseconds most) = 0;
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  // Answers in the order of the questions. CNAMEs are followed. Any thread, also several at once.
  // Returns when all are answered; no question takes longer than the time-out that the resolver was
  // made with, from the moment when it is its turn.
  virtual std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) = 0;
  // The same promises, but for the order and the time of the answers. The resolver must outlive it.
  // Any thread. Unless a resolver knows better, all that is open is asked in one ask().
  virtual std::unique_ptr<DnsStream> stream();
  // Makes ask() calls and streams that are under way, and all later ones, answer kTemporary at
  // once. Any thread.
  virtual void interrupt() = 0;

  // ask() for the TXT records of these names.
  std::vector<DnsAnswer> txt(std::span<const std::string> names);
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
