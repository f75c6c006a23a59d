#include "daemon/http_routes.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "daemon/http_json.h"
#include "daemon/http_protocol.h"
#include "daemon/http_sessions.h"

namespace rapporteur {

namespace {

using TargetKind = HttpTarget::Kind;

constexpr std::string_view kReads = "GET, HEAD";
constexpr std::size_t kMostIndexBytes = 255;  // as Elasticsearch has it
constexpr std::size_t kMostIdBytes = 512;
constexpr std::string_view kAskAnotherAfter = "5";  // seconds, as Elasticsearch's refusals have it
constexpr std::array<std::string_view, 2> kChallenges = {
    R"(Basic realm="rapporteur", charset="UTF-8")", R"(Bearer realm="rapporteur")"};

bool is_name(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && is_valid_utf8(text) &&
         without_controls(text).size() == text.size();
}

// "/{index}/_doc" and its like. `parts` are decoded.
HttpTarget elasticsearch_target(const std::vector<std::string>& parts) {
  HttpTarget target;
  const auto& last = parts.back();
  if (parts.size() == 1 && last == "_bulk") {
    target = {.kind = TargetKind::kBulk, .name = "/_bulk", .methods = "POST, PUT"};
    return target;
  }
  if (parts.size() < 2 || parts.size() > 3) return target;
  const auto& verb = parts[1];
  if (parts.size() == 2 && verb == "_bulk") {
    target = {.kind = TargetKind::kBulk, .name = "/{index}/_bulk", .methods = "POST, PUT"};
  } else if (parts.size() == 2 && verb == "_doc") {
    target = {.kind = TargetKind::kDocument, .name = "/{index}/_doc", .methods = "POST"};
  } else if (parts.size() == 3 && verb == "_doc") {
    target = {.kind = TargetKind::kDocument, .name = "/{index}/_doc/{id}", .methods = "POST, PUT"};
  } else if (parts.size() == 3 && verb == "_create") {
    target = {
        .kind = TargetKind::kDocument, .name = "/{index}/_create/{id}", .methods = "POST, PUT"};
  } else {
    return target;
  }
  target.index = parts[0];
  if (parts.size() == 3) target.id = parts[2];
  const bool good_id = parts.size() == 2 || is_name(target.id, kMostIdBytes);
  if (!is_name(target.index, kMostIndexBytes) || target.index.starts_with('_') || !good_id) {
    target.kind = TargetKind::kBadName;
  }
  return target;
}

// Whose manners an answer has to have: the routes of our own are few, all others are
// Elasticsearch's.
bool is_own(std::string_view path) {
  return path.starts_with("/v1/") || path == "/metrics" || path == "/healthz" || path == "/readyz";
}

bool allows(std::string_view methods, std::string_view method) {
  for (const auto one : split(methods, ',')) {
    if (trim(one) == method) return true;
  }
  return false;
}

bool is_upload(TargetKind kind) {
  return kind == TargetKind::kSessions || kind == TargetKind::kDocument ||
         kind == TargetKind::kBulk;
}

HttpAnswer health_answer(const HttpHead& head, const HealthAnswer& health) {
  const bool json = head.field("Accept").find("application/json") != std::string_view::npos;
  return {.status = health.good ? 200 : 503,
          .content_type = json ? "application/json" : "text/plain; charset=utf-8",
          .body = json ? health.json : health.text,
          .fields = {{"Cache-Control", "no-store"}}};
}

}  // namespace

HttpTarget find_target(std::string_view path) {
  if (path == "/") return {.kind = TargetKind::kBanner, .name = "/", .methods = kReads};
  if (path == "/v1/sessions") {
    return {.kind = TargetKind::kSessions, .name = "/v1/sessions", .methods = "POST"};
  }
  if (path == "/metrics")
    return {.kind = TargetKind::kMetrics, .name = "/metrics", .methods = kReads};
  if (path == "/healthz")
    return {.kind = TargetKind::kAlive, .name = "/healthz", .methods = kReads};
  if (path == "/readyz") return {.kind = TargetKind::kReady, .name = "/readyz", .methods = kReads};
  std::vector<std::string> parts;
  if (is_own(path) || !path.starts_with('/')) return {};
  for (const auto raw : split(path.substr(1), '/')) {
    auto part = percent_decoded(raw);
    if (!part || parts.size() == 3) return {};
    parts.push_back(*std::move(part));
  }
  return elasticsearch_target(parts);
}

// An answer that may take a while to find.
class HttpRoutes::Looked final : public HttpExchange {
 public:
  Looked(Worker& worker, std::function<HttpAnswer()> answer)
      : worker_(worker), answer_(std::move(answer)) {}
  bool reads_body() const override { return false; }
  bool body(std::string_view) override { return false; }
  void end(HttpResponder respond) override {
    const bool taken = worker_.run([respond, answer = std::move(answer_)] { respond(answer()); });
    if (!taken) respond(plain_refusal(503, "too many ask at the same time"));
  }

 private:
  Worker& worker_;
  std::function<HttpAnswer()> answer_;
};

HttpRoutes::HttpRoutes(Needs needs)
    : needs_(std::move(needs)), elasticsearch_(needs_.uploads, needs_.host) {}

HttpAnswer HttpRoutes::unauthorised(const HttpHead& head, const AccessDecision& decision) {
  const bool own = is_own(head.path);
  if (decision.access == Access::kBusy) return refusal(head, 429, "too many wrong passwords");
  const bool missing = decision.access == Access::kMissing;
  const std::string why = missing ? "missing authentication credentials for REST request [" +
                                        to_valid_utf8(head.path) + "]"
                                  : "unable to authenticate user [" + to_valid_utf8(decision.user) +
                                        "] for REST request [" + to_valid_utf8(head.path) + "]";
  const std::vector<std::string> challenges(kChallenges.begin(), kChallenges.end());
  auto answer =
      own ? plain_refusal(401, missing ? "credentials are needed" : "wrong credentials")
          : elasticsearch_answer(head, 401, elasticsearch_challenge_json(why, challenges));
  for (const auto& challenge : challenges) {
    answer.fields.push_back({"WWW-Authenticate", challenge});
  }
  return answer;
}

void HttpRoutes::admit(const HttpHead& head, std::function<void(HttpAdmission)> decide) {
  if (head.path == "/healthz" || head.path == "/readyz") return decide({.granted = true});
  const auto now = std::chrono::steady_clock::now();
  needs_.credentials.check(
      head.field("Authorization"), head.peer, now,
      [this, &head, decide = std::move(decide)](AccessDecision decision) {
        if (decision.access == Access::kGranted) {
          return decide({.granted = true, .user = std::move(decision.user)});
        }
        const std::string reason = decision.access == Access::kMissing ? "missing"
                                   : decision.access == Access::kWrong ? "wrong"
                                                                       : "too-many";
        needs_.metrics.http_authentication_failed.add();
        needs_.sampler.warning("http-authentication-failed", reason,
                               {{"peer", head.peer}, {"user", decision.user}, {"reason", reason}});
        decide({.granted = false, .user = {}, .refusal = unauthorised(head, decision)});
      });
}

void HttpRoutes::turned_away(bool tls_failed) {
  (tls_failed ? needs_.metrics.http_tls_failed : needs_.metrics.http_connections_full).add();
}

HttpAnswer HttpRoutes::wrong_method(const HttpHead& head, const HttpTarget& target) {
  const std::string methods(target.methods);
  auto answer =
      is_own(head.path)
          ? plain_refusal(405, "this is for " + methods)
          : elasticsearch_refusal(head, 405, "illegal_argument_exception",
                                  "Incorrect HTTP method for uri [" + head.path + "] and method [" +
                                      head.method + "], allowed: [" + methods + "]");
  answer.fields.push_back({"Allow", methods});
  return answer;
}

// Whoever sends keeps what he has, and may ask another node.
HttpAnswer HttpRoutes::takes_none(const HttpHead& head) {
  auto answer = refusal(head, 503, "this node takes no sessions: it runs with --role schedule");
  if (is_own(head.path)) answer.fields.push_back({"Retry-After", std::string(kAskAnotherAfter)});
  return answer;
}

HttpAnswer HttpRoutes::nothing_here(const HttpHead& head) {
  return refusal(head, 404,
                 "no handler found for uri [" + head.path + "] and method [" + head.method + "]");
}

std::unique_ptr<HttpExchange> HttpRoutes::look(std::function<HttpAnswer()> answer) {
  return std::make_unique<Looked>(worker_, std::move(answer));
}

std::unique_ptr<HttpExchange> HttpRoutes::begin(const HttpHead& head, const std::string& user) {
  auto target = find_target(head.path);
  const auto fixed = [](HttpAnswer answer) {
    return std::make_unique<FixedExchange>(std::move(answer));
  };
  if (target.methods.empty()) return fixed(nothing_here(head));
  if (target.kind == TargetKind::kBadName) {
    return fixed(elasticsearch_refusal(head, 400, "invalid_index_name_exception",
                                       "Invalid index name or id"));
  }
  if (!allows(target.methods, head.method)) return fixed(wrong_method(head, target));
  if (!needs_.takes_sessions && is_upload(target.kind)) return fixed(takes_none(head));
  switch (target.kind) {
    case TargetKind::kSessions:
      return begin_sessions(head, user, needs_.uploads);
    case TargetKind::kDocument:
      return elasticsearch_.begin_document(head, std::move(target.index), std::move(target.id));
    case TargetKind::kBulk:
      return elasticsearch_.begin_bulk(head, std::move(target.index));
    case TargetKind::kBanner:
      return fixed(elasticsearch_.banner(head));
    case TargetKind::kAlive:
      return fixed(health_answer(head, needs_.alive()));
    case TargetKind::kReady:
      return look([this, head] { return health_answer(head, needs_.ready()); });
    case TargetKind::kMetrics:
      return look([this] {
        return HttpAnswer{.status = 200,
                          .content_type = std::string(kPrometheusContentType),
                          .body = needs_.metrics_text()};
      });
    case TargetKind::kBadName:
    case TargetKind::kNothing:
      break;
  }
  return fixed(nothing_here(head));
}

HttpAnswer HttpRoutes::refusal(const HttpHead& head, int status, const std::string& why) {
  return is_own(head.path) ? plain_refusal(status, why) : elasticsearch_refusal(head, status, why);
}

void HttpRoutes::answered(const HttpHead& head, int status, std::chrono::nanoseconds took) {
  const auto name = find_target(head.path).name;
  needs_.metrics.http_route(name.empty() ? "other" : name).answered(status, took);
}

void HttpRoutes::connections(std::size_t open) {
  needs_.metrics.http_connections.set(static_cast<std::int64_t>(open));
}

}  // namespace rapporteur
