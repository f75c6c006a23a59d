#pragma once
// Takes reports that others sent, from whatever brings them, to the store: read, judged, kept once,
// and their news told. docs/received.md.

#include <atomic>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "dkim/verifier.h"
#include "dns/resolver.h"
#include "model/received.h"
#include "received/mail.h"
#include "received/new_failure_command.h"
#include "store/store.h"

namespace rapporteur {

// [received] of the configuration.
struct ReceptionRules {
  std::vector<std::string> domains;  // only reports about these; empty: any
  std::vector<Trust> counted;
  std::vector<std::string> trusted_authserv_ids;
};

// A mail holds 10 MiB of packed report, which base64 makes larger.
constexpr std::size_t kMostMailBytes = std::size_t{16} << 20;
// Of what has more bytes nothing need be read.
constexpr std::size_t kMostArrivalBytes = std::size_t{64} << 20;

struct ReceptionOutcome {
  enum class Status { kStored, kDuplicate, kRefused };
  Status status = Status::kRefused;
  std::string id;   // of what is kept; empty: nothing is
  std::string why;  // one line; empty: nothing to say
};
std::string_view to_string(ReceptionOutcome::Status status);  // "stored", …

// What is brought, and how.
struct Arrival {
  enum class Way { kMail, kFile, kPost };
  Way way = Way::kMail;
  std::string_view bytes;
  std::string name;        // for the log and for what a file's name says: a path, or an address
  bool too_large = false;  // it has more bytes than could be given
};

class Reception {
 public:
  // All of them outlive this. A resolver is needed for mail alone. One thread.
  struct Needs {
    Store& store;
    Log& log;
    Resolver* resolver = nullptr;
    const std::atomic<bool>* stopping = nullptr;  // lookups are broken off when it is true
    std::string store_url = {};  // to see whether its disk has room; empty: it is not asked
  };
  Reception(const Needs& needs, ReceptionRules rules);

  // What became of each: of several reports in one mail, the outcome of the first that is kept.
  // What a mail or a file is, is found out from its bytes for kMail and kFile: the one may hold a
  // bare report, the other a mail. `undecided` tells of mails that were not taken because a key
  // could not be looked up; they may be given again, and are taken after a day in any case. Fails
  // as the store does, and with Fault::kTransient while its disk has little room: then none was
  // taken.
  struct Batch {
    std::vector<ReceptionOutcome> outcomes;  // in the order of the arrivals; empty if undecided
    std::vector<bool> undecided;             // likewise
  };
  Result<Batch> take(const std::vector<Arrival>& arrivals, Time now);

  // The reports with new failures that were taken since the last call, for NewFailureCommand: which
  // takes its time, and whoever waits for an answer should not wait for it.
  std::vector<ReportNews> take_news() { return std::exchange(news_, {}); }

  // How many mails may still be left undecided until this is called again; any number until it was.
  // Those beyond are taken as unverified, so that nobody can make all others wait.
  void let_wait(std::size_t mails) { may_wait_ = mails; }

 private:
  struct Prepared;

  Prepared prepare(const Arrival& arrival, Time now);
  void prepare_mail(const Arrival& arrival, Time now, Prepared& prepared);
  void prepare_bytes(std::string_view bytes, const std::string& file_name, KeptReport base,
                     const MailedReport* mail, Prepared& prepared);
  ReceptionOutcome settle(std::span<const ReceivedAddition> additions,
                          std::span<const ReceivedAdded> added);
  void tell_news(const ReceivedAddition& addition, const ReceivedAdded& added);

  const Needs needs_;
  const ReceptionRules rules_;
  DkimVerifier verifier_;
  std::vector<ReportNews> news_;
  std::size_t may_wait_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace rapporteur
