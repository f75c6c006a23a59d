#pragma once
// What OpenSSL needs to know of a listener's certificate.

#include <memory>

#include "base/result.h"
#include "daemon/http_server.h"

struct ssl_ctx_st;  // SSL_CTX

namespace rapporteur {

// For TLS 1.2 and later, "http/1.1" by ALPN; null without files. Fails with Fault::kConfig if the
// files cannot be used.
Result<std::shared_ptr<ssl_ctx_st>> make_tls_context(const TlsFiles& files);

}  // namespace rapporteur
