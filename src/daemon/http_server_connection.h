#pragma once
// A connection of the HTTP server: its requests, one after the other, and their answers.
// Boost.Beast and Asio stay behind this header.

#include <functional>
#include <memory>
#include <unordered_set>

#include "base/clock.h"
#include "daemon/http_message.h"
#include "daemon/http_server.h"
#include "daemon/log_sampler.h"
#include "daemon/rate_limiter.h"

namespace boost::asio {
class any_io_executor;
class io_context;
template <typename Protocol, typename Executor>
class basic_stream_socket;
namespace ip {
class tcp;
}  // namespace ip
}  // namespace boost::asio

struct ssl_ctx_st;  // SSL_CTX

namespace rapporteur {

// Lives while its client is served. The server's thread.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;

  // The client is told to go if no request of it is under way.
  virtual void close_if_idle() = 0;
  virtual void break_off() = 0;
};

// What the connections of a server have in common. All but the constant is of the server's thread.
struct HttpServing {
  const HttpTimes times;
  HttpHandler& handler;
  const Clock& clock;
  LogSampler& sampler;
  boost::asio::io_context& io;           // of the server's thread
  const std::function<void()> all_gone;  // called when a stop has no connection left to wait for
  HttpLimits limits;
  std::shared_ptr<ssl_ctx_st> tls;                  // null: none
  std::unordered_set<HttpConnection*> connections;  // those that are served
  ClientPlaces places;
  bool stopping = false;
};

using HttpSocket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::any_io_executor>;

// Begins to serve the client of the socket. `server` outlives what runs in its `io`.
void serve_connection(HttpServing& server, HttpSocket socket);

}  // namespace rapporteur
