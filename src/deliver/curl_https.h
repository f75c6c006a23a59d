#pragma once
// Reports posted to https destinations, with libcurl: RFC 8460, section 5.4. Every connection
// passes the guard (deliver/guard.h); redirects are not followed; nothing is taken from the
// environment.

#include <chrono>
#include <memory>
#include <string>

#include "deliver/conversation.h"
#include "deliver/guard.h"
#include "deliver/transport.h"

namespace rapporteur {

struct HttpsOptions {
  bool verify = true;                                            // the server's chain and name
  std::string ca_file;                                           // empty: the system's
  std::chrono::milliseconds timeout = std::chrono::seconds(60);  // for all of an attempt
  std::string proxy;                                             // empty: none
  GuardExceptions exceptions;
  ConversationListener listener = {};
};

// At most this much of an answer is read, header and body each; of the body only the beginning is
// kept, for people.
constexpr std::size_t kMaxResponseBytes = 64 * 1024;

std::unique_ptr<HttpsTransport> make_https_transport(const HttpsOptions& options,
                                                     const Interrupt& interrupt);

}  // namespace rapporteur
