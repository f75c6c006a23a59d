#include "mime/entity.h"

#include <gmime/gmime.h>

#include <algorithm>

#include "base/domain.h"
#include "base/text.h"
#include "mime/header_text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostFields = 1000;
constexpr std::size_t kMostFieldBytes = 8192;
constexpr std::size_t kMostAddressBytes = 320;    // 64 + '@' + 255
constexpr std::size_t kMostMessageIdBytes = 996;  // what a line holds between the brackets

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Takes the next line off the text, without its line end.
std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Where the name of a field ends in a line, or npos if the line begins no field.
std::size_t name_size(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == line.npos) return line.npos;
  const auto name = trim(line.substr(0, colon));
  const bool usable =
      !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7F; });
  return usable ? name.size() : line.npos;
}

// The value of a parameter, which `text` begins with behind its '='.
std::string parameter_value(std::string_view text) {
  if (!text.starts_with('"')) return std::string(trim(text.substr(0, text.find_first_of("; \t"))));
  std::string value;
  for (std::size_t i = 1; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  return value;
}

// The position of the next `wanted` outside quoted strings, or the text's end.
std::size_t find_unquoted(std::string_view text, char wanted) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted) {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == wanted && !quoted) {
      return i;
    }
  }
  return text.size();
}

// Calls `take` with the name of each parameter behind the first ';', and the text behind its '='.
template <class Take>
void each_parameter(std::string_view value, const Take& take) {
  for (;;) {
    value.remove_prefix(find_unquoted(value, ';'));
    if (value.empty()) return;
    value.remove_prefix(1);
    const auto equals = value.find_first_of("=;");
    if (equals == value.npos || value[equals] == ';') continue;
    take(trim(value.substr(0, equals)), trim(value.substr(equals + 1)));
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "utf-8'en'a%20b" as RFC 2231, section 4, writes "a b"; only the first piece names a charset.
std::string extended_value(std::string_view text, bool first) {
  if (first) {
    const auto language = text.find('\'');
    const auto end = language == text.npos ? text.npos : text.find('\'', language + 1);
    if (end != text.npos) text.remove_prefix(end + 1);
  }
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      value += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      value += text[i];
    }
  }
  return one_line(value);
}

std::string transfer_decoded(std::string_view body, GMimeContentEncoding encoding) {
  GMimeEncoding state;
  g_mime_encoding_init_decode(&state, encoding);
  std::string out(g_mime_encoding_outlen(&state, body.size()), '\0');
  out.resize(g_mime_encoding_flush(&state, body.data(), body.size(), out.data()));
  return out;
}

// Whether it has two halves, and blanks in quoted strings alone.
bool may_be_address(std::string_view text) {
  const auto at = text.rfind('@');
  return at != text.npos && at > 0 && at + 1 < text.size() &&
         (text.starts_with('"') || text.find(' ') == text.npos);
}

// Collects one address of a list after the other.
class AddressList {
 public:
  explicit AddressList(std::size_t most) : most_(most) {}

  // Outside quoted strings.
  void take(char c) {
    if (c == '<') {
      bracketed_ = inside_ = true;
      inner_.clear();
    } else if (c == '>') {
      inside_ = false;
    } else if (c == ':') {
      (inside_ ? inner_ : outer_).clear();  // a route or the name of a group ends
    } else if (!inside_ && (c == ',' || c == ';')) {
      end_address();
    } else {
      take_quoted(c);
    }
  }

  void take_quoted(char c) { (inside_ ? inner_ : outer_) += c; }

  void end_address() {
    const auto text = trim(bracketed_ ? inner_ : outer_);
    if (addresses_.size() < most_ && may_be_address(text)) {
      auto address = normalised_address(text);
      if (may_be_address(address)) addresses_.push_back(std::move(address));
    }
    inner_.clear();
    outer_.clear();
    bracketed_ = inside_ = false;
  }

  bool is_full() const { return addresses_.size() >= most_; }
  std::vector<std::string> take_all() { return std::move(addresses_); }

 private:
  std::size_t most_;
  std::vector<std::string> addresses_;
  std::string inner_;  // between angle brackets
  std::string outer_;
  bool bracketed_ = false;
  bool inside_ = false;
};

void read_addresses(std::string_view list, AddressList& addresses) {
  bool quoted = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '"') quoted = !quoted;
    if (quoted || list[i] == '"') {
      addresses.take_quoted(list[i]);
      if (list[i] == '\\' && i + 1 < list.size()) addresses.take_quoted(list[++i]);
    } else {
      addresses.take(list[i]);
    }
  }
  addresses.end_address();
}

bool may_be_message_id(std::string_view text) {
  return text.size() <= kMostMessageIdBytes && text.find('@') != text.npos &&
         text.find_first_of(" <>") == text.npos;
}

}  // namespace

std::string unfolded(std::string_view body) {
  std::string text(body.substr(0, kMostFieldBytes));
  std::ranges::replace_if(
      text, [](char c) { return c == '\r' || c == '\n' || c == '\t'; }, ' ');
  return one_line(text);
}

std::string Entity::first(std::string_view name) const {
  for (const auto& field : fields) {
    if (equals_ignoring_case(field.name, name)) return unfolded(field.body);
  }
  return {};
}

std::vector<std::string> Entity::all(std::string_view name) const {
  std::vector<std::string> bodies;
  for (const auto& field : fields) {
    if (equals_ignoring_case(field.name, name)) bodies.push_back(unfolded(field.body));
  }
  return bodies;
}

Entity read_entity(std::string_view text) {
  Entity entity;
  if (text.starts_with("From ")) next_line(text);
  bool continues = false;  // whether a folded line belongs to the last field
  while (!text.empty()) {
    const auto line = next_line(text);
    if (line.empty()) break;
    if (is_blank(line.front())) {
      if (!continues) continue;
      auto& body = entity.fields.back().body;
      body = {body.data(), static_cast<std::size_t>(line.data() + line.size() - body.data())};
      continue;
    }
    const auto size = name_size(line);
    continues = size != line.npos && entity.fields.size() < kMostFields;
    if (continues) {
      entity.fields.push_back({line.substr(0, size), line.substr(line.find(':') + 1)});
    }
  }
  entity.body = text;
  return entity;
}

std::string without_comments(std::string_view text) {
  std::string out;
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size()) {
      if (depth == 0) out.append(text, i, 2);
      ++i;
    } else if (c == '(' && !quoted) {
      ++depth;
    } else if (c == ')' && depth > 0) {
      --depth;
    } else if (depth == 0) {
      if (c == '"') quoted = !quoted;
      out += c;
    }
  }
  return std::string(trim(out));
}

ContentType content_type(const Entity& entity) {
  const auto value = without_comments(entity.first("Content-Type"));
  ContentType type;
  type.media_type = to_lower(trim(std::string_view(value).substr(0, find_unquoted(value, ';'))));
  if (type.media_type.empty()) type.media_type = "text/plain";
  each_parameter(value, [&](std::string_view name, std::string_view text) {
    if (equals_ignoring_case(name, "boundary") && type.boundary.empty()) {
      type.boundary = parameter_value(text);
    } else if (equals_ignoring_case(name, "report-type") && type.report_type.empty()) {
      type.report_type = to_lower(parameter_value(text));
    }
  });
  return type;
}

std::string parameter(const Entity& entity, std::string_view field, std::string_view name) {
  std::string plain;
  std::string pieces;
  each_parameter(
      without_comments(entity.first(field)), [&](std::string_view found, std::string_view text) {
        const auto star = found.find('*');
        if (!equals_ignoring_case(found.substr(0, star), name)) return;
        if (star == found.npos) {
          if (plain.empty()) plain = parameter_value(text);
        } else {
          const bool first = found == found.substr(0, star + 1) || found[star + 1] == '0';
          auto piece = parameter_value(text);
          if (found.ends_with('*')) piece = extended_value(piece, first);
          pieces += piece;
        }
      });
  return plain.empty() ? pieces : plain;
}

std::vector<std::string_view> parts_of(std::string_view body, std::string_view boundary,
                                       std::size_t most) {
  std::vector<std::string_view> parts;
  if (boundary.empty()) return parts;
  const char* start = nullptr;  // of the part that is being read
  std::string_view rest = body;
  while (!rest.empty()) {
    auto line = next_line(rest);
    if (!line.starts_with("--") || !line.substr(2).starts_with(boundary)) continue;
    const auto tail = trim(line.substr(2 + boundary.size()));
    if (!tail.empty() && tail != "--") continue;
    if (start != nullptr) {
      std::string_view part(start, static_cast<std::size_t>(line.data() - start));
      if (part.ends_with('\n')) part.remove_suffix(1);
      if (part.ends_with('\r')) part.remove_suffix(1);
      parts.push_back(part);
    }
    if (!tail.empty() || parts.size() == most) return parts;
    start = rest.data();
  }
  if (start != nullptr) {
    parts.emplace_back(start, static_cast<std::size_t>(body.data() + body.size() - start));
  }
  return parts;
}

std::string decoded_body(const Entity& entity) {
  const auto encoding = without_comments(entity.first("Content-Transfer-Encoding"));
  if (equals_ignoring_case(encoding, "base64")) {
    return transfer_decoded(entity.body, GMIME_CONTENT_ENCODING_BASE64);
  }
  if (equals_ignoring_case(encoding, "quoted-printable")) {
    return transfer_decoded(entity.body, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
  }
  return std::string(entity.body);
}

std::vector<std::string> addresses_in(std::span<const std::string> lists, std::size_t most) {
  AddressList addresses(most);
  for (const auto& list : lists) {
    if (addresses.is_full()) break;
    read_addresses(without_comments(list), addresses);
  }
  return addresses.take_all();
}

std::vector<std::string> addresses_in(const std::string& list, std::size_t most) {
  return addresses_in(std::span(&list, 1), most);
}

std::string normalised_address(std::string_view address) {
  if (address.size() > kMostAddressBytes) return {};
  const auto at = address.rfind('@');
  if (at == address.npos) return std::string(address);
  const auto domain = normalise_domain(address.substr(at + 1));
  auto normalised = std::string(address.substr(0, at + 1)) +
                    (domain ? *domain : to_lower(address.substr(at + 1)));
  return normalised.size() <= kMostAddressBytes ? normalised : std::string();
}

std::vector<std::string> message_ids_in(std::string_view text, std::size_t most) {
  std::vector<std::string> ids;
  if (text.find('<') == text.npos) {
    if (may_be_message_id(text) && most > 0) ids.emplace_back(text);
    return ids;
  }
  while (ids.size() < most) {
    const auto open = text.find('<');
    if (open == text.npos) break;
    text.remove_prefix(open + 1);
    const auto close = text.find_first_of("<>");
    if (close == text.npos) break;
    const auto id = text.substr(0, close);
    if (text[close] == '>' && may_be_message_id(id)) ids.emplace_back(id);
    text.remove_prefix(close);
  }
  return ids;
}

}  // namespace rapporteur
