// Any bytes as a mail that came back: what parse_dsn() promises of the notice that it reads, and
// what the reader of mail under it promises.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "fuzz/require.h"
#include "mime/dsn.h"
#include "mime/entity.h"

namespace {

using namespace rapporteur;
using fuzz::require;

constexpr std::size_t kMostAddressBytes = 320;
constexpr std::size_t kMostKept = 50;
constexpr std::size_t kLongestField = 8192;

void check_text(const std::string& text) {
  require(is_valid_utf8(text), "a text is UTF-8", text);
  require(without_controls(text) == text, "a text has no control characters", text);
}

// An address in its one form; one that is no list's may be the name of a local user.
void check_address(const std::string& address) {
  check_text(address);
  require(address.size() <= kMostAddressBytes, "an address has 320 bytes at most", address);
  require(normalised_address(address) == address, "an address is normalised", address);
}

void check_listed(const std::string& address) {
  check_address(address);
  const auto at = address.rfind('@');
  require(at != address.npos && at > 0 && at + 1 < address.size(), "an address has two halves",
          address);
}

void check_message_id(const std::string& id) {
  check_text(id);
  require(id.size() <= 996 && id.find('@') != id.npos, "a msg-id may be one", id);
  require(id.find_first_of("<> ") == id.npos, "a msg-id has no brackets and no blanks", id);
}

void check_unique(const std::vector<std::string>& list) {
  require(list.size() <= kMostKept, "a list has 50 members at most");
  require(std::set(list.begin(), list.end()).size() == list.size(), "none stands twice");
}

bool is_status(const std::string& status) {
  const auto numbers = split(status, '.');
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return numbers.size() == 3 && numbers[0].size() == 1 &&
         std::string_view("245").find(numbers[0]) != std::string::npos &&
         std::ranges::all_of(numbers, [&](std::string_view number) {
           return !number.empty() && number.size() <= 3 && std::ranges::all_of(number, is_digit);
         });
}

void check_recipient(const DeliveryStatus& recipient) {
  check_address(recipient.original_recipient);
  check_address(recipient.final_recipient);
  require(!recipient.final_recipient.empty(), "there is a final recipient");
  require(!to_string(recipient.action).empty(), "an action has a name");
  require(recipient.status.empty() || is_status(recipient.status), "a status is RFC 3463's",
          recipient.status);
  check_text(recipient.diagnostic);
  require(recipient.diagnostic.size() <= 500, "a diagnostic has 500 bytes at most");
}

void check_notice(const DsnNotice& notice) {
  require(!notice.recipients.empty() && notice.recipients.size() <= 100, "1 to 100 recipients");
  std::ranges::for_each(notice.recipients, check_recipient);
  check_unique(notice.sent_to);
  std::ranges::for_each(notice.sent_to, check_listed);
  check_unique(notice.message_ids);
  std::ranges::for_each(notice.message_ids, check_message_id);
}

bool are_equal(const Result<DsnNotice>& a, const Result<DsnNotice>& b) {
  if (!a || !b) return !a == !b;
  return a->recipients == b->recipients && a->sent_to == b->sent_to &&
         a->message_ids == b->message_ids;
}

// Lines may end in either way. What a transfer encoding says of line ends is not ours, and a field
// that is cut is cut elsewhere.
void check_line_ends(const std::string& text, const Result<DsnNotice>& notice) {
  if (text.size() > kLongestField / 2 || text.find('\r') != text.npos ||
      to_lower(text).find("quoted-printable") != text.npos) {
    return;
  }
  std::string with_crlf;
  for (const char c : text) {
    if (c == '\n') with_crlf += '\r';
    with_crlf += c;
  }
  require(are_equal(parse_dsn(with_crlf), notice), "CRLF ends lines as LF does", text);
}

bool is_within(std::string_view view, std::string_view text) {
  const std::less_equal<const char*> before;
  return before(text.data(), view.data()) &&
         before(view.data() + view.size(), text.data() + text.size());
}

// The next view begins behind the last one.
template <class Views>
void check_views(const Views& views, std::string_view text) {
  for (const std::string_view view : views) {
    require(is_within(view, text), "a view lies in its text, behind the one before it");
    text.remove_prefix(static_cast<std::size_t>(view.data() + view.size() - text.data()));
  }
}

void check_entity(std::string_view text) {
  const auto entity = read_entity(text);
  require(entity.fields.size() <= 1000, "1,000 fields at most");
  std::vector<std::string_view> views;
  for (const auto& field : entity.fields) {
    require(!field.name.empty(), "a field has a name");
    views.push_back(field.name);
    views.push_back(field.body);
    const auto body = unfolded(field.body);
    check_text(body);
    require(body.size() <= 3 * kLongestField, "the first 8 KiB are kept");  // U+FFFD has 3 bytes
    const auto addresses = addresses_in(body, 3);
    require(addresses.size() <= 3, "no more addresses than asked for");
    std::ranges::for_each(addresses, check_listed);
    const auto ids = message_ids_in(body, 3);
    require(ids.size() <= 3, "no more msg-ids than asked for");
    std::ranges::for_each(ids, check_message_id);
  }
  views.push_back(entity.body);
  if (!entity.fields.empty()) {
    const auto& first = entity.fields.front();
    require(entity.first(first.name) == unfolded(first.body), "the first field is found");
    const auto all = entity.all(first.name);
    require(
        !all.empty() && all.size() <= entity.fields.size() && all.front() == unfolded(first.body),
        "the first of all is the first");
  }
  check_views(views, text);
  const auto type = content_type(entity);
  require(!type.media_type.empty() && to_lower(type.media_type) == type.media_type,
          "there is a type in lower case", type.media_type);
  check_text(type.boundary);
  const auto parts = parts_of(entity.body, type.boundary, 5);
  require(parts.size() <= 5, "no more parts than asked for");
  check_views(parts, entity.body);
  // Both transfer encodings take at least as many bytes as what they encode.
  require(decoded_body(entity).size() <= entity.body.size(), "decoding makes nothing longer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_entity(text);
  const auto notice = parse_dsn(text);
  if (notice) {
    check_notice(*notice);
  } else {
    require(notice.error().fault == Fault::kInput, "a mail that is no notice is a fault of input");
    require(!notice.error().text.empty() &&
                notice.error().text.find_first_of("\r\n") == std::string::npos,
            "one line says that it is none", notice.error().text);
  }
  check_line_ends(text, notice);
  return 0;
}
