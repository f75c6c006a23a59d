// Any bytes as what a mail relay or an HTTPS server answers: what SmtpDialogue, reply_text() and
// parse_retry_after() promise. Lines that begin with '>' are commands, with '.' the final dot, all
// others replies.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"
#include "deliver/judge.h"
#include "deliver/smtp_dialogue.h"
#include "fuzz/require.h"

namespace {

using namespace rapporteur;
using fuzz::require;
using std::chrono::sys_days;

constexpr Time kNow{sys_days{std::chrono::year{2026} / 11 / 20}};

void check_stored(std::string_view text, Stage stage) {
  const auto stored = reply_text(text, stage);
  require(stored.size() <= kMaxReplyText, "what is stored is short", stored);
  require(is_valid_utf8(stored) && without_controls(stored) == stored,
          "what is stored is one line of UTF-8", stored);
  require(stored.ends_with(" (" + std::string(to_string(stage)) + ")"), "the stage is told",
          stored);
}

void check_dialogue(const SmtpDialogue& dialogue) {
  require(dialogue.code() >= 0 && dialogue.code() <= 999, "a code has three digits");
  require(dialogue.text().size() <= 16 * kMaxReplyText, "what is kept of a reply is bounded");
  require(dialogue.stage() != Stage::kRequest, "SMTP knows no request");
  check_stored(dialogue.text(), dialogue.stage());
  const auto outcome = judge_smtp(dialogue.stage(), dialogue.code());
  require(outcome != Reply::Outcome::kAccepted || dialogue.stage() == Stage::kFinal,
          "nothing is accepted before the final dot");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  SmtpDialogue dialogue;
  dialogue.connected();
  for (const auto line : split(text, '\n')) {
    if (line.starts_with('>')) {
      dialogue.command(line.substr(1));
    } else if (line == ".") {
      dialogue.message_sent();
    } else {
      dialogue.reply(line);
    }
    check_dialogue(dialogue);
    const auto wait = parse_retry_after(line, kNow);
    require(!wait || (*wait >= Seconds(0) && *wait <= std::chrono::hours(24)),
            "nobody makes us wait for more than a day");
  }
  check_stored(text, Stage::kRequest);
  return 0;
}
