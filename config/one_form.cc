#include "config/one_form.h"

#include <algorithm>

#include "base/domain.h"
#include "base/text.h"
#include "config/address.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxDomain = 253;
constexpr std::size_t kMaxLabel = 63;

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_printable_ascii(char c) {
  return c >= 0x20 && c < 0x7F;
}

// Of valid UTF-8; U+0080 to U+009F are C2 80 to C2 9F.
bool holds_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) <= 0x9F) {
      return true;
    }
  }
  return false;
}

constexpr std::string_view kMailto = "mailto:";
constexpr std::string_view kHttps = "https://";

bool is_report_address(std::string_view address) {
  if (is_normal_address(address)) return true;
  const auto path = address.substr(0, address.find('?'));
  // Percent-decoded it may be another one; who sends the report sees that.
  return path.find('%') != path.npos || normalise_address(path).has_value();
}

// What stands behind "https://".
bool is_report_authority(std::string_view rest) {
  if (rest.starts_with('[')) return rest.find(']') != rest.npos;
  const auto host = rest.substr(0, rest.find_first_of(":/?#"));
  return is_normal_domain(host) || static_cast<bool>(normalise_domain(host));
}

}  // namespace

bool is_one_line(std::string_view text) {
  unsigned char flaws = 0;  // of all characters: without a jump in it this is many at once
  for (const char c : text) flaws |= static_cast<unsigned char>(!is_printable_ascii(c));
  if (flaws == 0) return true;
  return is_valid_utf8(text) && !holds_control(text);
}

bool is_normal_domain(std::string_view text) {
  if (text.empty() || text.size() > kMaxDomain) return false;
  std::size_t label = 0;  // where it begins
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '.') {
      if (!is_label_character(text[i])) return false;
      continue;
    }
    if (i == label || i - label > kMaxLabel || text[label] == '-' || text[i - 1] == '-') {
      return false;
    }
    label = i + 1;
  }
  return true;
}

bool is_normal_address(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == text.npos || text.size() > kMaxAddress || !is_local_part(text.substr(0, at))) {
    return false;
  }
  const auto domain = text.substr(at + 1);
  return domain.find('.') != domain.npos && is_normal_domain(domain);
}

bool is_report_uri(std::string_view text) {
  unsigned char flaws = 0;  // as in is_one_line()
  for (const char c : text) flaws |= static_cast<unsigned char>(c == ' ');
  if (flaws != 0 || !is_one_line(text)) return false;
  if (starts_with_ignoring_case(text, kMailto))
    return is_report_address(text.substr(kMailto.size()));
  if (!starts_with_ignoring_case(text, kHttps)) return false;
  return is_report_authority(text.substr(kHttps.size()));
}

}  // namespace rapporteur
