#pragma once
// Delivery status notifications (RFC 3464, RFC 6533) about mails of ours, and the plain notices of
// older versions of Exim. What a notice says is a stranger's word: whether it is about a mail that
// was sent is for the caller to find out. Nothing is sent, stored or looked up here.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rapporteur {

// RFC 3464, section 2.3.3.
enum class DsnAction { kFailed, kDelayed, kDelivered, kRelayed, kExpanded };

std::string_view to_string(DsnAction action);  // "failed", …

// What a notice says about one recipient. Texts are one line of valid UTF-8 without control
// characters; addresses stand without their type, their domain normalised (base/domain.h) or, if
// it is none, in lower case, and have at most 320 bytes: longer ones count as absent.
struct DeliveryStatus {
  std::string original_recipient;  // as the sender wrote it; empty if absent
  std::string final_recipient;     // never empty: the original one if absent
  DsnAction action = DsnAction::kFailed;
  std::string status;      // RFC 3463, "5.1.1"; empty if absent or malformed
  std::string diagnostic;  // without "smtp;", at most 500 bytes; empty if absent

  bool operator==(const DeliveryStatus&) const = default;
};

struct DsnNotice {
  std::vector<DeliveryStatus> recipients;  // 1 to 100, as they stand in the notice
  // Where the notice was addressed to (To, Delivered-To, X-Original-To, Envelope-To,
  // X-Envelope-To), then the original envelope sender where the notice tells it: addresses in the
  // same form, none twice, at most 50 of the first 200.
  std::vector<std::string> sent_to;
  // Of the returned message, then what the notice refers to: without angle brackets, none twice,
  // at most 50.
  std::vector<std::string> message_ids;
};

// Of a message no more is read.
constexpr std::size_t kMostDsnBytes = 1U << 20U;

// Fails with Fault::kInput and one line that says so if the message is no such notice: vacation
// replies, reports of other types and ordinary mail are none. A notice that was cut off gives what
// is left of it; of a message only the first kMostDsnBytes are read. Any input is allowed. Any
// thread.
Result<DsnNotice> parse_dsn(std::string_view message);

}  // namespace rapporteur
