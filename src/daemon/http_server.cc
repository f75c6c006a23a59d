#include "daemon/http_server.h"

#include <fcntl.h>

#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/http_server_connection.h"
#include "daemon/http_server_tls.h"
#include "daemon/log_sampler.h"
#include "daemon/rate_limiter.h"

namespace rapporteur {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr std::chrono::milliseconds kAcceptPause{100};

}  // namespace

struct HttpServer::Impl {
  Impl(const HttpTimes& times, HttpHandler& handler, const Clock& clock, Log& log)
      : sampler(log, clock),
        serving{.times = times,
                .handler = handler,
                .clock = clock,
                .sampler = sampler,
                .io = io,
                .all_gone = [this] { grace.cancel(); },
                .limits = {},
                .tls = {},
                .connections = {},
                .places = {}} {}

  asio::awaitable<void> accept_all();
  void admit(asio::ip::tcp::socket socket);
  void begin_stop();

  LogSampler sampler;
  HttpServing serving;
  std::uint16_t port = 0;

  std::thread thread;
  // Last, so that it goes first: what waits in it refers to the rest.
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::ip::tcp::acceptor acceptor{io};
  asio::steady_timer grace{io};
};

asio::awaitable<void> HttpServer::Impl::accept_all() {
  asio::steady_timer pause(io);
  while (!serving.stopping) {
    auto [fault, socket] = co_await acceptor.async_accept(kAwait);
    if (serving.stopping) break;
    if (!fault) {
      admit(std::move(socket));
    } else if (fault != asio::error::connection_aborted) {
      // Too many open files, for instance.
      sampler.warning("http-accept-failed", fault.message(), {{"error", fault.message()}});
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kAwait);
    }
  }
}

void HttpServer::Impl::admit(asio::ip::tcp::socket socket) {
  error_code ignored;
  const auto& limits = serving.limits;
  const auto peer = socket.remote_endpoint(ignored).address().to_string();
  const bool full = serving.connections.size() >= limits.max_connections;
  if (full || !serving.places.has_place(client_group(peer), limits.max_client_connections)) {
    const auto limit = full ? limits.max_connections : limits.max_client_connections;
    serving.handler.turned_away(false);
    sampler.warning("http-connections-full", "",
                    {{"peer", peer}, {"limit", std::to_string(limit)}});
    return;
  }
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  serve_connection(serving, std::move(socket));
}

void HttpServer::Impl::begin_stop() {
  serving.stopping = true;
  error_code ignored;
  acceptor.close(ignored);
  work.reset();
  for (auto* connection : serving.connections) connection->close_if_idle();
  if (serving.connections.empty()) return;
  grace.expires_after(serving.times.stop);
  grace.async_wait([this](const error_code& fault) {
    if (fault) return;
    for (auto* connection : serving.connections) connection->break_off();
  });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
  stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::make(HttpListener listener, const TlsFiles& tls,
                                                     const HttpLimits& limits,
                                                     const HttpTimes& times, HttpHandler& handler,
                                                     const Clock& clock, Log& log) {
  auto context = make_tls_context(tls);
  if (!context) return std::move(context).error();
  auto impl = std::make_unique<Impl>(times, handler, clock, log);
  impl->serving.tls = *std::move(context);
  impl->serving.limits = limits;
  impl->port = listener.port;
  const bool v6 = listener.address.starts_with('[');
  error_code fault;
  // The acceptor closes what it is given, as the listener does: each has a descriptor of its own.
  const int own = fcntl(listener.socket.get(), F_DUPFD_CLOEXEC, 0);
  impl->acceptor.assign(v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), own, fault);
  if (fault) return Error{Fault::kTransient, "cannot serve HTTP: " + fault.message()};
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

void HttpServer::start() {
  asio::co_spawn(
      impl_->io, [impl = impl_.get()] { return impl->accept_all(); }, asio::detached);
  impl_->thread = std::thread([impl = impl_.get()] { impl->io.run(); });
}

Result<void> HttpServer::can_use(const TlsFiles& tls) {
  const auto context = make_tls_context(tls);
  return context ? Result<void>() : context.error();
}

Result<void> HttpServer::reload(const TlsFiles& tls, const HttpLimits& limits) {
  auto context = make_tls_context(tls);
  if (!context) return std::move(context).error();
  asio::post(impl_->io, [impl = impl_.get(), tls_now = *std::move(context), limits] {
    impl->serving.tls = tls_now;
    impl->serving.limits = limits;
  });
  return {};
}

void HttpServer::stop() {
  if (!impl_->thread.joinable()) return;
  asio::post(impl_->io, [impl = impl_.get()] { impl->begin_stop(); });
  impl_->thread.join();
}

std::uint16_t HttpServer::port() const {
  return impl_->port;
}

}  // namespace rapporteur
