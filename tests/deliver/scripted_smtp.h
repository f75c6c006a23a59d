#pragma once
// An SMTP server whose every answer can be scripted, and which remembers what it was told.

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "deliver/loopback.h"

namespace rapporteur::testing_support {

class ScriptedSmtp {
 public:
  // Instead of an answer:
  static constexpr const char* kDrop = "\x01";     // closes the connection
  static constexpr const char* kReset = "\x02";    // resets it
  static constexpr const char* kSilence = "\x03";  // answers nothing until the client closes

  // What is asked ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "final", "NOOP",
  // "QUIT") and its answers in turn; the last one, or a friendly one, from then on.
  using Script = std::map<std::string, std::deque<std::string>>;

  explicit ScriptedSmtp(Script script, SSL_CTX* tls = nullptr, bool implicit_tls = false)
      : script_(std::move(script)),
        tls_(tls),
        implicit_tls_(implicit_tls),
        server_([this](Peer& peer) { serve(peer); }) {}

  std::string url(const std::string& host = "127.0.0.1") const {
    return (implicit_tls_ ? "smtps://" : "smtp://") + host + ":" + server_.port();
  }
  int connections() const { return server_.connections(); }

  std::vector<std::string> commands() {
    const std::lock_guard lock(mutex_);
    return commands_;
  }
  // As received, dots unstuffed.
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  // Whether a final dot was ever received.
  bool saw_final_dot() { return !messages().empty(); }
  // After this, nothing more is received.
  void close() { server_.close(); }

 private:
  std::string answer_to(const std::string& asked) {
    static const std::map<std::string, std::string> kFriendly = {
        {"greeting", "220 relay.example ESMTP"},
        {"EHLO", "250 relay.example"},
        {"STARTTLS", "220 go ahead"},
        {"AUTH", "235 2.7.0 welcome"},
        {"MAIL", "250 2.1.0 sender ok"},
        {"RCPT", "250 2.1.5 recipient ok"},
        {"DATA", "354 go ahead"},
        {"final", "250 2.0.0 queued as 1"},
        {"NOOP", "250 2.0.0 ok"},
        {"QUIT", "221 2.0.0 bye"}};
    auto& answers = script_[asked];
    if (answers.empty()) {
      const auto found = kFriendly.find(asked);
      return found == kFriendly.end() ? "502 5.5.1 what?" : found->second;
    }
    auto answer = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return answer;
  }

  // False: the connection is over.
  bool answer(Peer& peer, const std::string& asked) {
    const auto text = answer_to(asked);
    if (text == kDrop) return false;
    if (text == kReset) {
      peer.reset_when_closed();
      return false;
    }
    if (text == kSilence) {
      peer.await_close();
      return false;
    }
    peer.write(text + "\r\n");
    return true;
  }

  bool take_message(Peer& peer) {
    std::string message;
    while (const auto line = peer.line()) {
      if (*line == ".") {
        const std::lock_guard lock(mutex_);
        messages_.push_back(message);
        return true;
      }
      message += (line->starts_with('.') ? line->substr(1) : *line) + "\r\n";
    }
    return false;
  }

  void serve(Peer& peer) {
    if (implicit_tls_ && !peer.start_tls(tls_)) return;
    if (!answer(peer, "greeting")) return;
    while (const auto line = peer.line()) {
      {
        const std::lock_guard lock(mutex_);
        commands_.push_back(*line);
      }
      const auto verb = line->substr(0, line->find_first_of(" :"));
      const auto before = script_["DATA"];
      const bool data_refused =
          verb == "DATA" && !before.empty() && !before.front().starts_with("354");
      if (*line == "AUTH PLAIN") {
        peer.write("334 \r\n");
        const auto credentials = peer.line();
        const std::lock_guard lock(mutex_);
        commands_.push_back(credentials.value_or(""));
      }
      if (!answer(peer, verb) || verb == "QUIT") return;
      if (verb == "STARTTLS" && tls_ != nullptr && !peer.start_tls(tls_)) return;
      if (verb == "DATA" && !data_refused) {
        if (!take_message(peer) || !answer(peer, "final")) return;
      }
    }
  }

  Script script_;  // of the server's thread, once it runs
  SSL_CTX* tls_;
  bool implicit_tls_;
  std::mutex mutex_;
  std::vector<std::string> commands_;
  std::vector<std::string> messages_;
  LoopbackServer server_;  // last: its thread uses the others
};

}  // namespace rapporteur::testing_support
