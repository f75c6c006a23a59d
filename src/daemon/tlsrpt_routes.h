#pragma once
// POST /v1/tlsrpt on the listener of [received]: where others deliver reports (RFC 8460, section
// 5.4), and nothing else. No credentials by nature: limits hold for each client.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/http_message.h"
#include "daemon/log_sampler.h"
#include "daemon/metrics.h"
#include "daemon/post_reception.h"
#include "daemon/rate_limiter.h"

namespace rapporteur {

class TlsrptRoutes final : public HttpHandler {
 public:
  struct Needs {
    // As PostReception::post().
    std::function<bool(std::string body, std::string peer, PostReception::Done done)> post;
    DaemonMetrics& metrics;
    LogSampler& sampler;
  };
  explicit TlsrptRoutes(Needs needs);

  // A client's requests: so many at once, then one each kPostInterval.
  static constexpr std::size_t kPostBurst = 300;
  static constexpr std::chrono::milliseconds kPostInterval{200};
  // Bodies that are being read: all together, and those of one client.
  static constexpr std::size_t kMostOpenBytes = std::size_t{128} << 20;
  static constexpr std::size_t kMostClientBytes = std::size_t{16} << 20;

  void admit(const HttpHead& head, std::function<void(HttpAdmission)> decide) override;
  std::unique_ptr<HttpExchange> begin(const HttpHead& head, const std::string& user) override;
  HttpAnswer refusal(const HttpHead& head, int status, const std::string& why) override;
  void answered(const HttpHead& head, int status, std::chrono::nanoseconds took) override;
  void turned_away(bool tls_failed) override;
  void connections(std::size_t open) override;

 private:
  class Upload;

  Needs needs_;
  RateLimiter limiter_{kPostBurst, kPostInterval};
  std::size_t open_bytes_ = 0;
  std::map<std::string, std::size_t> client_bytes_;  // of those that have any
};

}  // namespace rapporteur
