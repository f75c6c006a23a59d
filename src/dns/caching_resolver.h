#pragma once
// A resolver that answers from memory what another has answered before, for as long as the answer
// holds: RFC 1035, section 7.4; RFC 2308 for what is not there; RFC 9520 for failures. It touches
// nothing itself.

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "dns/resolver.h"

namespace rapporteur {

// What is kept, and for how long:
// - kFound for its TTL, a day at most; kNone for its TTL, an hour at most. Both count from the
//   moment before the question was asked, so that nothing is kept for too long. A TTL of 0 keeps
//   nothing: whoever needs the same answer twice must hold it.
// - kTemporary for five seconds from when it came (RFC 9520, section 3.2: failures are remembered,
//   so that a name whose servers are silent costs its time-out once and not once for every setting
//   that asks for it). Windows that are tried again by themselves wait a minute or more.
// - nothing whose records are larger than 8 KiB together.
// Two questions are the same if only case, the last dot or the spelling of the address differ.
// When there is no room, the answers that expire first leave first. A clock that is set back
// empties the memory.
//
// Any thread, also several at once; none waits for another's lookup. Two threads that ask the same
// at the same time both cause a lookup.
class CachingResolver final : public Resolver {
 public:
  // `capacity` is in answers; 0 keeps nothing. `clock` must outlive the resolver.
  CachingResolver(std::unique_ptr<Resolver> inner, const Clock& clock,
                  std::size_t capacity = 10'000);

  // Asks the inner resolver at most once, each of what is not in memory once. `ttl` of an answer
  // from memory is what is left of it.
  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override;

  // What is not in memory is asked through a stream of the inner resolver, as often as it is asked.
  std::unique_ptr<DnsStream> stream() override;

  // Interrupts the inner resolver, and keeps the promise of Resolver for known answers, too.
  void interrupt() override;

 private:
  using Expiries = std::multimap<Time, const DnsQuestion*>;  // of the keys of entries_
  struct Entry {
    DnsAnswer answer;
    Expiries::iterator expiry;
  };
  using Entries = std::map<DnsQuestion, Entry>;
  class Stream;

  // With mutex_ locked, each of these.
  Time present();
  std::optional<DnsAnswer> recall(const DnsQuestion& key, Time now);
  void remember(const DnsQuestion& key, const DnsAnswer& answer, Time asked, Time now);
  void forget(Entries::iterator entry);

  const std::unique_ptr<Resolver> inner_;
  const Clock& clock_;
  const std::size_t capacity_;
  std::atomic<bool> interrupted_ = false;
  std::mutex mutex_;  // guards what follows
  Time latest_ = Time::min();
  Entries entries_;
  Expiries expiries_;
};

}  // namespace rapporteur
