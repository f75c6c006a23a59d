#include "deliver/curl_smtp.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "deliver/curl_loop.h"
#include "deliver/judge.h"
#include "deliver/smtp_dialogue.h"

namespace rapporteur {

namespace {

using Clock = std::chrono::steady_clock;
using Tls = SmtpOptions::Tls;

// After a failed handshake, new connections go without TLS for this long.
constexpr auto kPlainAfterFailedHandshake = std::chrono::minutes(10);

// `url` with the EHLO name as its path, which is how libcurl takes it; nullopt if it is no SMTP
// URL.
std::optional<std::string> relay_url(const SmtpOptions& options) {
  CURLU* parsed = curl_url();
  char* whole = nullptr;
  char* scheme = nullptr;
  const bool good = curl_url_set(parsed, CURLUPART_URL, options.url.c_str(), 0) == CURLUE_OK &&
                    curl_url_set(parsed, CURLUPART_PATH, ("/" + options.ehlo_name).c_str(),
                                 CURLU_URLENCODE) == CURLUE_OK &&
                    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                    (std::strcmp(scheme, "smtp") == 0 || std::strcmp(scheme, "smtps") == 0) &&
                    curl_url_get(parsed, CURLUPART_URL, &whole, 0) == CURLUE_OK;
  std::optional<std::string> url;
  if (good) url = whole;
  curl_free(whole);
  curl_free(scheme);
  curl_url_cleanup(parsed);
  return url;
}

struct RecipientList {
  explicit RecipientList(const std::string& recipient)
      : list(curl_slist_append(nullptr, recipient.c_str())) {}
  ~RecipientList() { curl_slist_free_all(list); }
  RecipientList(const RecipientList&) = delete;
  RecipientList& operator=(const RecipientList&) = delete;
  curl_slist* list;
};

class CurlSmtp final : public MailTransport {
 public:
  CurlSmtp(const SmtpOptions& options, const Interrupt& interrupt);
  ~CurlSmtp() override;

  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override;
  Reply probe() override;

 private:
  enum class Broken { kNo, kInterrupted, kTimedOut, kNoAuth };

  void set_callbacks();
  void set_security();
  Reply run();
  Reply attempt(bool plain);
  Reply judge(int result);
  bool failed_without_answer(const Reply& reply) const;
  std::chrono::milliseconds limit() const;
  bool goes_on();
  void note_connection();
  void take_command(std::string_view line);
  void take_reply(std::string_view line);

  static int on_debug(CURL* easy, curl_infotype type, char* text, std::size_t size, void* self);
  static std::size_t on_read(char* to, std::size_t unit, std::size_t count, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
  static int on_request(void* self, char*, char*, int, int);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int on_close(void* self, curl_socket_t socket);

  const SmtpOptions options_;
  const Interrupt& interrupt_;
  const std::optional<std::string> url_;
  const bool implicit_tls_;
  std::vector<int> sockets_;
  Clock::time_point plain_until_{};

  // The attempt under way.
  SmtpDialogue dialogue_;
  Clock::time_point since_{};  // since when the relay is awaited
  std::string_view message_;
  Conversation conversation_;
  bool probing_ = false;
  bool reused_ = false;
  Broken broken_ = Broken::kNo;

  CurlLoop loop_;  // last: its end calls on_close
};

CurlSmtp::CurlSmtp(const SmtpOptions& options, const Interrupt& interrupt)
    : options_(options),
      interrupt_(interrupt),
      url_(relay_url(options)),
      implicit_tls_(url_ && url_->starts_with("smtps:")),
      conversation_(options.listener),
      loop_(1) {
  auto* easy = loop_.easy();
  if (url_) curl_easy_setopt(easy, CURLOPT_URL, url_->c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // none from the environment
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  // The limits of each step are kept by on_progress(); libcurl's own only must not come first.
  const auto all = options_.connect_timeout + 10 * options_.reply_timeout + options_.final_timeout;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(all).count();
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(seconds));
  curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(seconds));
  if (!options_.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, options_.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, options_.password.c_str());
  }
  set_security();
  set_callbacks();
}

void CurlSmtp::set_security() {
  auto* easy = loop_.easy();
  const bool verified = options_.tls == Tls::kRequired;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verified ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verified ? 2L : 0L);
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
}

void CurlSmtp::set_callbacks() {
  auto* easy = loop_.easy();
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);  // on_debug() sees every line; nothing is printed
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, this);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt(easy, CURLOPT_READDATA, this);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  using Write = std::size_t (*)(char*, std::size_t, std::size_t, void*);
  const Write swallow = [](char*, std::size_t unit, std::size_t count, void*) -> std::size_t {
    return unit * count;
  };
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
}

CurlSmtp::~CurlSmtp() {
  // libcurl says QUIT now and would wait for the answer, up to two minutes.
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RD);
}

Reply CurlSmtp::send(const std::string& envelope_from, const std::string& recipient,
                     std::string_view message) {
  if (!is_safe_address(recipient)) {
    return {Reply::Outcome::kPermanent,
            Stage::kRcptTo,
            0,
            reply_text("refused: the recipient is no usable address", Stage::kRcptTo),
            {}};
  }
  if (!is_safe_address(envelope_from)) {
    return {Reply::Outcome::kPermanent,
            Stage::kMailFrom,
            0,
            reply_text("refused: the envelope sender is no usable address", Stage::kMailFrom),
            {}};
  }
  auto* easy = loop_.easy();
  const RecipientList to(recipient);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, nullptr);
  curl_easy_setopt(easy, CURLOPT_MAIL_FROM, envelope_from.c_str());
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to.list);
  // No size is told: a relay would refuse it at MAIL FROM, where it looks like trouble of the
  // relay.
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  probing_ = false;
  message_ = message;
  auto reply = run();
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, nullptr);
  message_ = {};
  return reply;
}

Reply CurlSmtp::probe() {
  auto* easy = loop_.easy();
  curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, nullptr);
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "NOOP");
  probing_ = true;
  message_ = {};
  return run();
}

Reply CurlSmtp::run() {
  if (!url_) {
    return {Reply::Outcome::kRelayTrouble,
            Stage::kConnect,
            0,
            reply_text("the relay's URL is not usable", Stage::kConnect),
            {}};
  }
  bool plain = options_.tls == Tls::kNone ||
               (options_.tls == Tls::kOpportunistic && Clock::now() < plain_until_);
  const auto whole_message = message_;
  auto reply = attempt(plain);
  if (reused_ && failed_without_answer(reply)) {
    message_ = whole_message;
    curl_easy_setopt(loop_.easy(), CURLOPT_FRESH_CONNECT, 1L);
    reply = attempt(plain);
    curl_easy_setopt(loop_.easy(), CURLOPT_FRESH_CONNECT, 0L);
  }
  if (options_.tls == Tls::kOpportunistic && !implicit_tls_ && dialogue_.in_handshake() &&
      reply.outcome == Reply::Outcome::kRelayTrouble) {
    plain_until_ = Clock::now() + kPlainAfterFailedHandshake;
    message_ = whole_message;
    reply = attempt(true);
  }
  return reply;
}

Reply CurlSmtp::attempt(bool plain) {
  auto* easy = loop_.easy();
  const auto wanted = options_.tls == Tls::kRequired ? CURLUSESSL_ALL
                      : plain                        ? CURLUSESSL_NONE
                                                     : CURLUSESSL_TRY;
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(wanted));
  dialogue_ = {};
  broken_ = Broken::kNo;
  reused_ = false;
  since_ = Clock::now();
  return judge(loop_.perform());
}

// A connection kept open was closed by the relay, which may do that at any time.
bool CurlSmtp::failed_without_answer(const Reply& reply) const {
  constexpr int kClosing = 421;
  return reply.outcome == Reply::Outcome::kRelayTrouble && broken_ == Broken::kNo &&
         (reply.code == 0 || reply.code == kClosing);
}

Reply CurlSmtp::judge(int result) {
  auto stage = dialogue_.stage();
  const int code = dialogue_.code();
  // The dot itself could not be written: the relay cannot have taken the message.
  if (stage == Stage::kFinal && code == 0 && result == CURLE_SEND_ERROR) stage = Stage::kData;
  const bool refused = code >= 400;
  const bool done = result == CURLE_OK || (stage == Stage::kFinal && code != 0);
  Reply reply;
  reply.stage = stage;
  reply.code = refused || done ? code : 0;
  reply.outcome =
      probing_ && result == CURLE_OK ? Reply::Outcome::kAccepted : judge_smtp(stage, reply.code);
  if (refused || done) {
    reply.text = reply_text(dialogue_.text(), stage);
    return reply;
  }
  std::string why = loop_.error(result);
  if (broken_ == Broken::kInterrupted) {
    why = "broken off by a stop";
    if (stage != Stage::kFinal) reply.outcome = Reply::Outcome::kInterrupted;
  } else if (broken_ == Broken::kTimedOut) {
    why = "no answer within " + format_duration(std::chrono::ceil<Seconds>(limit()));
  } else if (broken_ == Broken::kNoAuth) {
    why = "the relay does not offer AUTH";
    reply.outcome = Reply::Outcome::kRelayTrouble;
  }
  reply.text = reply_text(why, stage);
  return reply;
}

std::chrono::milliseconds CurlSmtp::limit() const {
  constexpr std::chrono::milliseconds kQuit = std::chrono::seconds(1);
  if (dialogue_.quitting()) return kQuit;
  if (dialogue_.stage() == Stage::kConnect || dialogue_.in_handshake()) {
    return options_.connect_timeout;
  }
  return dialogue_.stage() == Stage::kFinal ? options_.final_timeout : options_.reply_timeout;
}

void CurlSmtp::note_connection() {
  if (dialogue_.stage() != Stage::kConnect) return;
  curl_off_t when = 0;
  const auto which = implicit_tls_ ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T;
  if (curl_easy_getinfo(loop_.easy(), which, &when) != CURLE_OK || when == 0) return;
  dialogue_.connected();
  since_ = Clock::now();
}

// Whether the attempt may go on; sets broken_ if not.
bool CurlSmtp::goes_on() {
  const bool handed_over = dialogue_.stage() == Stage::kFinal;
  if (!dialogue_.quitting() &&
      (interrupt_.everything || (interrupt_.before_final && !handed_over))) {
    broken_ = Broken::kInterrupted;
    return false;
  }
  note_connection();
  if (Clock::now() - since_ <= limit()) return true;
  if (!dialogue_.quitting()) broken_ = Broken::kTimedOut;
  return false;
}

int CurlSmtp::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<CurlSmtp*>(self)->goes_on() ? 0 : 1;
}

int CurlSmtp::on_debug(CURL*, curl_infotype type, char* text, std::size_t size, void* self) {
  auto& smtp = *static_cast<CurlSmtp*>(self);
  const std::string_view line(text, size);
  if (type == CURLINFO_HEADER_OUT) {
    smtp.take_command(line);
  } else if (type == CURLINFO_HEADER_IN) {
    smtp.take_reply(line);
  } else if (type == CURLINFO_DATA_OUT) {
    smtp.since_ = Clock::now();
    smtp.conversation_.sent_bytes(size);
  } else if (type == CURLINFO_TEXT) {
    smtp.conversation_.note(line);
  }
  return 0;
}

void CurlSmtp::take_command(std::string_view line) {
  if (!dialogue_.greeted()) reused_ = true;
  const bool secret = dialogue_.challenged();
  dialogue_.command(line);
  conversation_.sent(line, secret);
  if (dialogue_.quitting()) {
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RD);
  }
  since_ = Clock::now();
}

// The limit is for the whole reply, whatever number of lines it comes in.
void CurlSmtp::take_reply(std::string_view line) {
  const auto stage = dialogue_.stage();
  const bool awaited = !dialogue_.answered();
  dialogue_.reply(line);
  conversation_.received(line);
  const bool over = awaited && dialogue_.answered();
  if (over || dialogue_.stage() != stage) since_ = Clock::now();
}

// libcurl asks for more only when all it was given is written: the end is told last, and the final
// dot follows it at once.
std::size_t CurlSmtp::on_read(char* to, std::size_t unit, std::size_t count, void* self) {
  auto& smtp = *static_cast<CurlSmtp*>(self);
  if (!smtp.goes_on()) return CURL_READFUNC_ABORT;
  const auto size = std::min(unit * count, smtp.message_.size());
  if (size == 0) {
    smtp.dialogue_.message_sent();
    smtp.since_ = Clock::now();
    return 0;
  }
  std::memcpy(to, smtp.message_.data(), size);
  smtp.message_.remove_prefix(size);
  return size;
}

// Called between the connection's set-up and MAIL FROM. libcurl goes on without AUTH if the relay
// offers none; what would come then is a refusal of every recipient.
int CurlSmtp::on_request(void* self, char*, char*, int, int) {
  auto& smtp = *static_cast<CurlSmtp*>(self);
  const bool fresh = smtp.dialogue_.greeted();
  if (fresh && !smtp.options_.username.empty() && !smtp.dialogue_.authenticated()) {
    smtp.broken_ = Broken::kNoAuth;
    return CURL_PREREQFUNC_ABORT;
  }
  return CURL_PREREQFUNC_OK;
}

curl_socket_t CurlSmtp::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket >= 0) static_cast<CurlSmtp*>(self)->sockets_.push_back(socket);
  return socket;
}

int CurlSmtp::on_close(void* self, curl_socket_t socket) {
  std::erase(static_cast<CurlSmtp*>(self)->sockets_, socket);
  return ::close(socket);
}

}  // namespace

std::unique_ptr<MailTransport> make_smtp_transport(const SmtpOptions& options,
                                                   const Interrupt& interrupt) {
  return std::make_unique<CurlSmtp>(options, interrupt);
}

}  // namespace rapporteur
