#include "dns/tlsrpt_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/domain.h"
#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr std::size_t kMaxRecordBytes = 10 * 1024;
constexpr std::size_t kMaxUriBytes = 2048;
constexpr std::size_t kMaxShownBytes = 200;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim_blank(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string shown(std::string_view text) {
  return truncate_utf8(without_controls(to_valid_utf8(text.substr(0, 2 * kMaxShownBytes))),
                       kMaxShownBytes);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// RFC 3986, section 2.1. Nullopt for a '%' that two digits do not follow.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

bool is_atext(char c) {
  constexpr std::string_view kSpecials = "!#$%&'*+-/=?^_`{|}~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kSpecials.find(c) != kSpecials.npos;
}

// RFC 5322, section 3.2.3, limited by RFC 5321, section 4.5.3.1.1.
bool is_dot_atom(std::string_view local) {
  if (local.empty() || local.size() > 64) return false;
  return std::ranges::all_of(split(local, '.'), [](std::string_view atom) {
    return !atom.empty() && std::ranges::all_of(atom, is_atext);
  });
}

UsableUri refused(std::string why) {
  return {{}, std::move(why)};
}

// Whether some programs take the name for an IPv4 address: "127.1", "0x7f.1", "2130706433"
// (inet(3)).
bool ends_in_number(std::string_view domain) {
  const auto last = domain.substr(domain.rfind('.') + 1);
  return last.starts_with("0x") ||
         std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

// Why mail to this normalised domain cannot leave for the Internet; empty: it can.
std::string why_no_mail(std::string_view domain) {
  const auto labels = split(domain, '.');
  if (labels.size() < 2) return "its domain has only one label";
  constexpr std::array<std::string_view, 5> kLocal = {"localhost", "local", "internal", "invalid",
                                                      "arpa"};
  if (std::ranges::find(kLocal, labels.back()) != kLocal.end()) {
    return "its domain is under ." + std::string(labels.back());
  }
  if (ends_in_number(domain)) return "its domain is an address";
  return {};
}

UsableUri usable_mailto(std::string_view rest) {
  const auto decoded = percent_decoded(rest.substr(0, rest.find('?')));
  if (!decoded) return refused("a % in it is not followed by two hexadecimal digits");
  const auto at = decoded->rfind('@');
  if (at == decoded->npos) return refused("it has no @");
  const auto local = decoded->substr(0, at);
  if (local.find('@') != local.npos) return refused("it has more than one @");
  if (!is_dot_atom(local)) {
    return refused("its local part is not of letters, digits and dots as RFC 5322 allows them");
  }
  const auto domain = normalise_domain(std::string_view(*decoded).substr(at + 1));
  if (!domain) return refused(domain.error().text);
  if (auto why = why_no_mail(*domain); !why.empty()) return refused(std::move(why));
  auto address = local + "@" + *domain;
  if (address.size() > 254) return refused("it is longer than 254 bytes");
  // Encoded again where the meaning would change if this form were read once more.
  std::string uri = "mailto:";
  for (const char c : address) {
    if (c == '%' || c == '?') {
      uri += c == '%' ? "%25" : "%3F";
    } else {
      uri += c;
    }
  }
  return {std::move(uri), {}};
}

// "host:port" taken apart. `host` keeps the brackets of an IPv6 address.
struct Authority {
  std::string_view host;
  std::string_view port;
};

std::optional<Authority> authority_of(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return std::nullopt;
    const auto after = text.substr(end + 1);
    if (!after.empty() && after.front() != ':') return std::nullopt;
    return Authority{text.substr(0, end + 1), after.empty() ? after : after.substr(1)};
  }
  const auto colon = text.find(':');
  if (colon == text.npos) return Authority{text, {}};
  return Authority{text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::string> usable_host(std::string_view host) {
  if (host.starts_with('[')) {
    const auto inner = host.substr(1, host.size() - 2);
    const auto address = parse_ip(inner);
    const bool ipv6 = inner.find(':') != inner.npos && inner.find('%') == inner.npos;
    if (!address || !ipv6) return std::nullopt;
    const auto text = format_ip(*address);
    return address->v6 ? "[" + text + "]" : text;
  }
  const auto decoded = percent_decoded(host);
  if (!decoded) return std::nullopt;
  auto domain = normalise_domain(*decoded);
  if (!domain || (ends_in_number(*domain) && !parse_ip(*domain))) return std::nullopt;
  return *std::move(domain);
}

// Path and query may hold what RFC 3986 allows and nothing else: the URL goes into a request line.
bool is_uri_text(std::string_view text) {
  constexpr std::string_view kMarks = "-._~:/?[]@!$&'()*+,;=%";
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != kMarks.npos;
  });
}

UsableUri usable_https(std::string_view rest) {
  if (!rest.starts_with("//")) return refused("an https URI begins with https://");
  rest.remove_prefix(2);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  const auto where = rest.substr(0, end);
  const auto path = rest.substr(end);
  if (where.find('@') != where.npos) return refused("it carries a user name");
  const auto authority = authority_of(where);
  if (!authority || authority->host.empty()) return refused("it has no host");
  const auto host = usable_host(authority->host);
  if (!host) return refused("its host is no host name");
  std::string port;
  if (!authority->port.empty()) {
    int number = 0;
    const auto* last = authority->port.data() + authority->port.size();
    const auto [stop, fault] = std::from_chars(authority->port.data(), last, number);
    if (fault != std::errc{} || stop != last) return refused("its port is no number");
    if (number != 443 && (number < 1024 || number > 65535)) {
      return refused("its port is neither 443 nor from 1024 to 65535");
    }
    if (number != 443) port = ":" + std::to_string(number);
  }
  if (!is_uri_text(path) || !percent_decoded(path)) {
    return refused("it holds characters that no URI may hold");
  }
  auto uri = "https://" + *host + port;
  if (path.empty() || path.front() == '?') uri += '/';
  return {uri.append(path), {}};
}

// A record's field, taken apart at its first '='.
struct Field {
  std::string_view name;
  std::string_view value;
};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// tlsrpt-extension of RFC 8460, section 3, but that values may hold '=': newer records may.
bool is_extension(const Field& field) {
  if (field.name.empty() || field.name.size() > 32 || !is_alphanumeric(field.name.front())) {
    return false;
  }
  const bool name = std::ranges::all_of(
      field.name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; });
  const bool value = std::ranges::all_of(field.value, [](char c) { return c > ' ' && c < 0x7F; });
  return name && value && !field.value.empty();
}

void add_uri(std::string_view uri, TlsrptRecord& record) {
  auto usable = usable_destination(uri);
  if (usable.uri.empty()) {
    record.skipped.push_back({shown(uri), std::move(usable.why)});
  } else if (std::ranges::find(record.rua, usable.uri) == record.rua.end()) {
    record.rua.push_back(std::move(usable.uri));
  }
}

TlsrptRecord invalid(TlsrptRecord record, std::string problem) {
  record.status = RecordStatus::kInvalid;
  record.problem = std::move(problem);
  record.rua.clear();
  return record;
}

// Whether this is a TLSRPT record by the letter ("v=TLSRPTv1;"), and whether it is one if nothing
// else is there: the grammar allows blanks before the ';' (RFC 8460, section 3).
bool begins_exactly(std::string_view text) {
  return text.starts_with(kVersion) && text.substr(kVersion.size()).starts_with(';');
}
bool begins_loosely(std::string_view text) {
  if (!text.starts_with(kVersion)) return false;
  const auto rest = trim_blank(text.substr(kVersion.size()));
  return rest.empty() || rest.front() == ';';
}

}  // namespace

std::string_view to_string(RecordStatus status) {
  constexpr std::array<std::string_view, 5> kNames = {"ok", "none", "several", "invalid",
                                                      "temporary"};
  return kNames.at(static_cast<std::size_t>(status));
}

std::string tlsrpt_name(std::string_view domain) {
  return "_smtp._tls." + std::string(domain);
}

UsableUri usable_destination(std::string_view uri) {
  constexpr std::string_view kTooLong = "it is longer than 2048 bytes";
  if (uri.size() > kMaxUriBytes) return refused(std::string(kTooLong));
  if (std::ranges::any_of(uri, [](unsigned char c) { return c <= ' ' || c == 0x7F; })) {
    return refused("it holds blanks or control characters");
  }
  constexpr std::string_view kMailto = "mailto:";
  constexpr std::string_view kHttps = "https:";
  if (starts_with_ignoring_case(uri, kMailto)) return usable_mailto(uri.substr(kMailto.size()));
  if (starts_with_ignoring_case(uri, kHttps)) {
    auto usable = usable_https(uri.substr(kHttps.size()));
    // A-labels are longer than what they stand for.
    return usable.uri.size() > kMaxUriBytes ? refused(std::string(kTooLong)) : usable;
  }
  const bool address = uri.find('@') != uri.npos && uri.find(':') == uri.npos;
  return refused(address ? "it is an address without mailto: before it"
                         : "it is neither a mailto nor an https URI");
}

TlsrptRecord parse_tlsrpt_record(std::string_view text) {
  TlsrptRecord record;
  record.text = truncate_utf8(without_controls(to_valid_utf8(text)), kMaxRecordBytes);
  if (text.size() > kMaxRecordBytes) {
    return invalid(std::move(record), "it is longer than 10240 bytes");
  }
  auto fields = split(text, ';');
  if (!text.starts_with(kVersion) || trim_blank(fields.front()) != kVersion) {
    return invalid(std::move(record), "it does not begin with v=TLSRPTv1;");
  }
  fields.erase(fields.begin());
  if (!fields.empty() && trim_blank(fields.back()).empty()) fields.pop_back();
  bool any_rua = false;
  for (const auto raw : fields) {
    const auto text_of_field = trim_blank(raw);
    const auto equals = text_of_field.find('=');
    if (equals == text_of_field.npos) {
      return invalid(std::move(record), "a field has no '=': '" + shown(text_of_field) + "'");
    }
    const Field field{text_of_field.substr(0, equals), text_of_field.substr(equals + 1)};
    if (field.name == "rua") {
      any_rua = true;
      for (const auto uri : split(field.value, ',')) {
        const auto trimmed = trim_blank(uri);
        if (!trimmed.empty()) add_uri(trimmed, record);
      }
    } else if (!is_extension(field)) {
      return invalid(std::move(record), "a field is malformed: '" + shown(text_of_field) + "'");
    }
  }
  if (!any_rua) return invalid(std::move(record), "it has no rua");
  if (record.rua.empty()) return invalid(std::move(record), "its rua names no usable URI");
  record.status = RecordStatus::kOk;
  return record;
}

TlsrptRecord read_tlsrpt_answers(std::span<const std::string> answers) {
  const auto exactly = std::ranges::count_if(answers, begins_exactly);
  const auto loosely = std::ranges::count_if(answers, begins_loosely);
  TlsrptRecord record;
  if (exactly > 1 || (exactly == 0 && loosely > 1)) {
    record.status = RecordStatus::kSeveral;
    record.problem = "there are " + std::to_string(std::max(exactly, loosely)) +
                     " TLSRPT records; exactly one asks for reports";
    return record;
  }
  if (exactly == 1) return parse_tlsrpt_record(*std::ranges::find_if(answers, begins_exactly));
  if (loosely == 1) return parse_tlsrpt_record(*std::ranges::find_if(answers, begins_loosely));
  record.status = RecordStatus::kNone;
  return record;
}

}  // namespace rapporteur
