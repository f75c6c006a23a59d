#pragma once
// The daemon's HTTP server with everything that it needs: [http] of the configuration made to work.
//
// Wiring in the daemon: open_http_listener() where sockets are opened; make() before the first
// thread; start(); use() with every new configuration, before it holds; stop() after intake and
// before Recording::stop(), so that what was answered is stored. It is destroyed after the
// recording thread has ended.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "config/config.h"
#include "daemon/http_credentials.h"
#include "daemon/http_listener.h"
#include "daemon/http_routes.h"
#include "daemon/http_server.h"
#include "daemon/http_upload.h"
#include "daemon/log_sampler.h"
#include "daemon/metrics.h"
#include "daemon/monitor.h"
#include "daemon/recording.h"

namespace rapporteur {

class HttpService {
 public:
  // All of them outlive it.
  struct Needs {
    Recording& recording;
    Monitor& monitor;
    DaemonMetrics& metrics;
    const Clock& clock;
    Random& random;
    Log& log;
    bool takes_sessions = true;  // false: metrics and health only
  };

  // `config` has [http]. Fails with Fault::kConfig as HttpServer::make(), and if others than this
  // machine could reach it without TLS or without credentials.
  static Result<std::unique_ptr<HttpService>> make(const Config& config, HttpListener listener,
                                                   const Needs& needs);
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  void start();

  // Follows a new configuration, where it listens apart: if that changed, or [http] is gone, all
  // stays as it is until a restart. Fails as make(); then all stays too.
  Result<void> use(const Config& config);

  void stop();

  // What it is bound to: "127.0.0.1:8460".
  const std::string& address() const { return address_; }

 private:
  HttpService(const Config& config, const HttpListener& listener, const Needs& needs);
  Result<void> check(const HttpConfig& http) const;

  const std::string listen_;  // as configured
  const std::string address_;
  const bool loopback_;
  LogSampler sampler_;
  std::atomic<std::int64_t> max_age_;  // in seconds
  HttpUploads uploads_;
  HttpCredentials credentials_;
  HttpRoutes routes_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace rapporteur
