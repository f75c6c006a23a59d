#pragma once
// The part of the store that keeps the reports that others sent (docs/received.md). The promises of
// store.h hold for it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/received.h"

namespace rapporteur {

// A report that others sent, to be kept.
struct ReceivedAddition {
  KeptReport report;   // `number`, `id` and `new_failures` are the store's to say
  std::string key;     // 32 bytes: the same for the same report, whichever way it comes
  std::string digest;  // 32 bytes: of what it tells
  std::string part;    // what its sender called the part in the file name; empty: nothing
  std::vector<PolicyTally> policies;   // about our domains, each domain and type once
  std::vector<FailureTally> failures;  // likewise
  std::string json_gz;                 // the report as it was received, in gzip
  std::vector<Trust> counted;          // the classes whose failures are news
  Time seen_since;                     // a failure that was received before is news again
};

struct ReceivedAdded {
  enum class Kind {
    kStored,
    kReplaced,   // stored in place of one with the same key that told something else and was less
                 // to be trusted
    kRaised,     // known; what is kept has got the class of this one, which outranks its own
    kDuplicate,  // known
  };
  Kind kind = Kind::kStored;
  std::string id;    // of what is kept
  bool same = true;  // kDuplicate: it tells the same as what is kept
  // Kinds of failures that no counted report of that organisation told of since `seen_since`; only
  // if the report's own class is counted.
  std::vector<FailureTally> new_failures;
};

struct ReceivedFilter {
  std::string id;            // exact id, or its beginning of at least 4 digits
  std::string report_id;     // exact
  std::string domain;        // policy domain, exact or glob; empty: all
  std::string organization;  // exact or glob, without regard to case; empty: all
  bool failed_only = false;
  std::size_t limit = 100;
  std::optional<std::int64_t> before;  // only those with smaller numbers
};

// Of a kept report, for summaries.
struct PolicyRow {
  std::int64_t number = 0;  // of the report
  Time start;               // of its period
  std::string organization;
  Trust trust = Trust::kUnverified;
  PolicyTally tally;
};
struct FailureRow {
  std::int64_t number = 0;
  Time start;
  std::string organization;
  Trust trust = Trust::kUnverified;
  FailureTally tally;
};

class ReceivedStore {
 public:
  virtual ~ReceivedStore() = default;

  // Keeps reports, one after the other, or finds that they are known: one of the same key and the
  // same digest is. One of the same key that tells something else is another report if both have
  // part names and these differ, or signers that are neither's parent; else the one whose class
  // outranks the other's stays, or the older. Counts "received.stored.CLASS", "received.duplicate"
  // and "received.new-failures". What became of each, in their order.
  virtual Result<std::vector<ReceivedAdded>> add_received(
      std::span<const ReceivedAddition> additions) = 0;
  // The newest first.
  virtual Result<std::vector<KeptReport>> received(const ReceivedFilter& filter) = 0;
  // What add_received() was given as json_gz; nullopt: no such report.
  virtual Result<std::optional<std::string>> received_json(std::int64_t number) = 0;
  // Each row about the domain (exact or glob; empty: all) of reports that start in [since, until),
  // by (start, number). The functions do not use the store.
  virtual Result<void> received_policies(const std::string& domain, Time since, Time until,
                                         const std::function<void(const PolicyRow&)>& take) = 0;
  virtual Result<void> received_failures(const std::string& domain, Time since, Time until,
                                         const std::function<void(const FailureRow&)>& take) = 0;
  // Removes at most `limit` reports that were received before this, the oldest first. How many.
  virtual Result<std::size_t> prune_received(Time before, std::size_t limit) = 0;
};

}  // namespace rapporteur
