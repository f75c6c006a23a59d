#pragma once
// The HTTP/1.1 server (RFC 9112) of the daemon, with TLS 1.2 and later: connections, messages and
// their limits. What requests mean is told by its HttpHandler. Boost.Beast, Asio and OpenSSL stay
// behind this header.
//
// Wiring: open_http_listener(), HttpServer::make(), start(); reload() after a SIGHUP; stop() before
// those whom the handler asks are stopped. Responders may be called until the server is destroyed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "daemon/http_listener.h"
#include "daemon/http_message.h"

namespace rapporteur {

struct HttpLimits {
  std::uint64_t max_body_bytes = 100 << 20;  // also after a content coding is undone
  std::size_t max_connections = 256;         // more are closed as they come
  // Of one client, as client_group() (rate_limiter.h) knows it, likewise; 0: no limit of its own.
  std::size_t max_client_connections = 0;
};

struct HttpTimes {
  std::chrono::milliseconds header{10'000};    // from a request's first byte to its header's end
  std::chrono::milliseconds silence{30'000};   // within a body, and while an answer is taken
  std::chrono::milliseconds request{600'000};  // from a header's end to its body's
  std::chrono::milliseconds idle{60'000};      // between requests of a connection
  std::chrono::milliseconds stop{5'000};       // what is under way may go on for so long
};

// PEM files; both empty: no TLS.
struct TlsFiles {
  std::string certificate;  // with its chain
  std::string key;
};

class HttpServer {
 public:
  // No more of a request's header.
  static constexpr std::uint32_t kMaxHeaderBytes = 16U << 10;

  // Fails with Fault::kConfig if certificate or key cannot be used. `handler`, `clock` and `log`
  // outlive this.
  static Result<std::unique_ptr<HttpServer>> make(HttpListener listener, const TlsFiles& tls,
                                                  const HttpLimits& limits, const HttpTimes& times,
                                                  HttpHandler& handler, const Clock& clock,
                                                  Log& log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Serves in a thread of its own, once.
  void start();

  // Whether make() and reload() could use them; fails as they do.
  static Result<void> can_use(const TlsFiles& tls);

  // What is under way goes on as it began. On failure, which is as of make(), all stays as it was.
  // Any thread.
  Result<void> reload(const TlsFiles& tls, const HttpLimits& limits);

  // Takes no more requests, lets those that are under way end for HttpTimes::stop, then breaks them
  // off, and ends the thread. Again: nothing.
  void stop();

  std::uint16_t port() const;

  struct Impl;

 private:
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rapporteur
