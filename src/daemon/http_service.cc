#include "daemon/http_service.h"

#include <utility>

namespace rapporteur {

namespace {

TlsFiles tls_of(const HttpConfig& http) {
  return {http.certificate, http.key};
}

HttpLimits limits_of(const HttpConfig& http) {
  return {.max_body_bytes = static_cast<std::uint64_t>(http.max_body_bytes),
          .max_connections = static_cast<std::size_t>(http.max_connections)};
}

}  // namespace

HttpService::HttpService(const Config& config, const HttpListener& listener, const Needs& needs)
    : listen_(config.http->listen),
      address_(listener.address),
      loopback_(listener.loopback),
      sampler_(needs.log, needs.clock),
      max_age_(config.ingest.max_age.count()),
      uploads_{.clock = needs.clock,
               .random = needs.random,
               .sampler = sampler_,
               .submit = [&recording = needs.recording](
                             auto tally,
                             auto done) { recording.submit(std::move(tally), std::move(done)); },
               .has_room = [&recording = needs.recording] { return recording.has_room(); },
               .rules = [this] { return IntakeRules{.max_age = Seconds(max_age_.load())}; }},
      credentials_(needs.random),
      routes_({.uploads = uploads_,
               .credentials = credentials_,
               .metrics = needs.metrics,
               .sampler = sampler_,
               .takes_sessions = needs.takes_sessions,
               .host = config.hostname,
               .metrics_text = [&monitor = needs.monitor] { return monitor.metrics_text(); },
               .alive = [&monitor = needs.monitor] { return monitor.alive(); },
               .ready = [&monitor = needs.monitor] { return monitor.ready(); }}) {
  credentials_.use(config.http->users);
}

HttpService::~HttpService() {
  stop();
  // Their threads answer through the server.
  credentials_.end();
  routes_.end();
}

Result<void> HttpService::check(const HttpConfig& http) const {
  if (loopback_ || (!http.certificate.empty() && !http.users.empty())) return {};
  return Error{Fault::kConfig, "listening on " + address_ +
                                   " needs certificate, key and credentials in [http]; only "
                                   "loopback addresses do without"};
}

Result<std::unique_ptr<HttpService>> HttpService::make(const Config& config, HttpListener listener,
                                                       const Needs& needs) {
  std::unique_ptr<HttpService> service(new HttpService(config, listener, needs));
  if (auto checked = service->check(*config.http); !checked) return std::move(checked).error();
  auto server = HttpServer::make(std::move(listener), tls_of(*config.http), limits_of(*config.http),
                                 {}, service->routes_, needs.clock, needs.log);
  if (!server) return std::move(server).error();
  service->server_ = *std::move(server);
  return service;
}

void HttpService::start() {
  server_->start();
}

Result<void> HttpService::use(const Config& config) {
  const auto max_age = config.ingest.max_age.count();
  if (!config.http || config.http->listen != listen_) {
    max_age_ = max_age;
    return {};
  }
  if (auto checked = check(*config.http); !checked) return checked;
  auto reloaded = server_->reload(tls_of(*config.http), limits_of(*config.http));
  if (!reloaded) return reloaded;
  max_age_ = max_age;
  credentials_.use(config.http->users);
  return {};
}

void HttpService::stop() {
  if (server_) server_->stop();
}

}  // namespace rapporteur
