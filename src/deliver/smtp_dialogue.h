#pragma once
// Follows an SMTP dialogue (RFC 5321) by its lines: how far it came and what was answered last.
// Pure; it neither sends nor decides.

#include <string>
#include <string_view>

#include "deliver/transport.h"

namespace rapporteur {

class SmtpDialogue {
 public:
  // The connection stands; the greeting is awaited.
  void connected();
  // A command as it is sent.
  void command(std::string_view line);
  // One line of a reply.
  void reply(std::string_view line);
  // The whole message is out, the final dot follows.
  void message_sent();

  Stage stage() const { return stage_; }
  // The reply to what was asked last is there, with all its lines; also before anything is asked.
  bool answered() const { return complete_; }
  // The code of the whole reply to what was asked last; 0: it is not there.
  int code() const { return code_; }
  // That reply on one line: "550 5.1.1 no such user"; bounded.
  const std::string& text() const { return text_; }

  bool greeted() const { return greeted_; }  // the connection was opened in this dialogue
  bool authenticated() const { return authenticated_; }
  // STARTTLS was accepted, and no command has passed through TLS before EHLO was answered again.
  bool in_handshake() const { return in_handshake_; }
  bool quitting() const { return quitting_; }
  // An AUTH exchange goes on: the next line is an answer to the server's challenge and no command,
  // whatever it looks like (RFC 4954, section 4).
  bool challenged() const { return stage_ == Stage::kAuth && complete_ && code_ == 334; }

 private:
  void ask(Stage stage);

  Stage stage_ = Stage::kConnect;
  int code_ = 0;
  std::string text_;
  bool complete_ = true;
  bool greeted_ = false;
  bool authenticated_ = false;
  bool in_handshake_ = false;
  bool quitting_ = false;
};

}  // namespace rapporteur
