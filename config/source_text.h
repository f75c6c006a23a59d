#pragma once
// The text of a configuration file and the places in it: bytes to lines and columns and back. Lines
// and columns count from 1, columns in characters (Unicode code points), as editors do.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// A stretch of the text, in bytes.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Every question is answered in a time that does not depend on the length of the text or its lines.
class SourceText {
 public:
  // A leading byte order mark is no part of the text. The view outlives this object.
  explicit SourceText(std::string_view text);

  struct Place {
    int line = 1;
    int column = 1;
  };

  std::string_view text() const { return text_; }
  Place place_of(std::size_t offset) const;
  // The inverse. A place outside of the text gives the nearest one inside.
  std::size_t offset_of(Place place) const;
  // Without its line end. Empty at the end of the text if there is no such line.
  Span line_span(int number) const;
  std::string_view line(int number) const;
  // How many characters begin in the span, which lies inside of the text.
  std::size_t characters_in(Span span) const;
  // How many characters of the span stand on the line where it begins; at least 1.
  std::size_t underlined(Span span) const;

 private:
  std::size_t characters_before(std::size_t offset) const;

  std::string_view text_;
  std::vector<std::size_t> line_begins_;
  std::vector<std::size_t> counts_;  // characters before every 64th byte
};

// Code points of UTF-8 text.
std::size_t count_characters(std::string_view text);

// Where each byte of a TOML string's content was written. `begin` is the offset of the opening
// quote in `source`, `size` the length of the content in bytes; the string is well formed and may
// be of any of the four kinds (TOML 1.0, "String"). The answer has size + 1 offsets: the last is
// where the content ends.
std::vector<std::size_t> content_offsets(std::string_view source, std::size_t begin,
                                         std::size_t size);

}  // namespace rapporteur
