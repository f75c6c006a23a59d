#pragma once
// Notices that come back about our report mails (RFC 3464): a relay that accepts is not yet the
// destination. docs/design.md, "Mail, DKIM, delivery"; mime/dsn.h reads them.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/maildir.h"
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

// Takes one message, whatever it is. The delivery is found by the Message-ID of the returned mail,
// or by the envelope address that the notice came to, if [report.tls] envelopeFrom holds
// delivery_id. Fails as the store does; then nothing is lost by taking the message again.
Result<BounceOutcome> take_bounce(Store& store, Suppressor& suppressor, Log& log,
                                  std::string_view message, Time now);

// Takes the messages that wait in a Maildir. Each is moved to cur/ when it was taken; those that
// could not be, stay. Returns how many were taken; fails as the Maildir or the store does.
Result<std::size_t> take_bounces(Store& store, Suppressor& suppressor, Log& log,
                                 const Maildir& maildir, Time now);

}  // namespace rapporteur
