#include "deliver/sendmail.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/child_process.h"
#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "deliver/judge.h"

namespace rapporteur {

namespace {

using Clock = std::chrono::steady_clock;

std::string with_lf(std::string_view message) {
  std::string text;
  text.reserve(message.size());
  for (std::size_t i = 0; i < message.size(); ++i) {
    const bool crlf = message[i] == '\r' && i + 1 < message.size() && message[i + 1] == '\n';
    if (!crlf) text += message[i];
  }
  return text;
}

class Sendmail final : public MailTransport {
 public:
  Sendmail(const SendmailOptions& options, const Interrupt& interrupt)
      : options_(options), interrupt_(interrupt) {
    for (const auto word : split(options_.command, ' ')) {
      if (!trim(word).empty()) words_.emplace_back(trim(word));
    }
  }

  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override;
  Reply probe() override;

 private:
  static Reply trouble(std::string_view why) {
    return {
        Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, reply_text(why, Stage::kConnect), {}};
  }
  static Reply broken_off(const ChildProcess& child, std::string_view why, Reply::Outcome before);
  static Reply judge(const ChildProcess& child);

  const SendmailOptions options_;
  const Interrupt& interrupt_;
  std::vector<std::string> words_;
};

Reply Sendmail::probe() {
  if (words_.empty() || ::access(words_.front().c_str(), X_OK) != 0) {
    return trouble(words_.empty() ? "no sendmail command is configured"
                                  : system_error("cannot run " + words_.front()));
  }
  return {Reply::Outcome::kAccepted,
          Stage::kConnect,
          0,
          reply_text(words_.front() + " can be run", Stage::kConnect),
          {}};
}

// A program that has read the whole message may have queued it.
Reply Sendmail::broken_off(const ChildProcess& child, std::string_view why, Reply::Outcome before) {
  const bool uncertain = child.has_read_everything();
  const auto stage = uncertain ? Stage::kFinal : Stage::kData;
  return {uncertain ? Reply::Outcome::kUncertain : before, stage, 0, reply_text(why, stage), {}};
}

Reply Sendmail::judge(const ChildProcess& child) {
  const int status = child.status();
  if (!WIFEXITED(status)) {
    return trouble("the sendmail program was ended by signal " + std::to_string(WTERMSIG(status)));
  }
  Reply reply;
  reply.code = WEXITSTATUS(status);
  reply.outcome = judge_exit(reply.code);
  if (reply.outcome == Reply::Outcome::kAccepted && !child.has_read_everything()) {
    return trouble("the sendmail program ended before it had read the message");
  }
  reply.stage = reply.outcome == Reply::Outcome::kAccepted    ? Stage::kFinal
                : reply.outcome == Reply::Outcome::kPermanent ? Stage::kRcptTo
                                                              : Stage::kConnect;
  std::string text = "exit code " + std::to_string(reply.code);
  if (!exit_name(reply.code).empty()) text += " " + std::string(exit_name(reply.code));
  auto said = std::string(trim(child.errors()));
  std::replace(said.begin(), said.end(), '\n', ' ');
  if (!said.empty()) text += ": " + said;
  reply.text = reply_text(text, reply.stage);
  return reply;
}

Reply Sendmail::send(const std::string& envelope_from, const std::string& recipient,
                     std::string_view message) {
  for (const auto* address : {&recipient, &envelope_from}) {
    if (is_safe_address(*address)) continue;
    const auto stage = address == &recipient ? Stage::kRcptTo : Stage::kMailFrom;
    return {
        Reply::Outcome::kPermanent, stage, 0, reply_text("refused: no usable address", stage), {}};
  }
  if (words_.empty()) return trouble("no sendmail command is configured");
  auto words = words_;
  words.insert(words.end(), {"-f", envelope_from, "--", recipient});
  ChildProcess child;
  if (const auto started = child.start(words); !started) return trouble(started.error().text);
  const auto text = with_lf(message);
  std::string_view input = text;
  const auto deadline = Clock::now() + options_.timeout;
  while (child.turn(input)) {
    const bool read = child.has_read_everything();
    if (interrupt_.everything || (interrupt_.before_final && !read)) {
      return broken_off(child, "broken off by a stop", Reply::Outcome::kInterrupted);
    }
    if (Clock::now() > deadline) {
      const auto limit = format_duration(std::chrono::ceil<Seconds>(options_.timeout));
      return broken_off(child, "not finished within " + limit, Reply::Outcome::kRelayTrouble);
    }
  }
  return judge(child);
}

}  // namespace

std::unique_ptr<MailTransport> make_sendmail_transport(const SendmailOptions& options,
                                                       const Interrupt& interrupt) {
  return std::make_unique<Sendmail>(options, interrupt);
}

}  // namespace rapporteur
