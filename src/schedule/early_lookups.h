#pragma once
// Lookups of TXT records while windows collect, so that windows of domains that ask for no reports
// are dropped before they cost anything at their end. docs/design.md, "Scheduling".

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "dns/resolver.h"
#include "store/store.h"

namespace rapporteur {

// What the lookups of a step came to.
struct EarlySummary {
  std::size_t present = 0;  // there is a record, valid or not
  std::size_t absent = 0;   // there is none
  std::size_t failed = 0;   // nothing is known: asked again an hour later
  std::size_t dropped = 0;  // windows
  bool full = false;        // more lookups may be due: the next step may come soon
};

// One thread. Nothing that it finds decides where a report goes.
class EarlyLookups {
 public:
  static constexpr std::size_t kAtOnce = 50;  // so many lookups begin in one step
  static constexpr std::size_t kMost = 200;   // so many are under way

  // All of them outlive it.
  EarlyLookups(Store& store, Resolver& resolver, const Clock& clock)
      : store_(store), resolver_(resolver), clock_(clock) {}

  // Writes down what answers have come, and begins lookups that are due. Waits for no answer. Does
  // nothing while everything is paused. Fails if the store does; what was asked then is asked again
  // some minutes later.
  //
  // A window is dropped when two lookups, at least an hour apart, found no TLSRPT record, and no
  // session brought one.
  Result<EarlySummary> step();

 private:
  Result<EarlySummary> work();
  Result<void> begin(Time now, EarlySummary& summary);
  static LookupNote note_of(const EarlyLookup& lookup, const DnsAnswer& answer, Time now,
                            EarlySummary& summary);

  Store& store_;
  Resolver& resolver_;
  const Clock& clock_;
  std::unique_ptr<DnsStream> lookups_;
  std::unordered_map<std::size_t, EarlyLookup> open_;  // by their number
  std::size_t next_ = 0;
};

}  // namespace rapporteur
