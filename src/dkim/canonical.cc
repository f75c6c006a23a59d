#include "dkim/canonical.h"

#include "base/text.h"

namespace rapporteur {

namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Runs of spaces and tabs as one space, none at the end.
std::string with_single_spaces(std::string_view line) {
  std::string out;
  bool blank = false;
  for (const char c : line) {
    if (is_blank(c)) {
      blank = true;
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
  }
  return out;
}

}  // namespace

std::vector<std::string_view> header_fields(std::string_view header) {
  std::vector<std::string_view> fields;
  while (!header.empty()) {
    auto end = header.find(kLineEnd);
    while (end != header.npos && end + 2 < header.size() && is_blank(header[end + 2])) {
      end = header.find(kLineEnd, end + 2);
    }
    fields.push_back(header.substr(0, end));
    header.remove_prefix(end == header.npos ? header.size() : end + 2);
  }
  return fields;
}

std::string relaxed_field(std::string_view field) {
  const auto colon = field.find(':');
  std::string value;
  for (const char c : field.substr(colon == field.npos ? field.size() : colon + 1)) {
    if (c != '\r' && c != '\n') value += c;
  }
  return to_lower(trim(field.substr(0, colon))) + ":" +
         std::string(trim(with_single_spaces(value)));
}

std::string relaxed_body(std::string_view body) {
  std::string out;
  std::size_t empty_lines = 0;
  while (!body.empty()) {
    const auto end = body.find(kLineEnd);
    const auto line = with_single_spaces(body.substr(0, end));
    body.remove_prefix(end == body.npos ? body.size() : end + 2);
    if (line.empty()) {
      ++empty_lines;
      continue;
    }
    for (; empty_lines > 0; --empty_lines) out += kLineEnd;
    out.append(line).append(kLineEnd);
  }
  return out;
}

}  // namespace rapporteur
