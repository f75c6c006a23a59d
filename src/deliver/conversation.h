#pragma once
// What a transport and its peer say to each other, line by line, for people who look on. Secrets of
// ours are left out. Nothing is decided by it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace rapporteur {

enum class Speaker : std::uint8_t {
  kUs,
  kPeer,
  kNote,  // about the connection: its address, its TLS version, whose certificate
};

// Told each line as it was said, without its end, as valid UTF-8 without control characters. Runs
// in the thread that sends.
using ConversationListener = std::function<void(Speaker speaker, std::string_view line)>;

// Cuts what libcurl tells into lines. Without a listener it does nothing. One thread.
class Conversation {
 public:
  explicit Conversation(ConversationListener listener) : listener_(std::move(listener)) {}

  bool heard() const { return static_cast<bool>(listener_); }

  // Commands or header lines. The values of AUTH and of Authorization header fields are hidden;
  // with `secret` all of it.
  void sent(std::string_view text, bool secret = false);
  void received(std::string_view text);
  // Notes that tell nothing about connection or certificate are left out.
  void note(std::string_view text);
  // A piece of the message or body: only the sum of their sizes is told, before what comes next.
  void sent_bytes(std::size_t bytes) { bytes_ += bytes; }

 private:
  void tell(Speaker speaker, std::string_view text);
  void tell_bytes();

  ConversationListener listener_;
  std::size_t bytes_ = 0;
};

}  // namespace rapporteur
