#include "daemon/http_server_connection.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "daemon/http_protocol.h"
#include "daemon/http_server_parser.h"

namespace rapporteur {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// What is read from a socket at once, and handed on of a body at once.
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
// So much of a body that nobody wants is read, to keep the connection.
constexpr std::uint64_t kSwallowedBytes = std::uint64_t{256} << 10;
// How long a client that still sends may take to read why it was refused.
constexpr std::chrono::seconds kLinger{5};
constexpr std::chrono::seconds kTlsGoodbye{1};

// One client. Lives as long as its coroutine, or as long as somebody has its answer in hand.
// Whoever lets it go last: it is the server's thread that destroys it.
class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServing& server, asio::ip::tcp::socket socket)
      : server_(server), stream_(std::move(socket)), arrival_(server.io) {
    error_code ignored;
    const auto peer = stream_.socket().remote_endpoint(ignored);
    if (!ignored) peer_ = peer.address().to_string();
    client_ = client_group(peer_);
    if (server.tls) tls_.emplace(stream_, SSL_new(server.tls.get()));
    arrival_.expires_at(SteadyClock::time_point::max());
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> serve() {
    const auto self = shared_from_this();
    const Listing listing(*this);
    bool more = true;
    if (tls_) more = co_await shake_hands();
    while (more) more = co_await serve_request();
    co_await close();
  }

  void close_if_idle() override {
    if (idle_) stream_.close();
  }

  void break_off() override {
    broken_off_ = true;
    stream_.close();
    arrival_.cancel();
  }

 private:
  // While it is served it is among the server's connections.
  struct Listing {
    explicit Listing(Connection& of) : connection(of) {
      of.server_.connections.insert(&of);
      of.server_.places.take(of.client_);
      of.server_.handler.connections(of.server_.connections.size());
    }
    ~Listing() {
      auto& server = connection.server_;
      server.connections.erase(&connection);
      server.places.give_back(connection.client_);
      server.handler.connections(server.connections.size());
      if (server.stopping && server.connections.empty()) server.all_gone();
    }
    Connection& connection;
  };

  asio::awaitable<bool> shake_hands() {
    stream_.expires_after(server_.times.header);
    const auto [fault] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAwait);
    if (!fault) co_return true;
    // A client that comes and goes is no news: a probe of a load balancer, for instance.
    if (fault != asio::error::eof && fault != asio::ssl::error::stream_truncated &&
        fault != asio::error::connection_reset) {
      server_.handler.turned_away(true);
      server_.sampler.warning("http-tls-failed", fault.message(),
                              {{"peer", peer_}, {"error", fault.message()}});
    }
    tls_failed_ = true;
    co_return false;
  }

  // The operation on TLS, or on what is under it.
  template <class Operation>
  asio::awaitable<std::tuple<error_code, std::size_t>> through(const Operation& operation) {
    return tls_ ? operation(*tls_) : operation(stream_);
  }

  // Reads some more into the input. False: the connection has ended, or is too slow.
  asio::awaitable<bool> read_more() {
    const auto room = input_.prepare(kPieceBytes);
    const auto [fault, size] =
        co_await through([&](auto& stream) { return stream.async_read_some(room, kAwait); });
    input_.commit(size);
    co_return !fault;
  }

  asio::awaitable<bool> write(std::string_view text) {
    while (!text.empty()) {
      const auto piece = asio::buffer(text.data(), std::min(text.size(), kPieceBytes));
      stream_.expires_after(server_.times.silence);
      const auto [fault, size] =
          co_await through([&](auto& stream) { return stream.async_write_some(piece, kAwait); });
      if (fault) co_return false;
      text.remove_prefix(size);
    }
    co_return true;
  }

  // From here to the end of the class: one request. Whether the connection can take another.
  asio::awaitable<bool> serve_request() {
    const bool something = co_await wait_for_request();
    if (!something) co_return false;
    parser_.emplace(HttpServer::kMaxHeaderBytes);
    head_ = HttpHead{};
    head_.peer = peer_;
    began_ = SteadyClock::now();
    const auto status = co_await read_header();
    if (status < 0) co_return false;
    began_ = SteadyClock::now();
    keep_alive_ = status == 0 && parser_->keeps_alive();
    whole_ = false;
    auto answer = co_await answer_request(status);
    if (!answer) co_return false;
    const bool written = co_await send(*std::move(answer));
    if (!written) co_return false;
    if (!whole_) linger_ = true;
    const bool stays = keep_alive_ && whole_ && !server_.stopping;
    co_return stays;
  }

  asio::awaitable<bool> wait_for_request() {
    if (input_.size() > 0) co_return true;
    if (server_.stopping) co_return false;
    idle_ = true;
    stream_.expires_after(server_.times.idle);
    const bool read = co_await read_more();
    idle_ = false;
    // A stop may have closed it while what was read waited to be seen: nobody could be answered.
    if (!stream_.socket().is_open()) co_return false;
    co_return read;
  }

  std::string_view input() const {
    const auto data = input_.cdata();
    return {static_cast<const char*>(data.data()), data.size()};
  }

  int refuse(int status, const std::string& why) {
    why_ = why;
    return status;
  }

  // 0: it is there; -1: the connection has ended; else the status that refuses it, and why_.
  asio::awaitable<int> read_header() {
    using Got = HttpRequestParser::Got;
    stream_.expires_after(server_.times.header);
    auto got = Got::kNothing;
    for (;;) {
      std::size_t used = 0;
      got = parser_->read_header(input(), used);
      input_.consume(used);
      if (got != Got::kNothing) break;
      const bool read = co_await read_more();
      if (!read) co_return -1;
    }
    if (got == Got::kBroken) co_return refuse(parser_->status(), parser_->why());
    const auto verdict = judge_head(parser_->tell(head_), server_.limits.max_body_bytes, head_);
    gzip_ = verdict.gzip;
    expects_continue_ = verdict.expects_continue;
    co_return refuse(verdict.status, verdict.why);
  }

  // What takes a value for `place` from any thread.
  template <class T>
  auto receiver_of(std::optional<T>& place) {
    place.reset();
    return [self = shared_from_this(), &place](T value) {
      asio::dispatch(self->server_.io, [self, &place, value = std::move(value)]() mutable {
        place = std::move(value);
        self->arrival_.cancel();
      });
    };
  }

  // Waits until something is there. False: the connection was broken off before.
  template <class T>
  asio::awaitable<bool> arrived(const std::optional<T>& place) {
    stream_.expires_never();
    while (!place && !broken_off_) co_await arrival_.async_wait(kAwait);
    co_return place.has_value();
  }

  // The answer to a request, `status` being what read_header() gave; nullopt: the connection has
  // ended.
  asio::awaitable<std::optional<HttpAnswer>> answer_request(int status) {
    if (status > 0) co_return server_.handler.refusal(head_, status, why_);
    server_.handler.admit(head_, receiver_of(admission_));
    const bool decided = co_await arrived(admission_);
    if (!decided) co_return std::nullopt;
    std::unique_ptr<HttpExchange> exchange;
    if (admission_->granted) {
      exchange = server_.handler.begin(head_, admission_->user);
    } else {
      exchange = std::make_unique<FixedExchange>(std::move(admission_->refusal));
    }
    if (exchange->reads_body()) {
      status = co_await read_body(*exchange);
      if (status < 0) co_return std::nullopt;
      if (status > 0) co_return server_.handler.refusal(head_, status, why_);
    }
    const bool usable = co_await swallow_rest();
    if (!usable) co_return std::nullopt;
    exchange->end(receiver_of(answer_));
    co_await arrived(answer_);
    co_return std::exchange(answer_, std::nullopt);
  }

  // Sets the time for the next piece of the body. False: there is none left.
  bool expect_piece() {
    const auto now = SteadyClock::now();
    const auto end = began_ + server_.times.request;
    stream_.expires_at(std::min(now + server_.times.silence, end));
    return now < end;
  }

  // The next bytes of the body into parser_->piece(), or none at its end; -1: the connection has
  // ended; else the status that refuses it, and why_.
  asio::awaitable<int> next_piece() {
    using Got = HttpRequestParser::Got;
    const auto left = parser_->content_left().value_or(kPieceBytes);
    room_.resize(std::max<std::size_t>(std::min<std::uint64_t>(left, kPieceBytes), room_.size()));
    for (;;) {
      std::size_t used = 0;
      const auto got = parser_->read_body(input(), room_, used);
      input_.consume(used);
      if (got == Got::kPiece || got == Got::kEnd) co_return 0;
      if (got == Got::kBroken) co_return refuse(parser_->status(), parser_->why());
      if (!expect_piece()) co_return -1;
      const bool read = co_await read_more();
      if (!read) co_return -1;
    }
  }

  // As next_piece(), of all pieces.
  asio::awaitable<int> read_body(HttpExchange& exchange) {
    if (expects_continue_ && !parser_->ended()) {
      expects_continue_ = false;
      const bool written = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
      if (!written) co_return -1;
    }
    BodyFlow flow(exchange, gzip_, server_.limits.max_body_bytes);
    auto step = BodyFlow::Step::kMore;
    while (step == BodyFlow::Step::kMore) {
      const int status = co_await next_piece();
      if (status != 0) co_return status;
      step = parser_->piece().empty() ? flow.end() : flow.take(parser_->piece());
      while (step == BodyFlow::Step::kAgain) {
        // A little that grows to much holds up nobody else.
        co_await asio::post(server_.io, asio::use_awaitable);
        step = flow.again();
      }
    }
    co_return refuse(flow.status(), flow.why());
  }

  // Reads what little may be left of the body. False: the connection has ended.
  asio::awaitable<bool> swallow_rest() {
    const auto left = parser_->content_left();
    const bool little = !expects_continue_ && left && *left <= kSwallowedBytes;
    while (little && !parser_->ended()) {
      const int status = co_await next_piece();
      if (status != 0) co_return false;
    }
    whole_ = parser_->ended();
    co_return true;
  }

  asio::awaitable<bool> send(HttpAnswer answer) {
    const AnswerForm form{.now = server_.clock.now(),
                          .keeps_alive = keep_alive_ && whole_ && !server_.stopping,
                          .old_client = parser_->version() == 10,
                          .without_body = head_.method == "HEAD"};
    const auto text = format_answer(answer, form);
    server_.handler.answered(head_, answer.status, SteadyClock::now() - began_);
    room_ = std::string();
    const bool written = co_await write(text);
    co_return written;
  }

  // Says good-bye so that an answer is not lost to a client that still sends.
  asio::awaitable<void> close() {
    if (tls_ && !tls_failed_ && !broken_off_ && stream_.socket().is_open()) {
      stream_.expires_after(kTlsGoodbye);
      co_await tls_->async_shutdown(kAwait);
    }
    error_code ignored;
    if (linger_ && !broken_off_ && stream_.socket().is_open()) {
      stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
      stream_.expires_after(kLinger);
      room_.resize(kPieceBytes);
      for (error_code fault; !fault && !server_.stopping;) {
        std::size_t size = 0;
        std::tie(fault, size) = co_await stream_.async_read_some(asio::buffer(room_), kAwait);
      }
    }
    stream_.close();
  }

  HttpServing& server_;
  beast::tcp_stream stream_;
  std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;
  std::string peer_;
  std::string client_;
  beast::flat_buffer input_;
  asio::steady_timer arrival_;  // cancelled when an admission or an answer has come
  bool idle_ = false;
  bool broken_off_ = false;
  bool tls_failed_ = false;
  bool linger_ = false;
  // Of the present request:
  std::optional<HttpRequestParser> parser_;
  HttpHead head_;
  SteadyClock::time_point began_;
  bool gzip_ = false;
  bool expects_continue_ = false;
  bool keep_alive_ = false;
  bool whole_ = false;  // its body was read to the end
  std::string why_;
  std::string room_;
  std::optional<HttpAdmission> admission_;
  std::optional<HttpAnswer> answer_;
};

}  // namespace

void serve_connection(HttpServing& server, asio::ip::tcp::socket socket) {
  const std::shared_ptr<Connection> connection(
      new Connection(server, std::move(socket)), [&io = server.io](Connection* one) {
        asio::dispatch(io, [owned = std::unique_ptr<Connection>(one)] {});
      });
  asio::co_spawn(
      server.io, [connection] { return connection->serve(); }, asio::detached);
}

}  // namespace rapporteur
