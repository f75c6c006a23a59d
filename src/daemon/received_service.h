#pragma once
// Everything that takes reports of others in the daemon: the listener for posts and the watch over
// Maildirs, [received] of the configuration made to work.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "config/config.h"
#include "daemon/http_listener.h"
#include "daemon/http_server.h"
#include "daemon/log_sampler.h"
#include "daemon/maildir_reception.h"
#include "daemon/post_reception.h"
#include "daemon/shared_state.h"
#include "daemon/tlsrpt_routes.h"
#include "daemon/worker.h"
#include "received/new_failure_command.h"
#include "store/store.h"

namespace rapporteur {

class ReceivedService {
 public:
  // Both stores are its own; the rest outlives it.
  struct Needs {
    std::unique_ptr<Store> post_store;
    std::unique_ptr<Store> mail_store;
    const Clock& clock;
    Log& log;
    SharedState& shared;
  };
  explicit ReceivedService(Needs needs);
  ~ReceivedService();
  ReceivedService(const ReceivedService&) = delete;
  ReceivedService& operator=(const ReceivedService&) = delete;

  // Serves posts on it, from start() on. Fails with Fault::kConfig as HttpServer::make(), and if
  // others than this machine could reach it without TLS.
  Result<void> listen(const ReceivedConfig& config, HttpListener listener);

  void start();

  // Whether use() of the configuration would succeed.
  Result<void> can_use(const ReceivedConfig& config) const;
  // Follows a new configuration, where it listens apart: if that changed, the listener stays as it
  // is until a restart. Fails as listen(); then all stays.
  Result<void> use(const ReceivedConfig& config);

  // After SharedState::stopping is set.
  void stop();

  // What it is bound to; empty: nothing.
  const std::string& address() const { return address_; }

 private:
  Result<void> check(const ReceivedConfig& config) const;
  void on_news(std::vector<ReportNews> news);

  Needs needs_;
  std::string listen_;  // as configured
  std::string address_;
  bool loopback_ = false;
  LogSampler sampler_;
  NewFailureCommand command_;
  Worker commands_{64};  // runs it
  PostReception posts_;
  MaildirReception maildirs_;
  TlsrptRoutes routes_;
  std::unique_ptr<HttpServer> server_;
  std::thread maildir_thread_;
};

}  // namespace rapporteur
