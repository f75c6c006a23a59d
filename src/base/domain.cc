#include "base/domain.h"

#include <algorithm>
#include <memory>

#include <idn2.h>

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxName = 253;    // RFC 1035, section 2.3.4, as text without the last dot
constexpr std::size_t kMaxLabel = 63;    // the same
constexpr std::size_t kMaxInput = 1100;  // 253 characters of at most four bytes, and some dots

Error no_host_name(std::string_view text, std::string_view why) {
  const auto shown = truncate_utf8(without_controls(to_valid_utf8(text.substr(0, 300))), 100);
  return Error{Fault::kInput, "'" + shown + "' is no host name: " + std::string(why)};
}

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// What is wrong with a lower-case ASCII label; empty: nothing.
std::string_view flaw_of_label(std::string_view label) {
  if (label.empty()) return "a label is empty";
  if (label.size() > kMaxLabel) return "a label is longer than 63 bytes";
  if (label.front() == '-' || label.back() == '-') return "a label begins or ends with '-'";
  if (!std::ranges::all_of(label, is_label_character)) return "it holds a character that none has";
  return {};
}

// The text as lower-case ASCII, not checked any further (RFC 5891 with the mapping of UTS #46).
Result<std::string> to_ascii(std::string_view text) {
  if (is_ascii(text)) return to_lower(text);
  if (text.find('\0') != text.npos) return no_host_name(text, "it holds a zero byte");
  char* output = nullptr;
  const int code =
      idn2_to_ascii_8z(std::string(text).c_str(), &output, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const std::unique_ptr<char, decltype(&idn2_free)> owned(output, &idn2_free);
  if (code != IDN2_OK) return no_host_name(text, idn2_strerror(code));
  return to_lower(owned.get());
}

}  // namespace

Result<std::string> normalise_domain(std::string_view text) {
  if (text.empty()) return no_host_name(text, "it is empty");
  if (text.size() > kMaxInput) return no_host_name(text, "it is longer than 253 bytes");
  auto name = to_ascii(text);
  if (!name) return name;
  if (name->ends_with('.')) name->pop_back();
  if (name->empty()) return no_host_name(text, "it is empty");
  if (name->size() > kMaxName) return no_host_name(text, "it is longer than 253 bytes");
  for (std::string_view rest = *name;;) {
    const auto end = rest.find('.');
    const auto flaw = flaw_of_label(rest.substr(0, end));
    if (!flaw.empty()) return no_host_name(text, flaw);
    if (end == rest.npos) return name;
    rest.remove_prefix(end + 1);
  }
}

Result<std::string> normalise_mx_pattern(std::string_view text) {
  if (!text.starts_with("*.")) return normalise_domain(text);
  auto name = normalise_domain(text.substr(2));
  if (!name) return name;
  return "*." + *name;
}

std::string_view domain_of_address(std::string_view address) {
  const auto at = address.rfind('@');
  return at == address.npos ? std::string_view() : address.substr(at + 1);
}

bool is_same_or_below(std::string_view domain, std::string_view parent) {
  if (parent.empty() || !domain.ends_with(parent)) return false;
  return domain.size() == parent.size() || domain[domain.size() - parent.size() - 1] == '.';
}

}  // namespace rapporteur
