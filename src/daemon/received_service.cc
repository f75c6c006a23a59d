#include "daemon/received_service.h"

#include <chrono>
#include <utility>

namespace rapporteur {

namespace {

// RFC 8460, section 5.2, has 10 MB for what receivers commonly take.
constexpr HttpLimits kLimits{
    .max_body_bytes = 10'000'000, .max_connections = 256, .max_client_connections = 20};

// A report comes in one go; who takes longer holds a place that others may need.
constexpr HttpTimes kTimes{.request = std::chrono::minutes(2)};

TlsFiles tls_of(const ReceivedConfig& config) {
  return {config.certificate, config.key};
}

}  // namespace

ReceivedService::ReceivedService(Needs needs)
    : needs_(std::move(needs)),
      sampler_(needs_.log, needs_.clock),
      command_(needs_.log, &needs_.shared.stopping),
      posts_(*needs_.post_store, needs_.clock, needs_.log, needs_.shared,
             [this](std::vector<ReportNews> news) { on_news(std::move(news)); }),
      maildirs_(*needs_.mail_store, needs_.clock, needs_.log,
                [this](std::vector<ReportNews> news) { on_news(std::move(news)); }),
      routes_({.post =
                   [this](std::string body, std::string peer, PostReception::Done done) {
                     return posts_.post(std::move(body), std::move(peer), std::move(done));
                   },
               .metrics = needs_.shared.metrics,
               .sampler = sampler_}) {}

ReceivedService::~ReceivedService() {
  stop();
}

Result<void> ReceivedService::check(const ReceivedConfig& config) const {
  if (loopback_ || !config.certificate.empty()) return {};
  return Error{Fault::kConfig, "listening on " + address_ +
                                   " needs certificate and key in [received]; only loopback "
                                   "addresses do without"};
}

Result<void> ReceivedService::listen(const ReceivedConfig& config, HttpListener listener) {
  listen_ = config.listen;
  address_ = listener.address;
  loopback_ = listener.loopback;
  if (auto checked = check(config); !checked) return checked;
  auto server = HttpServer::make(std::move(listener), tls_of(config), kLimits, kTimes, routes_,
                                 needs_.clock, needs_.log);
  if (!server) return std::move(server).error();
  server_ = *std::move(server);
  return {};
}

void ReceivedService::start() {
  posts_.start();
  maildir_thread_ = std::thread([this] { maildirs_.serve(needs_.shared); });
  if (server_) server_->start();
}

Result<void> ReceivedService::can_use(const ReceivedConfig& config) const {
  if (!server_ || config.listen != listen_) return {};
  if (auto checked = check(config); !checked) return checked;
  return HttpServer::can_use(tls_of(config));
}

Result<void> ReceivedService::use(const ReceivedConfig& config) {
  if (!server_ || config.listen != listen_) return {};
  if (auto checked = check(config); !checked) return checked;
  return server_->reload(tls_of(config), kLimits);
}

// From the threads that take reports: the command has one of its own.
void ReceivedService::on_news(std::vector<ReportNews> news) {
  const auto words = needs_.shared.config.get()->received.on_new_failure;
  if (words.empty()) return;
  for (auto& one : news) {
    const auto id = one.id;
    const bool taken = commands_.run(
        [this, words, one = std::move(one)] { command_.run(words, one, needs_.clock.now()); });
    if (!taken) needs_.log.warning("new-failure-command-held-back", {{"report", id}});
  }
}

// The server first: it lets what it has taken end, for which it needs the others.
void ReceivedService::stop() {
  if (server_) server_->stop();
  posts_.stop();
  maildirs_.interrupt();
  if (maildir_thread_.joinable()) maildir_thread_.join();
  commands_.end();
}

}  // namespace rapporteur
