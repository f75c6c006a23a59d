#pragma once
// Parts of an assembled report and their deliveries. A delivery is one part to one destination.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "model/window.h"

namespace rapporteur {

enum class DeliveryState : std::uint8_t {
  kPending,     // to be tried, now or later
  kDelivered,   // the destination, or the relay for it, has accepted it
  kBounced,     // accepted, then returned by a delivery status notification
  kFailed,      // refused for good, or retried for as long as the configuration says
  kSuppressed,  // not tried: the destination is on the suppression list
  kAbandoned,   // the administrator's word
  kUncertain,   // the final reply never came; tried again with the same ids
};

std::string_view to_string(DeliveryState state);
std::optional<DeliveryState> parse_delivery_state(std::string_view text);

// Whether nothing more will happen to it by itself.
bool is_final(DeliveryState state);

// One piece of a window's report, complete and valid on its own.
struct Part {
  int number = 1;  // as in the report-id
  int of = 1;      // how many the window has, for "part 2 of 3"
  std::string report_id;
  std::string file_name;
  std::string gz;         // the gzip body: what HTTPS submits and what the mail attaches
  std::string mail_body;  // the MIME body shared by all mails of the part; empty: no mailto
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
};

struct Delivery {
  std::string id;  // 12 characters a-z0-9 that cannot be guessed
  WindowId window = 0;
  std::string domain;  // the recipient domain that the report is about
  int part = 1;
  std::string report_id;
  std::string destination;      // "mailto:a@b.example" or "https://…", as it will be used
  std::string destination_key;  // destination_key(destination); empty in rows of old versions
  std::string envelope_from;    // mailto: MAIL FROM
  std::string header;  // mailto: header lines of the signed message, without the empty line
  DeliveryState state = DeliveryState::kPending;
  int attempts = 0;
  std::optional<Time> first_attempt;  // the first whose failure counts toward retryFor
  std::optional<Time> next_attempt;   // absent: none is planned
  std::string last_response;          // "451 4.3.0 try later (RCPT TO)"; empty: none yet
  std::optional<Time> ended;          // when the state became final
  int rank = 0;                       // its place among the record's destinations, from 0
  bool under_way = false;             // an attempt has begun, and its end is not recorded
  // deliverTo = "first": waits, without next_attempt, until the one ranked before it has failed.
  bool fallback = false;
};

// "mailto:" destinations go by SMTP, all others by HTTPS.
bool is_mail(std::string_view destination);

// The address of a "mailto:" destination in its usable form (dns/tlsrpt_record.h): "a%b@c.example"
// of "mailto:a%25b@c.example".
std::string mail_address(std::string_view destination);

// What shares limits: "mailto:b.example" for every address in a domain, "https://host:8443" for
// every path of a server; lower case, the default port left out.
std::string destination_key(std::string_view destination);

}  // namespace rapporteur
