#pragma once
// Who answers what: from a request's method and path to those who take sessions, tell how the
// daemon is, or say no. docs/operations.md, "The HTTP server", lists the routes.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/health.h"
#include "daemon/http_credentials.h"
#include "daemon/http_elasticsearch.h"
#include "daemon/http_message.h"
#include "daemon/http_upload.h"
#include "daemon/metrics.h"
#include "daemon/worker.h"

namespace rapporteur {

// What a path asks for.
struct HttpTarget {
  enum class Kind {
    kSessions,
    kMetrics,
    kAlive,
    kReady,
    kBanner,    // Elasticsearch's, as all that follow
    kDocument,  // with an id or without
    kBulk,      // with an index or without
    kBadName,   // an index or id that Elasticsearch would not take
    kNothing,
  };
  Kind kind = Kind::kNothing;
  std::string index;
  std::string id;
  std::string_view name;     // constant text for metrics, such as "/{index}/_doc"
  std::string_view methods;  // "GET, HEAD"; empty: there is no such route
};
HttpTarget find_target(std::string_view path);

class HttpRoutes final : public HttpHandler {
 public:
  struct Needs {
    HttpUploads& uploads;
    HttpCredentials& credentials;
    DaemonMetrics& metrics;
    LogSampler& sampler;
    bool takes_sessions = true;  // false: uploads are refused so that they are sent elsewhere
    std::string host;            // what the daemon calls itself
    // Texts for /metrics, /healthz and /readyz. All but `alive` may wait for the store.
    std::function<std::string()> metrics_text;
    std::function<HealthAnswer()> alive;
    std::function<HealthAnswer()> ready;
  };
  explicit HttpRoutes(Needs needs);

  void admit(const HttpHead& head, std::function<void(HttpAdmission)> decide) override;
  std::unique_ptr<HttpExchange> begin(const HttpHead& head, const std::string& user) override;
  HttpAnswer refusal(const HttpHead& head, int status, const std::string& why) override;
  void answered(const HttpHead& head, int status, std::chrono::nanoseconds took) override;
  void turned_away(bool tls_failed) override;
  void connections(std::size_t open) override;

  // Looks for nothing more; whoever waits hears nothing more. One thread.
  void end() { worker_.end(); }

 private:
  class Looked;

  HttpAnswer unauthorised(const HttpHead& head, const AccessDecision& decision);
  HttpAnswer wrong_method(const HttpHead& head, const HttpTarget& target);
  HttpAnswer takes_none(const HttpHead& head);
  HttpAnswer nothing_here(const HttpHead& head);
  std::unique_ptr<HttpExchange> look(std::function<HttpAnswer()> answer);

  Needs needs_;
  ElasticsearchApi elasticsearch_;
  Worker worker_{16};  // last: its thread uses the rest
};

}  // namespace rapporteur
