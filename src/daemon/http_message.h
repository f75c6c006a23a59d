#pragma once
// What the HTTP server and those who answer tell each other. The server (http_server.h) knows
// connections and messages (RFC 9110, RFC 9112); whoever answers knows what requests mean.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rapporteur {

struct HttpField {
  std::string name;
  std::string value;
};

// A request without its body. Everything in it was written by a stranger.
struct HttpHead {
  std::string method;  // as it came
  std::string path;    // begins with '/'; percent-encoded, without the query
  std::string query;   // without the '?'
  std::vector<HttpField> fields;
  std::string peer;  // the client's address, without its port

  // The value of the first field of that name in any case; empty: there is none.
  std::string_view field(std::string_view name) const;
};

struct HttpAnswer {
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<HttpField> fields;  // beside Date, Content-Type, Content-Length and Connection
};

// Takes the answer. It is called exactly once, from any thread, while the server exists.
using HttpResponder = std::function<void(HttpAnswer)>;

// One request that was admitted. Used by the server's thread alone. If the connection breaks, or
// the request breaks a rule, it is destroyed before end(): nothing of it counts.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  // Whether the body is worth reading. If not, end() is called without it.
  virtual bool reads_body() const { return true; }
  // The next piece of the body, after content coding: 64 KiB at the most. False: it needs no more,
  // end() is called at once.
  virtual bool body(std::string_view piece) = 0;
  // No more will come. The exchange may be destroyed when this has returned.
  virtual void end(HttpResponder respond) = 0;
};

// An exchange whose answer was known beforehand.
class FixedExchange final : public HttpExchange {
 public:
  explicit FixedExchange(HttpAnswer answer) : answer_(std::move(answer)) {}
  bool reads_body() const override { return false; }
  bool body(std::string_view) override { return false; }
  void end(HttpResponder respond) override { respond(std::move(answer_)); }

 private:
  HttpAnswer answer_;
};

struct HttpAdmission {
  bool granted = false;
  std::string user;    // whom the request comes from; empty: nobody was asked
  HttpAnswer refusal;  // if it is not granted
};

// The server's thread calls it; `head` outlives the exchange.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // Whether the request is let in, asked before its body is read. `decide` is called exactly once,
  // at once or later, from any thread.
  virtual void admit(const HttpHead& head, std::function<void(HttpAdmission)> decide) = 0;
  // Never null.
  virtual std::unique_ptr<HttpExchange> begin(const HttpHead& head, const std::string& user) = 0;
  // The answer to a request that breaks a rule of the server's.
  virtual HttpAnswer refusal(const HttpHead& head, int status, const std::string& why) = 0;
  // An answer was sent, or it was tried, so long after the header was there.
  virtual void answered(const HttpHead&, int /*status*/, std::chrono::nanoseconds /*took*/) {}
  // A connection was turned away: its TLS handshake failed, or there are too many of them.
  virtual void turned_away(bool /*tls_failed*/) {}
  // How many connections there are now.
  virtual void connections(std::size_t /*open*/) {}
};

}  // namespace rapporteur
