// The limit that the HTTP server is compared with: Beast reads each request whole and answers it,
// without looking at it, in as many bytes as ours.

#include <string>
#include <thread>

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include "bench/http_rig.h"

namespace rapporteur::bench {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;

asio::awaitable<void> serve(Tcp::socket socket) {
  boost::beast::flat_buffer buffer;
  boost::system::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  socket.set_option(Tcp::no_delay(true));
  for (;;) {
    http::request<http::string_body> request;
    co_await http::async_read(socket, buffer, request, token);
    if (error) co_return;
    http::response<http::string_body> answer(http::status::created, request.version());
    answer.set(http::field::content_type, "application/json");
    answer.body() = std::string(200, ' ');
    answer.prepare_payload();
    co_await http::async_write(socket, answer, token);
    if (error) co_return;
  }
}

asio::awaitable<void> accept(Tcp::acceptor& acceptor) {
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

}  // namespace

void with_idle_server(const std::function<void(std::uint16_t)>& client) {
  asio::io_context io(1);
  Tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  asio::co_spawn(io, accept(acceptor), asio::detached);
  std::thread server([&io] { io.run(); });
  client(acceptor.local_endpoint().port());
  io.stop();
  server.join();
}

}  // namespace rapporteur::bench
