#include "deliver/conversation.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::string_view kHidden = "(hidden)";

// How libcurl begins the notes that say something about the peer.
constexpr std::array<std::string_view, 9> kTelling = {
    "Connected to ",         "connect to ",      "Could not resolve ",
    "SSL connection using ", "subject: ",        "issuer: ",
    "expire date: ",         "SSL certificate ", "SSL: "};

// The line without what others must not know.
std::string without_secret(std::string_view line) {
  if (starts_with_ignoring_case(line, "AUTH ")) {
    const auto mechanism = line.find(' ', 5);
    if (mechanism == line.npos) return std::string(line);
    return std::string(line.substr(0, mechanism + 1)).append(kHidden);
  }
  for (const std::string_view field : {"Authorization:", "Proxy-Authorization:"}) {
    if (!starts_with_ignoring_case(line, field)) continue;
    return std::string(line.substr(0, field.size())).append(" ").append(kHidden);
  }
  return std::string(line);
}

std::string_view without_end(std::string_view line) {
  return line.substr(0, line.find_last_not_of("\r\n") + 1);
}

}  // namespace

void Conversation::tell(Speaker speaker, std::string_view text) {
  tell_bytes();
  text = without_end(text);
  for (const auto line : split(text, '\n')) {
    auto shown = without_controls(to_valid_utf8(without_end(line)));
    if (speaker == Speaker::kUs) shown = without_secret(shown);
    listener_(speaker, shown);
  }
}

void Conversation::tell_bytes() {
  if (bytes_ == 0) return;
  const auto bytes = bytes_;
  bytes_ = 0;
  listener_(Speaker::kUs, "(" + std::to_string(bytes) + " bytes)");
}

void Conversation::sent(std::string_view text, bool secret) {
  if (!heard()) return;
  tell(Speaker::kUs, secret ? kHidden : text);
}

void Conversation::received(std::string_view text) {
  if (heard()) tell(Speaker::kPeer, text);
}

void Conversation::note(std::string_view text) {
  if (!heard()) return;
  text = trim(text);
  const bool telling = std::ranges::any_of(
      kTelling, [&](std::string_view beginning) { return text.starts_with(beginning); });
  if (telling) tell(Speaker::kNote, text);
}

}  // namespace rapporteur
