#include "deliver/curl_https.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/ip.h"
#include "base/text.h"
#include "deliver/curl_loop.h"
#include "deliver/judge.h"

namespace rapporteur {

namespace {

// Of a thread, so that hosts which take turns on it keep theirs.
constexpr long kIdleConnections = 16;
constexpr std::size_t kKeptBody = 200;

struct Target {
  std::string host;  // lower case, without brackets
  int port = 0;
};

std::string part_of(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  std::string copy;
  if (curl_url_get(url, part, &text, flags) == CURLUE_OK) copy = text;
  curl_free(text);
  return copy;
}

// The host as libcurl will connect to it: "0x7f.1" is 127.0.0.1. Nullopt for what is no https URL,
// or has a user name in it.
std::optional<Target> parse_target(const std::string& url) {
  CURLU* parsed = curl_url();
  std::optional<Target> target;
  if (curl_url_set(parsed, CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER) == CURLUE_OK &&
      part_of(parsed, CURLUPART_SCHEME, 0) == "https") {
    target.emplace();
    target->host = to_lower(part_of(parsed, CURLUPART_HOST, 0));
    target->port = std::atoi(part_of(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT).c_str());
    if (target->host.starts_with('[') && target->host.ends_with(']')) {
      target->host = target->host.substr(1, target->host.size() - 2);
    }
  }
  curl_url_cleanup(parsed);
  return target;
}

std::optional<IpAddress> address_of(const curl_sockaddr& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (peer.family == AF_INET) {
    std::memcpy(&v4, &peer.addr, sizeof v4);
    bytes = &v4.sin_addr;
  } else if (peer.family == AF_INET6) {
    // libcurl keeps room for any address behind what it declares as a sockaddr.
    std::memcpy(&v6, static_cast<const void*>(&peer.addr), sizeof v6);
    bytes = &v6.sin6_addr;
  }
  if (bytes == nullptr) return std::nullopt;
  const auto size = static_cast<socklen_t>(text.size());
  if (inet_ntop(peer.family, bytes, text.data(), size) == nullptr) return std::nullopt;
  return parse_ip(text.data());
}

class CurlHttps final : public HttpsTransport {
 public:
  CurlHttps(const HttpsOptions& options, const Interrupt& interrupt);
  ~CurlHttps() override;

  Reply post(const std::string& url, std::string_view gz) override;

 private:
  void set_request();
  void set_callbacks();
  std::optional<std::string> refusal(const Target& target) const;
  Reply judge(int result);
  std::string answer() const;
  void take_header(std::string_view line);

  static int on_debug(CURL* easy, curl_infotype type, char* text, std::size_t size, void* self);
  static std::size_t on_header(char* text, std::size_t unit, std::size_t count, void* self);
  static std::size_t on_body(char* text, std::size_t unit, std::size_t count, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t total, curl_off_t sent);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);

  const HttpsOptions options_;
  const Interrupt& interrupt_;
  const SystemClock clock_;
  Conversation conversation_;
  curl_slist* headers_ = nullptr;

  // The attempt under way.
  Target target_;
  std::size_t size_ = 0;
  std::optional<std::string> refused_;  // by the guard: the last address that was
  bool tried_ = false;                  // an address passed the guard
  bool interrupted_ = false;
  std::size_t header_bytes_ = 0;
  std::size_t body_bytes_ = 0;
  int status_ = 0;  // of the final answer: 1xx are not
  std::string reason_;
  std::string retry_after_;
  std::string body_;

  CurlLoop loop_;
};

CurlHttps::CurlHttps(const HttpsOptions& options, const Interrupt& interrupt)
    : options_(options),
      interrupt_(interrupt),
      conversation_(options.listener),
      loop_(kIdleConnections) {
  set_request();
  set_callbacks();
}

CurlHttps::~CurlHttps() {
  curl_slist_free_all(headers_);
}

void CurlHttps::set_request() {
  auto* easy = loop_.easy();
  headers_ = curl_slist_append(headers_, "Content-Type: application/tlsrpt+gzip");
  headers_ = curl_slist_append(headers_, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "Rapporteur");
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, options_.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's answer is no status
  const auto limit = static_cast<long>(options_.timeout.count());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options_.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options_.verify ? 2L : 0L);
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
}

void CurlHttps::set_callbacks() {
  auto* easy = loop_.easy();
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  if (!conversation_.heard()) return;
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);  // on_debug() sees every line; nothing is printed
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, this);
}

Reply CurlHttps::post(const std::string& url, std::string_view gz) {
  const auto target = parse_target(url);
  if (!target) {
    return {Reply::Outcome::kPermanent,
            Stage::kConnect,
            0,
            reply_text("refused: not a usable https URL", Stage::kConnect),
            {}};
  }
  if (const auto why = refusal(*target)) {
    return {Reply::Outcome::kRefusedByGuard,
            Stage::kConnect,
            0,
            reply_text("refused: " + *why, Stage::kConnect),
            {}};
  }
  target_ = *target;
  size_ = gz.size();
  refused_.reset();
  tried_ = false;
  interrupted_ = false;
  header_bytes_ = 0;
  body_bytes_ = 0;
  status_ = 0;
  reason_.clear();
  retry_after_.clear();
  body_.clear();
  auto* easy = loop_.easy();
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(gz.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, gz.data());
  auto reply = judge(loop_.perform());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, nullptr);
  return reply;
}

// What the URL alone tells. An address in it is judged again by on_open().
std::optional<std::string> CurlHttps::refusal(const Target& target) const {
  if (auto why = judge_port(target.port)) return why;
  if (options_.proxy.empty()) return std::nullopt;
  if (const auto address = parse_ip(target.host)) {
    return judge_address(options_.exceptions, target.host, *address, own_addresses());
  }
  return judge_name(options_.exceptions, target.host);
}

Reply CurlHttps::judge(int result) {
  auto* easy = loop_.easy();
  curl_off_t sent = 0;
  long request_bytes = 0;
  curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes);
  long proxy_answer = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &proxy_answer);
  const bool asked = request_bytes > 0 && proxy_answer < 300;
  const bool handed_over = asked && static_cast<std::size_t>(sent) >= size_;
  Reply reply;
  reply.stage = asked ? Stage::kRequest : Stage::kConnect;
  reply.code = status_;
  reply.outcome = judge_http(status_, handed_over);
  if (status_ != 0) {
    reply.text = reply_text(answer(), reply.stage);
    if (reply.outcome == Reply::Outcome::kTemporary && !retry_after_.empty()) {
      reply.retry_after = parse_retry_after(retry_after_, clock_.now());
    }
    return reply;
  }
  std::string why = loop_.error(result);
  if (interrupted_) {
    why = "broken off by a stop";
    if (!handed_over) reply.outcome = Reply::Outcome::kInterrupted;
  } else if (refused_ && !tried_ && reply.stage == Stage::kConnect) {
    why = "refused: " + *refused_;
    reply.outcome = Reply::Outcome::kRefusedByGuard;
  } else if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL) {
    reply.outcome = Reply::Outcome::kPermanent;
  }
  reply.text = reply_text(why, reply.stage);
  return reply;
}

// "503 Service Unavailable: try later"; a body that is a page for browsers is left out.
std::string CurlHttps::answer() const {
  auto text = std::to_string(status_);
  if (!reason_.empty()) text += ' ' + reason_;
  const auto said = trim(body_);
  if (status_ < 200 || status_ >= 300) {
    if (!said.empty() && said.front() != '<') text += ": " + std::string(said);
  }
  return text;
}

void CurlHttps::take_header(std::string_view line) {
  constexpr std::string_view kRetryAfter = "Retry-After:";
  line = trim(line);
  if (starts_with_ignoring_case(line, "HTTP/")) {
    const auto words = split(line, ' ');
    const int code = words.size() > 1 ? std::atoi(std::string(words[1]).c_str()) : 0;
    const auto reason =
        words.size() > 2 ? line.find(words[2], words[0].size() + words[1].size() + 2) : line.size();
    status_ = code >= 200 && code < 600 ? code : 0;
    reason_ = std::string(line.substr(std::min(reason, line.size()), kKeptBody));
    retry_after_.clear();
  } else if (starts_with_ignoring_case(line, kRetryAfter)) {
    retry_after_ = std::string(line.substr(kRetryAfter.size()));
  }
}

int CurlHttps::on_debug(CURL*, curl_infotype type, char* text, std::size_t size, void* self) {
  auto& conversation = static_cast<CurlHttps*>(self)->conversation_;
  const std::string_view said(text, size);
  if (type == CURLINFO_HEADER_OUT) {
    conversation.sent(said);
  } else if (type == CURLINFO_HEADER_IN) {
    conversation.received(said);
  } else if (type == CURLINFO_DATA_IN) {
    conversation.received(said.substr(0, kKeptBody));
  } else if (type == CURLINFO_DATA_OUT) {
    conversation.sent_bytes(size);
  } else if (type == CURLINFO_TEXT) {
    conversation.note(said);
  }
  return 0;
}

std::size_t CurlHttps::on_header(char* text, std::size_t unit, std::size_t count, void* self) {
  auto& https = *static_cast<CurlHttps*>(self);
  const auto size = unit * count;
  https.header_bytes_ += size;
  if (https.header_bytes_ > kMaxResponseBytes) return 0;
  https.take_header(std::string_view(text, size));
  return size;
}

std::size_t CurlHttps::on_body(char* text, std::size_t unit, std::size_t count, void* self) {
  auto& https = *static_cast<CurlHttps*>(self);
  const auto size = unit * count;
  https.body_bytes_ += size;
  if (https.body_bytes_ > kMaxResponseBytes) return 0;
  https.body_.append(text, std::min(size, kKeptBody - https.body_.size()));
  return size;
}

int CurlHttps::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) {
  auto& https = *static_cast<CurlHttps*>(self);
  const bool handed_over = https.size_ > 0 && static_cast<std::size_t>(sent) >= https.size_;
  const bool stop = https.interrupt_.everything || (https.interrupt_.before_final && !handed_over);
  if (stop) https.interrupted_ = true;
  return stop ? 1 : 0;
}

curl_socket_t CurlHttps::on_open(void* self, curlsocktype, curl_sockaddr* peer) {
  auto& https = *static_cast<CurlHttps*>(self);
  if (https.options_.proxy.empty()) {
    const auto address = address_of(*peer);
    auto why = address ? judge_address(https.options_.exceptions, https.target_.host, *address,
                                       own_addresses())
                       : std::optional<std::string>("unknown kind of address");
    if (why) {
      https.refused_ = std::move(why);
      return CURL_SOCKET_BAD;
    }
  }
  https.tried_ = true;
  return ::socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

}  // namespace

std::unique_ptr<HttpsTransport> make_https_transport(const HttpsOptions& options,
                                                     const Interrupt& interrupt) {
  return std::make_unique<CurlHttps>(options, interrupt);
}

}  // namespace rapporteur
