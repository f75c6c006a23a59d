#include "daemon/http_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace rapporteur {

namespace {

// Splits the target into path and query. False: it is neither of the two forms of RFC 9112,
// sections 3.2.1 and 3.2.2.
bool read_target(std::string_view target, HttpHead& head) {
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme == target.npos) return false;
    const auto path = target.find('/', scheme + 3);
    target = path == target.npos ? std::string_view("/") : target.substr(path);
  }
  const auto question = target.find('?');
  head.path = target.substr(0, question);
  if (question != target.npos) head.query = target.substr(question + 1);
  return true;
}

std::size_t count_of(const HttpHead& head, std::string_view name) {
  const auto same = [&](const auto& field) { return equals_ignoring_case(field.name, name); };
  return static_cast<std::size_t>(std::ranges::count_if(head.fields, same));
}

}  // namespace

std::string_view HttpHead::field(std::string_view name) const {
  for (const auto& field : fields) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return {};
}

HeadVerdict judge_head(const HeadFacts& facts, std::uint64_t max_body_bytes, HttpHead& head) {
  HeadVerdict verdict;
  const auto refuse = [&](int status, std::string why) {
    verdict.status = status;
    verdict.why = std::move(why);
    return verdict;
  };
  if (facts.version != 10 && facts.version != 11) return refuse(505, "HTTP/1.1 is spoken here");
  if (!read_target(facts.target, head)) return refuse(400, "the request's target is no path");
  if (facts.version == 11 && count_of(head, "Host") != 1) {
    return refuse(400, "there must be one Host field");
  }
  const auto transfer = head.field("Transfer-Encoding");
  if (count_of(head, "Transfer-Encoding") > 1 ||
      (!transfer.empty() && !equals_ignoring_case(transfer, "chunked"))) {
    return refuse(501, "chunked is the only transfer coding that is taken");
  }
  const auto expect = head.field("Expect");
  if (equals_ignoring_case(expect, "100-continue")) {
    verdict.expects_continue = facts.version == 11;
  } else if (!expect.empty()) {
    return refuse(417, "100-continue is all that may be expected");
  }
  const auto coding = head.field("Content-Encoding");
  if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) {
    verdict.gzip = true;
  } else if (!coding.empty() && !equals_ignoring_case(coding, "identity")) {
    return refuse(415, "gzip is the only content coding that is taken");
  }
  if (facts.content_length && *facts.content_length > max_body_bytes) {
    return refuse(413, "the body is larger than " + std::to_string(max_body_bytes) + " bytes");
  }
  return verdict;
}

std::string_view reason_phrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 22> kPhrases = {{
      {200, "OK"},
      {201, "Created"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  const auto* found =
      std::ranges::find(kPhrases, status, [](const auto& row) { return row.first; });
  return found == kPhrases.end() ? std::string_view() : found->second;
}

std::string format_answer(const HttpAnswer& answer, const AnswerForm& form) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  text += reason_phrase(answer.status);
  // RFC 9110, section 5.6.7: as RFC 5322, but with a name for the zone.
  auto date = format_rfc5322(form.now);
  if (const auto zone = date.rfind(' '); zone != date.npos) date.resize(zone);
  text += "\r\nDate: " + date + " GMT\r\n";
  if (!answer.content_type.empty()) text += "Content-Type: " + answer.content_type + "\r\n";
  text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  for (const auto& [name, value] : answer.fields) text += name + ": " + value + "\r\n";
  if (!form.keeps_alive) {
    text += "Connection: close\r\n";
  } else if (form.old_client) {
    text += "Connection: keep-alive\r\n";
  }
  text += "\r\n";
  if (!form.without_body) text += answer.body;
  return text;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const auto digits = text.substr(i + 1, 2);
    const auto [end, fault] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || fault != std::errc{} || end != digits.data() + 2) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

BodyFlow::BodyFlow(HttpExchange& exchange, bool gzip, std::uint64_t max_bytes)
    : exchange_(exchange), max_bytes_(max_bytes) {
  if (gzip) gunzip_.emplace();
}

BodyFlow::Step BodyFlow::refuse(int status, std::string why) {
  status_ = status;
  why_ = std::move(why);
  return Step::kRefused;
}

BodyFlow::Step BodyFlow::too_large() {
  return refuse(413, "the body is larger than " + std::to_string(max_bytes_) + " bytes");
}

BodyFlow::Step BodyFlow::take(std::string_view raw) {
  raw_ += raw.size();
  if (raw_ > max_bytes_) return too_large();
  if (!gunzip_) return exchange_.body(raw) ? Step::kMore : Step::kEnough;
  gunzip_->give(raw);
  return again();
}

BodyFlow::Step BodyFlow::again() {
  const auto text = gunzip_->next();
  if (!text) return refuse(400, text.error().text);
  if (text->empty()) return Step::kMore;
  inflated_ += text->size();
  if (inflated_ > max_bytes_) return too_large();
  return exchange_.body(*text) ? Step::kAgain : Step::kEnough;
}

BodyFlow::Step BodyFlow::end() {
  if (gunzip_ && raw_ > 0 && !gunzip_->finished())
    return refuse(400, "the gzip data ends too early");
  return Step::kEnough;
}

}  // namespace rapporteur
