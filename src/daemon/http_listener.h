#pragma once
// The TCP socket of the HTTP server: bound here, or handed over by systemd (sd_listen_fds(3)).

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace rapporteur {

struct HttpListener {
  Fd socket;
  std::string address;  // "127.0.0.1:8460": what it is really bound to
  std::uint16_t port = 0;
  bool loopback = false;
};

// Binds `listen` ("127.0.0.1:8460", "[::1]:0") and listens. If systemd handed over a listening TCP
// socket that is called `name`, that is taken instead; for "http" also the only one there is,
// unless it is called "received". Fails with Fault::kTransient if the address is taken or is none
// of this machine's.
Result<HttpListener> open_http_listener(const std::string& listen, std::string_view name = "http");

}  // namespace rapporteur
