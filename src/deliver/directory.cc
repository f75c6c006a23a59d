#include "deliver/directory.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "deliver/judge.h"

namespace rapporteur {

namespace {

constexpr unsigned kMode = 0640;

bool is_safe_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '@' || c == '.';
}

std::string message_id(std::string_view message) {
  constexpr std::string_view kName = "Message-ID:";
  const auto header = message.substr(0, message.find("\r\n\r\n"));
  for (const auto line : split(header, '\n')) {
    if (starts_with_ignoring_case(line, kName)) return std::string(trim(line.substr(kName.size())));
  }
  return "message";
}

// No path separator, no leading dot, short enough for any file system.
std::string safe_name(std::string_view text) {
  constexpr std::size_t kLongest = 160;
  std::string name;
  for (const char c : text.substr(0, kLongest)) {
    if (c != '<' && c != '>') name += is_safe_in_name(c) ? c : '_';
  }
  const auto first = name.find_first_not_of('.');
  return first == name.npos ? "message" : name.substr(first);
}

class Directory final : public MailTransport {
 public:
  explicit Directory(const std::string& directory) : directory_(directory) {}

  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override;
  Reply probe() override;

 private:
  Reply trouble(const std::string& why) const {
    return {
        Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, reply_text(why, Stage::kConnect), {}};
  }

  const std::filesystem::path directory_;
};

Reply Directory::send(const std::string&, const std::string& recipient, std::string_view message) {
  constexpr std::size_t kHashDigits = 16;
  const auto hash = sha256_hex(recipient + '\n' + std::string(message)).substr(0, kHashDigits);
  const auto stem = safe_name(message_id(message)) + "." + hash;
  auto path = directory_ / (stem + ".eml");
  std::error_code ignored;
  for (int number = 2; std::filesystem::exists(path, ignored); ++number) {
    const auto present = read_file(path.string());
    if (!present) return trouble(present.error().text);
    // Written by an earlier attempt; or lost with the power before anybody had recorded it.
    if (*present == message || present->empty()) break;
    path = directory_ / (stem + "-" + std::to_string(number) + ".eml");
  }
  if (const auto written = write_file(path.string(), message, kMode, false); !written) {
    return trouble(written.error().text);
  }
  return {Reply::Outcome::kAccepted,
          Stage::kFinal,
          0,
          reply_text("written to " + path.filename().string(), Stage::kFinal),
          {}};
}

Reply Directory::probe() {
  if (::access(directory_.c_str(), W_OK | X_OK) != 0) {
    return trouble(system_error("cannot write to " + directory_.string()));
  }
  return {Reply::Outcome::kAccepted,
          Stage::kConnect,
          0,
          reply_text(directory_.string() + " can be written to", Stage::kConnect),
          {}};
}

}  // namespace

std::unique_ptr<MailTransport> make_directory_transport(const std::string& directory) {
  return std::make_unique<Directory>(directory);
}

}  // namespace rapporteur
