#pragma once
// The rules of HTTP that need no connection: which requests are refused whatever they ask for, how
// an answer is written, and what becomes of a body on its way to its exchange. RFC 9110, RFC 9112.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/gunzip.h"
#include "base/time.h"
#include "daemon/http_message.h"

namespace rapporteur {

// What a header told beside its method and fields.
struct HeadFacts {
  std::string_view target;
  int version = 11;
  std::optional<std::uint64_t> content_length;
};

struct HeadVerdict {
  int status = 0;  // 0: it may go on
  std::string why;
  bool gzip = false;
  bool expects_continue = false;
};

// Judges the header and completes `head`, which has method and fields, with path and query.
HeadVerdict judge_head(const HeadFacts& facts, std::uint64_t max_body_bytes, HttpHead& head);

struct AnswerForm {
  Time now;
  bool keeps_alive = true;
  bool old_client = false;    // of HTTP/1.0
  bool without_body = false;  // an answer to HEAD
};

// "HTTP/1.1 200 OK", the fields, and the body.
std::string format_answer(const HttpAnswer& answer, const AnswerForm& form);

// "Not Found"; empty for a status without a word.
std::string_view reason_phrase(int status);

// "%2F" to "/"; nullopt if an escape is broken.
std::optional<std::string> percent_decoded(std::string_view text);

// Hands a body on to its exchange, within its limits and without its content coding.
class BodyFlow {
 public:
  enum class Step {
    kMore,     // the next piece, please
    kAgain,    // call again(), after others had their turn
    kEnough,   // the exchange needs no more
    kRefused,  // see status() and why()
  };

  BodyFlow(HttpExchange& exchange, bool gzip, std::uint64_t max_bytes);

  // `raw` stays where it is until the answer is not kAgain.
  Step take(std::string_view raw);
  Step again();
  // The body has ended.
  Step end();

  int status() const { return status_; }
  const std::string& why() const { return why_; }

 private:
  Step refuse(int status, std::string why);
  Step too_large();

  HttpExchange& exchange_;
  const std::uint64_t max_bytes_;
  std::optional<Gunzip> gunzip_;
  std::uint64_t raw_ = 0;
  std::uint64_t inflated_ = 0;
  int status_ = 0;
  std::string why_;
};

}  // namespace rapporteur
