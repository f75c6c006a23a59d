#include "deliver/smtp_dialogue.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kCodeLength = 3;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int code_of(std::string_view line) {
  if (line.size() < kCodeLength ||
      !std::all_of(line.begin(), line.begin() + kCodeLength, is_digit)) {
    return 0;
  }
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

// "5.1.1" of "5.1.1 no such user" (RFC 3463); empty if it does not begin so.
std::string_view enhanced_code(std::string_view text) {
  const auto word = text.substr(0, text.find(' '));
  const auto parts = split(word, '.');
  if (parts.size() != 3) return "";
  for (const auto part : parts) {
    if (part.empty() || part.size() > 3 || !std::all_of(part.begin(), part.end(), is_digit)) {
      return "";
    }
  }
  return word;
}

}  // namespace

void SmtpDialogue::ask(Stage stage) {
  stage_ = stage;
  code_ = 0;
  text_.clear();
  complete_ = false;
}

void SmtpDialogue::connected() {
  if (stage_ == Stage::kConnect) ask(Stage::kGreeting);
}

void SmtpDialogue::command(std::string_view line) {
  if (challenged()) return ask(stage_);
  if (starts_with_ignoring_case(line, "QUIT")) {
    quitting_ = true;
    return;
  }
  if (starts_with_ignoring_case(line, "EHLO") || starts_with_ignoring_case(line, "HELO")) {
    ask(Stage::kEhlo);
  } else if (starts_with_ignoring_case(line, "STARTTLS")) {
    ask(Stage::kStarttls);
  } else if (starts_with_ignoring_case(line, "AUTH ")) {
    ask(Stage::kAuth);
  } else if (starts_with_ignoring_case(line, "MAIL FROM:")) {
    ask(Stage::kMailFrom);
  } else if (starts_with_ignoring_case(line, "RCPT TO:")) {
    ask(Stage::kRcptTo);
  } else if (starts_with_ignoring_case(line, "DATA")) {
    ask(Stage::kData);
  } else {
    ask(stage_);
  }
}

void SmtpDialogue::reply(std::string_view line) {
  if (quitting_) return;
  if (stage_ == Stage::kConnect) ask(Stage::kGreeting);
  if (complete_) return;  // nothing was asked
  line = line.substr(0, std::min(line.find_last_not_of("\r\n") + 1, 4 * kMaxReplyText));
  const int code = code_of(line);
  const bool last = line.size() <= kCodeLength || line[kCodeLength] != '-';
  auto text = line.substr(std::min(line.size(), kCodeLength + 1));
  if (text_.empty()) {
    text_ = std::string(line.substr(0, kCodeLength)) + ' ' + std::string(text);
  } else if (text_.size() < kMaxReplyText) {
    const auto enhanced = enhanced_code(text);
    if (!enhanced.empty() && text_.compare(kCodeLength + 1, enhanced.size(), enhanced) == 0) {
      text.remove_prefix(enhanced.size());
    }
    text_ += ' ' + std::string(trim(text));
  }
  if (!last) return;
  complete_ = true;
  code_ = code;
  if (stage_ == Stage::kGreeting) greeted_ = true;
  if (stage_ == Stage::kStarttls && code == 220) in_handshake_ = true;
  if (stage_ == Stage::kEhlo) in_handshake_ = false;
  if (stage_ == Stage::kAuth && code == 235) authenticated_ = true;
}

void SmtpDialogue::message_sent() {
  ask(Stage::kFinal);
}

}  // namespace rapporteur
