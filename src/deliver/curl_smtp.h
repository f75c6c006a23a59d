#pragma once
// Mail through an SMTP relay, with libcurl. docs/design.md, "Mail, DKIM, delivery"; RFC 5321, RFC
// 3207, RFC 4954.

#include <chrono>
#include <memory>
#include <string>

#include "deliver/conversation.h"
#include "deliver/transport.h"

namespace rapporteur {

struct SmtpOptions {
  enum class Tls : std::uint8_t {
    kNone,           // never STARTTLS
    kOpportunistic,  // STARTTLS when offered, unverified; without it if the handshake fails
    kRequired,       // STARTTLS or smtps, verified chain and name
  };

  std::string url;  // "smtp://host:25", "smtps://host:465"; smtps is TLS from the first byte on
  Tls tls = Tls::kOpportunistic;
  std::string ca_file;   // empty: the system's
  std::string username;  // empty: no AUTH; else a relay that does not offer AUTH is in trouble
  std::string password;
  std::string ehlo_name;
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(30);  // and a TLS handshake
  std::chrono::milliseconds reply_timeout = std::chrono::minutes(5);
  std::chrono::milliseconds final_timeout = std::chrono::minutes(10);  // after the final dot
  ConversationListener listener = {};
};

// One recipient a transaction, judged by the last reply. A connection that turns out to be dead
// when it is used again is replaced within the same call. QUIT is said, its answer not awaited.
std::unique_ptr<MailTransport> make_smtp_transport(const SmtpOptions& options,
                                                   const Interrupt& interrupt);

}  // namespace rapporteur
