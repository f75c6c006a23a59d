#include "daemon/tlsrpt_routes.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "daemon/http_json.h"
#include "daemon/http_sessions.h"
#include "daemon/http_upload.h"

namespace rapporteur {

namespace {

constexpr std::string_view kPath = "/v1/tlsrpt";
constexpr std::string_view kMethod = "POST";
// RFC 8460's own, and what they are taken for.
constexpr std::array<std::string_view, 5> kTypes = {"application/tlsrpt+gzip",
                                                    "application/tlsrpt+json", "application/gzip",
                                                    "application/x-gzip", "application/json"};

HttpAnswer answer_of(const Result<ReceptionOutcome>& outcome) {
  // Why is told in the log: it is no stranger's business.
  if (!outcome) return plain_refusal(503, "nothing was stored; try again later");
  if (outcome->status == ReceptionOutcome::Status::kRefused) {
    return plain_refusal(400, outcome->why);
  }
  const bool stored = outcome->status == ReceptionOutcome::Status::kStored;
  return {.status = stored ? 201 : 200,
          .content_type = "application/json",
          .body = reception_json(to_string(outcome->status), outcome->id) + "\n"};
}

}  // namespace

// One body on its way.
class TlsrptRoutes::Upload final : public HttpExchange {
 public:
  Upload(TlsrptRoutes& routes, std::string peer)
      : routes_(routes), peer_(std::move(peer)), client_(client_group(peer_)) {}
  ~Upload() override { give_back(); }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  bool body(std::string_view piece) override {
    auto& client_bytes = routes_.client_bytes_[client_];
    full_ = routes_.open_bytes_ + piece.size() > kMostOpenBytes ||
            client_bytes + piece.size() > kMostClientBytes;
    if (full_) return false;
    routes_.open_bytes_ += piece.size();
    client_bytes += piece.size();
    body_.append(piece);
    return true;
  }

  void end(HttpResponder respond) override {
    if (full_) return respond(plain_refusal(503, "too much is being uploaded at the same time"));
    give_back();
    const bool taken = routes_.needs_.post(
        std::exchange(body_, {}), peer_,
        [respond](const Result<ReceptionOutcome>& outcome) { respond(answer_of(outcome)); });
    if (!taken) respond(plain_refusal(503, "too many reports wait to be stored"));
  }

 private:
  // The room that the body takes while it is read.
  void give_back() {
    if (std::exchange(given_back_, true)) return;
    routes_.open_bytes_ -= body_.size();
    const auto found = routes_.client_bytes_.find(client_);
    if (found == routes_.client_bytes_.end()) return;
    found->second -= body_.size();
    if (found->second == 0) routes_.client_bytes_.erase(found);
  }

  TlsrptRoutes& routes_;
  const std::string peer_;
  const std::string client_;
  bool given_back_ = false;
  std::string body_;
  bool full_ = false;
};

TlsrptRoutes::TlsrptRoutes(Needs needs) : needs_(std::move(needs)) {}

void TlsrptRoutes::admit(const HttpHead& head, std::function<void(HttpAdmission)> decide) {
  const auto group = client_group(head.peer);
  if (limiter_.allow(group, std::chrono::steady_clock::now())) return decide({.granted = true});
  needs_.sampler.warning("http-too-many-requests", "", {{"peer", head.peer}});
  decide({.granted = false,
          .user = {},
          .refusal = plain_refusal(429, "too many requests from " + group)});
}

std::unique_ptr<HttpExchange> TlsrptRoutes::begin(const HttpHead& head, const std::string&) {
  const auto refuse = [](int status, std::string_view why) {
    return std::make_unique<FixedExchange>(plain_refusal(status, why));
  };
  if (head.path != kPath) return refuse(404, "reports are taken at /v1/tlsrpt");
  if (head.method != kMethod) {
    auto answer = plain_refusal(405, "this is for POST");
    answer.fields.push_back({"Allow", std::string(kMethod)});
    return std::make_unique<FixedExchange>(std::move(answer));
  }
  const auto field = head.field("Content-Type");
  const auto type = to_lower(trim(field.substr(0, field.find(';'))));
  if (std::ranges::find(kTypes, type) == kTypes.end()) {
    return refuse(415, "reports are application/tlsrpt+gzip or application/tlsrpt+json");
  }
  return std::make_unique<Upload>(*this, head.peer);
}

HttpAnswer TlsrptRoutes::refusal(const HttpHead&, int status, const std::string& why) {
  return plain_refusal(status, why);
}

void TlsrptRoutes::answered(const HttpHead& head, int status, std::chrono::nanoseconds took) {
  needs_.metrics.http_route(head.path == kPath ? kPath : "other").answered(status, took);
}

void TlsrptRoutes::turned_away(bool tls_failed) {
  (tls_failed ? needs_.metrics.http_tls_failed : needs_.metrics.http_connections_full).add();
}

void TlsrptRoutes::connections(std::size_t open) {
  needs_.metrics.received_connections.set(static_cast<std::int64_t>(open));
}

}  // namespace rapporteur
