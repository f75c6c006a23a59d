#pragma once
// What carries a report to its destination, and how its answer is told. The rules by which answers
// are judged are in docs/design.md, "Mail, DKIM, delivery". Nothing here retries.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rapporteur {

// How far an attempt came: what was asked last.
enum class Stage : std::uint8_t {
  kConnect,
  kGreeting,
  kEhlo,
  kStarttls,
  kAuth,
  kMailFrom,
  kRcptTo,
  kData,     // the DATA command and the message, before the final dot
  kFinal,    // the reply to the final dot
  kRequest,  // HTTP: the request has begun
};

// As an administrator reads it: "RCPT TO".
std::string_view to_string(Stage stage);

struct Reply {
  enum class Outcome : std::uint8_t {
    kAccepted,
    kTemporary,       // the destination may take it later
    kPermanent,       // the destination will not take it
    kRelayTrouble,    // mail, before RCPT TO: says nothing about the destination
    kUncertain,       // everything was handed over, the final reply never came
    kRefusedByGuard,  // a destination that this program does not connect to
    kInterrupted,     // broken off by us before anything was handed over
  };

  Outcome outcome = Outcome::kTemporary;
  Stage stage = Stage::kConnect;
  int code = 0;      // SMTP reply or HTTP status; 0: there was none
  std::string text;  // "550 5.1.1 no such user (RCPT TO)": one line of at most kMaxReplyText bytes
  std::optional<Seconds> retry_after;  // HTTP: how long the server asks to be left alone
};

constexpr std::size_t kMaxReplyText = 500;

// How attempts that are under way are broken off. Set by one thread, read by those that send.
struct Interrupt {
  std::atomic<bool> before_final{false};  // all that have not handed over everything
  std::atomic<bool> everything{false};    // also those that wait for the final reply
};

// A transport is used by one thread, which ignores or blocks SIGPIPE. It keeps connections open
// between two calls. No call takes much longer than the transport's time limits, or than a second
// once it is interrupted.
class MailTransport {
 public:
  virtual ~MailTransport() = default;

  // Submits one message, 7-bit with CRLF line ends, to one recipient.
  virtual Reply send(const std::string& envelope_from, const std::string& recipient,
                     std::string_view message) = 0;

  // Goes as far as can be gone without a message: kAccepted, or kRelayTrouble with the reason.
  virtual Reply probe() = 0;
};

class HttpsTransport {
 public:
  virtual ~HttpsTransport() = default;

  // Posts one gzip body.
  virtual Reply post(const std::string& url, std::string_view gz) = 0;
};

// Called by each thread that sends, at any time; the transport may keep the reference.
using MailTransportFactory = std::function<std::unique_ptr<MailTransport>(const Interrupt&)>;
using HttpsTransportFactory = std::function<std::unique_ptr<HttpsTransport>(const Interrupt&)>;

}  // namespace rapporteur
