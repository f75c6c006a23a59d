#include "ingest/decoder.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <simdjson.h>

#include "base/text.h"
#include "ingest/json.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kFirstCapacity = std::size_t{64} << 10;
// How many places of a line are tried as the beginning of its object.
constexpr int kMaxCandidates = 8;

constexpr std::array<std::string_view, 5> kFormats = {"auto", "tlsrpt", "momentum", "halon",
                                                      "native"};

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The value of the four digits of "\uXXXX" at `at`; 0 if that is not what stands there.
unsigned escaped_unit(std::string_view text, std::size_t at) {
  constexpr std::size_t kLength = 6;
  if (at + kLength > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
  const auto digits = text.substr(at + 2, 4);
  if (!std::ranges::all_of(digits, is_hex_digit)) return 0;
  return static_cast<unsigned>(std::stoul(std::string(digits), nullptr, 16));
}

// Replaces every escaped surrogate that is no half of a pair with U+FFFD: JSON can write it, UTF-8
// cannot. The text keeps its length.
void repair_surrogates(char* data, std::size_t size) {
  const std::string_view text(data, size);
  for (std::size_t i = 0; i + 1 < size;) {
    if (text[i] != '\\') {
      ++i;
      continue;
    }
    const auto unit = escaped_unit(text, i);
    if (unit < 0xD800 || unit > 0xDFFF) {
      i += 2;
      continue;
    }
    const auto next = escaped_unit(text, i + 6);
    if (unit < 0xDC00 && next >= 0xDC00 && next <= 0xDFFF) {
      i += 12;
      continue;
    }
    std::copy_n("fffd", 4, data + i + 2);
    i += 6;
  }
}

// The object that begins at the front of `text`, to its closing brace; empty if there is none.
std::string_view balanced_object(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

bool begins_with_array(std::string_view line) {
  return line.starts_with('[') && trim(line.substr(1)).starts_with('{');
}

// Whether the line is one of a program's log, "1746712864:scriptlet: ...", without an object in it.
bool is_other_log_line(std::string_view line) {
  const auto digits = line.find_first_not_of("0123456789");
  return digits != line.npos && digits >= 9 && line[digits] == ':' && line.find('{') == line.npos;
}

std::string_view without_frame(std::string_view line) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  while (!line.empty() && line.back() == '\0') line.remove_suffix(1);
  return trim(line);
}

Format recognise(const JsonObject& object) {
  if (has(object, "dpv") || has(object, "d") || has(object, "pr")) return Format::kTlsrpt;
  if (has(object, "policies")) return Format::kNative;
  if (has(object, "policy")) return Format::kMomentum;
  constexpr std::array<std::string_view, 3> kHalonKeys = {"transactionid", "timestamp",
                                                          "policy-type"};
  const bool halon =
      std::ranges::any_of(kHalonKeys, [&](std::string_view key) { return has(object, key); });
  return halon ? Format::kHalon : Format::kAuto;
}

// A line of a dump of an index holds the document under "_source".
void take_out_of_dump(JsonObject& object) {
  JsonObject source;
  if (object.at_key("_source").get(source) == simdjson::SUCCESS) object = source;
}

Judgement decode_as(Format format, const JsonObject& object, Session& session) {
  switch (format) {
    case Format::kTlsrpt:
      return decode_tlsrpt(object, session);
    case Format::kMomentum:
      return decode_momentum(object, session);
    case Format::kHalon:
      return decode_halon(object, session);
    case Format::kNative:
      return decode_native(object, session);
    case Format::kAuto:
      break;
  }
  return rejected("unknown-format");
}

}  // namespace

std::string_view to_string(Format format) {
  return kFormats.at(static_cast<std::size_t>(format));
}

std::optional<Format> parse_format(std::string_view text) {
  const auto found = std::ranges::find(kFormats, text);
  if (found == kFormats.end()) return std::nullopt;
  return static_cast<Format>(found - kFormats.begin());
}

struct Decoder::Impl {
  explicit Impl(Format wanted) : format(wanted) {}

  // Parses `text` as one JSON value, an object. Empty, or why that is not what it is.
  std::string_view parse(std::string_view text, simdjson::dom::object& object);
  // Finds the object in a line and parses it.
  std::string_view find(std::string_view line, simdjson::dom::object& object);
  simdjson::error_code parse_buffer(std::size_t size, simdjson::dom::element& value);

  Format format;
  simdjson::dom::parser parser;
  std::string buffer;  // the text, and behind it the room that the parser may read
};

simdjson::error_code Decoder::Impl::parse_buffer(std::size_t size, simdjson::dom::element& value) {
  if (parser.capacity() < size) {
    const auto capacity = std::max({kFirstCapacity, size, 2 * parser.capacity()});
    if (const auto error = parser.allocate(capacity, kMaxDepth)) return error;
  }
  return parser.parse(buffer.data(), size, false).get(value);
}

std::string_view Decoder::Impl::parse(std::string_view text, simdjson::dom::object& object) {
  buffer.assign(text);
  buffer.append(simdjson::SIMDJSON_PADDING, ' ');
  simdjson::dom::element value;
  auto error = parse_buffer(text.size(), value);
  if (error == simdjson::STRING_ERROR) {
    repair_surrogates(buffer.data(), text.size());
    error = parse_buffer(text.size(), value);
  }
  if (error == simdjson::DEPTH_ERROR) return "too-deep";
  if (error == simdjson::NUMBER_ERROR) return "bad-number";
  if (error != simdjson::SUCCESS) return "not-json";
  if (value.get(object) != simdjson::SUCCESS) return "not-an-object";
  take_out_of_dump(object);
  return {};
}

std::string_view Decoder::Impl::find(std::string_view line, simdjson::dom::object& object) {
  const auto whole = parse(line, object);
  if (whole.empty() || whole == "not-an-object") return whole;
  if (begins_with_array(line)) return whole;
  // Only objects that stand beside each other are tried: what is inside of one that is cut off or
  // broken is no session.
  auto rest = line;
  for (int i = 0; i < kMaxCandidates; ++i) {
    rest.remove_prefix(std::min(rest.find('{'), rest.size()));
    const auto candidate = balanced_object(rest);
    if (candidate.empty()) break;
    rest.remove_prefix(candidate.size());
    const bool fits = candidate.size() < line.size() && parse(candidate, object).empty() &&
                      (format != Format::kAuto || recognise(object) != Format::kAuto);
    // Of two sessions in a line none is counted, rather than one.
    if (fits && rest.find('{') != rest.npos) break;
    if (fits) return {};
  }
  return line.front() == '{' ? whole : "not-json";
}

Decoder::Decoder(Format format) : impl_(std::make_unique<Impl>(format)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Decoded Decoder::decode(std::string_view line) {
  Decoded decoded;
  decoded.format = impl_->format;
  if (line.size() > kMaxLineBytes) {
    decoded.reason = "line-too-long";
    return decoded;
  }
  simdjson::dom::object object;
  std::string repaired;
  if (!impl_->parse(line, object).empty()) {
    if (!simdjson::validate_utf8(line)) {
      repaired = to_valid_utf8(line);
      line = repaired;
    }
    line = without_frame(line);
    if (line.empty() || is_other_log_line(line)) {
      decoded.verdict = Verdict::kIgnored;
      decoded.reason = line.empty() ? "blank" : "log-line";
      return decoded;
    }
    decoded.reason = impl_->find(line, object);
    if (!decoded.reason.empty()) return decoded;
  }
  if (decoded.format == Format::kAuto) decoded.format = recognise(object);
  const auto judgement = decode_as(decoded.format, object, decoded.session);
  decoded.verdict = judgement.verdict;
  decoded.reason = judgement.reason;
  if (!judgement.is_session()) decoded.session = Session();
  return decoded;
}

}  // namespace rapporteur
