#pragma once
// Reading mail from strangers: header fields, multiparts, transfer encodings (RFC 5322, RFC 2045,
// RFC 2046), bounded in time, memory and stack whatever the bytes are. GMime's parser is not used
// for this: it descends once for each nested group of an address field and overflows the stack.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

// A view into the text that it was read from.
struct Field {
  std::string_view name;
  std::string_view body;  // with its line breaks
};

// A message or a part of one: views into the text that it was read from.
struct Entity {
  std::vector<Field> fields;  // at most 1,000
  std::string_view body;

  // The body of the first field of that name, without regard to case: one line of valid UTF-8
  // without control characters, of which the first 8 KiB are kept. Empty if there is none.
  std::string first(std::string_view name) const;
  // Of every field of that name, in order.
  std::vector<std::string> all(std::string_view name) const;
};

// Never fails: lines that are no field are skipped. Lines end in LF or CRLF. A "From " line of an
// mbox before the first field is skipped.
Entity read_entity(std::string_view text);

// Field bodies as Entity::first() gives them.
std::string unfolded(std::string_view body);

// Without comments and the blanks at either end (RFC 5322, section 3.2.2); quoted strings stay.
std::string without_comments(std::string_view text);

struct ContentType {
  std::string media_type;   // "multipart/report" in lower case; "text/plain" if the field is absent
  std::string boundary;     // empty if absent
  std::string report_type;  // in lower case, empty if absent
};

ContentType content_type(const Entity& entity);

// The value of a parameter of a field such as Content-Disposition: one line of UTF-8; the pieces of
// RFC 2231 are joined in the order in which they stand. Empty if there is none.
std::string parameter(const Entity& entity, std::string_view field, std::string_view name);

// The parts between the delimiter lines of a multipart, at most `most`; the last one may end with
// the text instead of a delimiter.
std::vector<std::string_view> parts_of(std::string_view body, std::string_view boundary,
                                       std::size_t most);

// The body with its Content-Transfer-Encoding undone; an unknown encoding is left as it is.
std::string decoded_body(const Entity& entity);

// The addr-specs of address lists (RFC 5322, section 3.4), the first `most` of them all: display
// names, group names, comments and routes are left out, and so is what can be no address.
// Normalised; what follows the last of them is not, which is what costs time.
std::vector<std::string> addresses_in(std::span<const std::string> lists, std::size_t most);
std::vector<std::string> addresses_in(const std::string& list, std::size_t most);

// The address with its domain as normalise_domain() has it, or in lower case if that is no domain;
// a text without '@' as it is. Empty if it has more than 320 bytes in either form.
std::string normalised_address(std::string_view address);

// What stands in angle brackets and may be a msg-id (RFC 5322, section 3.6.4), without them, at
// most `most`. A text without brackets that may be one is taken whole.
std::vector<std::string> message_ids_in(std::string_view text, std::size_t most);

}  // namespace rapporteur
