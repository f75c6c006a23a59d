#pragma once
// Notices that come back about our report mails (RFC 3464): a relay that accepts is not yet the
// destination. docs/design.md, "Mail, DKIM, delivery"; mime/dsn.h reads them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/maildir_queue.h"
#include "base/result.h"
#include "base/time.h"
#include "deliver/suppression.h"
#include "store/store.h"

namespace rapporteur {

struct BounceOutcome {
  enum class Kind {
    kRecorded,  // the delivery is bounced now
    kRepeated,  // it was already
    kIgnored,   // no notice, none about a mail of this store, or none of a failure
  };
  Kind kind = Kind::kIgnored;
  std::string delivery;  // its id; empty: none was found
  std::string why;       // what the notice said, or why it was ignored: one line
};

// "recorded", "repeated", "ignored".
std::string_view to_string(BounceOutcome::Kind kind);

// What has more bytes is no notice.
constexpr std::uint64_t kLargestNotice = 10U << 20U;

// The outcome of a message that has more.
BounceOutcome too_large();

// Takes one message, whatever it is: its first kMostDsnBytes (mime/dsn.h) are enough. The delivery
// is found by the Message-ID of the returned mail, or by the envelope address that the notice came
// to, if [report.tls] envelopeFrom holds delivery_id. Fails as the store does, and with
// Fault::kTransient while an attempt of the delivery is under way, whose end would be recorded over
// it; then nothing is lost by taking the message again.
Result<BounceOutcome> take_bounce(Store& store, Suppressor& suppressor, Log& log,
                                  std::string_view message, Time now);

// The messages that wait in a Maildir. Each is moved to cur/ when it was taken; those that could
// not be, stay, and do not keep the others. One thread.
class BounceMaildir {
 public:
  explicit BounceMaildir(const std::string& path);

  struct Round {
    std::size_t taken = 0;
    std::size_t early = 0;  // stay: an attempt of their delivery is under way
    // What kept the first of the others from being taken; told by the round that ends a listing.
    std::optional<Error> problem;
  };

  // Looks at up to `most` messages. Those that stay are looked at again when all that were listed
  // with them have been. Once the store has failed, no more is looked at.
  Round take(Store& store, Suppressor& suppressor, Log& log, std::size_t most, Time now);

  // Whether messages may wait at which take() has not looked yet.
  bool has_more() const { return queue_.has_more(); }

 private:
  MaildirQueue queue_;
};

}  // namespace rapporteur
