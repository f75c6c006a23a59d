#pragma once
// The transports of [delivery.smtp] and [delivery.https].

#include "base/result.h"
#include "config/config.h"
#include "deliver/conversation.h"
#include "deliver/transport.h"

namespace rapporteur {

struct Transports {
  MailTransportFactory mail;
  HttpsTransportFactory https;
};

// As the configuration says. `listener` hears what SMTP and HTTPS say; a sendmail program and a
// folder hold no conversation. Fails with Fault::kConfig if the password file cannot be read or an
// exception of the guard cannot be understood. Nothing is connected yet.
Result<Transports> make_transports(const Config& config, const ConversationListener& listener = {});

}  // namespace rapporteur
