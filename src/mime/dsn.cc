#include "mime/dsn.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>

#include "base/text.h"
#include "mime/entity.h"
#include "mime/header_text.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostRecipients = 100;
constexpr std::size_t kMostKept = 50;         // addresses and msg-ids
constexpr std::size_t kMostAddressees = 200;  // that are looked at
constexpr std::size_t kMostParts = 50;
constexpr std::size_t kMostFailureBytes = 4096;
constexpr std::size_t kMostNamingBytes = 1024;  // of a failure, in which its addresses stand
constexpr int kDeepest = 8;                     // multiparts within each other
constexpr std::size_t kMostDiagnosticBytes = 500;
constexpr std::string_view kNoNotice = "not a delivery status notification";

template <std::size_t kSize>
bool contains(const std::array<std::string_view, kSize>& list, std::string_view text) {
  return std::ranges::find(list, text) != list.end();
}

void add_new(std::vector<std::string>& list, std::vector<std::string> more) {
  for (auto& text : more) {
    if (list.size() == kMostKept) return;
    if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 3 && std::ranges::all_of(text, is_digit);
}

// The status code that a text begins with (RFC 3463, section 2), or nothing.
std::string status_code(std::string_view text) {
  const auto word = text.substr(0, text.find(' '));
  const auto numbers = split(word, '.');
  const bool well_formed = numbers.size() == 3 && std::ranges::all_of(numbers, is_number) &&
                           (numbers[0] == "2" || numbers[0] == "4" || numbers[0] == "5");
  return well_formed ? std::string(word) : std::string();
}

// "550 no such user" of "smtp; 550 no such user": a type is an atom.
std::string_view without_type(std::string_view text) {
  const auto semicolon = text.find(';');
  if (semicolon == text.npos) return trim(text);
  const auto type = trim(text.substr(0, semicolon));
  const bool is_atom = std::ranges::all_of(type, [](char c) {
    return is_digit(c) || c == '-' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return is_atom ? trim(text.substr(semicolon + 1)) : trim(text);
}

std::string typed_address(std::string_view body) {
  const auto text = without_comments(body);
  auto address = without_type(text);
  if (address.starts_with('<') && address.ends_with('>')) {
    address = trim(address.substr(1, address.size() - 2));
  }
  return normalised_address(address);
}

std::string diagnostic_text(std::string_view text) {
  return truncate_utf8(without_type(text), kMostDiagnosticBytes);
}

// The action, which a status says as well if the keyword is none of RFC 3464's.
std::optional<DsnAction> action_of(std::string_view keyword, std::string_view status) {
  for (const auto action : {DsnAction::kFailed, DsnAction::kDelayed, DsnAction::kDelivered,
                            DsnAction::kRelayed, DsnAction::kExpanded}) {
    if (equals_ignoring_case(keyword, to_string(action))) return action;
  }
  if (status.starts_with('5')) return DsnAction::kFailed;
  if (status.starts_with('4')) return DsnAction::kDelayed;
  if (status.starts_with('2')) return DsnAction::kDelivered;
  return std::nullopt;
}

void read_recipient(const Entity& group, DsnNotice& notice) {
  DeliveryStatus recipient;
  recipient.status = status_code(without_comments(group.first("Status")));
  const auto action = action_of(without_comments(group.first("Action")), recipient.status);
  if (!action) return;
  recipient.action = *action;
  recipient.original_recipient = typed_address(group.first("Original-Recipient"));
  recipient.final_recipient = typed_address(group.first("Final-Recipient"));
  if (recipient.final_recipient.empty()) recipient.final_recipient = recipient.original_recipient;
  if (recipient.final_recipient.empty()) return;
  recipient.diagnostic = diagnostic_text(group.first("Diagnostic-Code"));
  notice.recipients.push_back(std::move(recipient));
}

// Takes the lines up to the next empty one off the text. A line of blanks is an empty one that a
// gateway has filled.
std::string_view next_group(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size()) {
    const auto end = std::min(text.find('\n', size), text.size() - 1) + 1;
    if (trim(text.substr(size, end - size)).empty()) break;
    size = end;
  }
  const auto group = text.substr(0, size);
  text.remove_prefix(size);
  return group;
}

void read_message_fields(const Entity& group, DsnNotice& notice) {
  auto sender = typed_address(group.first("X-Postfix-Sender"));
  if (sender.find('@') != sender.npos) add_new(notice.sent_to, {std::move(sender)});
}

// The groups of fields in a message/delivery-status: the first is about the message, the others are
// about one recipient each (RFC 3464, section 2.1). Where the empty line between the first two was
// forgotten, one is both.
void read_status(std::string_view text, DsnNotice& notice) {
  bool is_first = true;
  while (notice.recipients.size() < kMostRecipients) {
    const auto start = text.find_first_not_of(" \t\r\n");
    if (start == text.npos) return;
    text.remove_prefix(start);
    const auto group = read_entity(next_group(text));
    if (is_first) read_message_fields(group, notice);
    read_recipient(group, notice);
    is_first = false;
  }
}

// "X-Microsoft-Original-Message-ID" and the like, in which relays that write a Message-ID of their
// own keep the one they found.
bool is_kept_message_id(std::string_view name) {
  constexpr std::string_view kEnd = "message-id";
  return starts_with_ignoring_case(name, "x-") && name.size() > kEnd.size() &&
         equals_ignoring_case(name.substr(name.size() - kEnd.size()), kEnd);
}

void read_kept_message_ids(const Entity& entity, DsnNotice& notice) {
  for (const auto& field : entity.fields) {
    if (!is_kept_message_id(field.name)) continue;
    add_new(notice.message_ids, message_ids_in(unfolded(field.body), kMostKept));
  }
}

// The returned message or its header.
void read_returned(std::string_view text, DsnNotice& notice) {
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  const auto returned = read_entity(text);
  if (notice.sent_to.size() < kMostKept) {
    add_new(notice.sent_to, addresses_in(returned.first("Return-Path"), 1));
  }
  add_new(notice.message_ids, message_ids_in(returned.first("Message-ID"), 1));
  read_kept_message_ids(returned, notice);
}

void read_addressees(const Entity& message, DsnNotice& notice) {
  std::vector<std::string> lists;
  for (const auto* name : {"To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"}) {
    auto bodies = message.all(name);
    std::ranges::move(bodies, std::back_inserter(lists));
  }
  add_new(notice.sent_to, addresses_in(lists, kMostAddressees));
}

void read_references(const Entity& message, DsnNotice& notice) {
  for (const auto* name : {"In-Reply-To", "References"}) {
    for (const auto& body : message.all(name)) {
      add_new(notice.message_ids, message_ids_in(body, kMostKept));
    }
  }
  read_kept_message_ids(message, notice);
}

// What stands in a multipart/report, which gateways wrap into other multiparts. A notice that
// somebody forwards within a message/rfc822 is not one to us.
void read_part(const Entity& entity, int depth, bool in_report, DsnNotice& notice) {
  static constexpr std::array<std::string_view, 2> kStatus = {"message/delivery-status",
                                                              "message/global-delivery-status"};
  static constexpr std::array<std::string_view, 5> kReturned = {
      "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers",
      "message/global-headers"};
  const auto type = content_type(entity);
  if (type.media_type.starts_with("multipart/")) {
    const bool is_report = type.media_type == "multipart/report";
    const bool is_other = !type.report_type.empty() && type.report_type != "delivery-status";
    if (depth == kDeepest || (is_report && is_other)) return;
    for (const auto part : parts_of(entity.body, type.boundary, kMostParts)) {
      read_part(read_entity(part), depth + 1, in_report || is_report, notice);
    }
  } else if (in_report && contains(kStatus, type.media_type)) {
    read_status(decoded_body(entity), notice);
  } else if (in_report && contains(kReturned, type.media_type)) {
    read_returned(decoded_body(entity), notice);
  }
}

// The text of an older notice of Exim, and the returned message that stands below it.
struct EximText {
  std::vector<std::string> failures;  // one address and what is said about it, a line each
  std::string_view returned;
  bool is_from_exim = false;
};

EximText read_exim_text(std::string_view text) {
  constexpr std::string_view kCopy = "------ This is a copy of ";
  constexpr std::string_view kOpening = "This message was created automatically by mail delivery";
  EximText exim;
  bool in_failure = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    if (line.starts_with(kCopy)) {
      exim.is_from_exim = true;
      // More lines of dashes say how much of the message follows.
      while (text.starts_with("------ ") || text.starts_with('\n') || text.starts_with("\r\n")) {
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
      }
      exim.returned = text;
      return exim;
    }
    exim.is_from_exim = exim.is_from_exim || line.starts_with(kOpening);
    const auto words = trim(line);
    const bool is_indented = line.starts_with("  ") && !words.empty();
    if (in_failure && is_indented && line.starts_with("    ")) {
      auto& failure = exim.failures.back();
      if (failure.size() < kMostFailureBytes) failure.append(" ").append(words);
      continue;
    }
    in_failure = is_indented && exim.failures.size() < kMostRecipients;
    if (in_failure) exim.failures.emplace_back(words.substr(0, kMostFailureBytes));
  }
  return exim;
}

// Where the reply of an SMTP server begins in what Exim says, or npos: "…: 550 5.1.1 no".
std::size_t find_reply(std::string_view text) {
  for (std::size_t at = 0; (at = text.find(": ", at)) != text.npos; at += 2) {
    const auto reply = text.substr(at + 2, 4);
    const bool is_code = reply.size() == 4 && is_number(reply.substr(0, 3)) &&
                         (reply[0] == '4' || reply[0] == '5') &&
                         (reply[3] == ' ' || reply[3] == '-');
    if (is_code) return at + 2;
  }
  return text.npos;
}

// What Exim says about an address, by which an alias may stand: "a@x (generated from b@x) reason".
DeliveryStatus exim_failure(std::string address, const std::vector<std::string>& failures) {
  DeliveryStatus recipient;
  recipient.final_recipient = std::move(address);
  recipient.status = "5.0.0";
  const auto wanted = to_lower(recipient.final_recipient);
  const auto failure = std::ranges::find_if(failures, [&](std::string_view text) {
    return to_lower(text.substr(0, kMostNamingBytes)).find(wanted) != text.npos;
  });
  if (failure == failures.end()) return recipient;
  const auto text = unfolded(*failure);
  const auto reply = find_reply(text);
  if (reply != text.npos) {
    const auto answer = std::string_view(text).substr(reply);
    recipient.diagnostic = truncate_utf8(answer, kMostDiagnosticBytes);
    if (auto code = status_code(answer.substr(4)); !code.empty()) recipient.status = code;
  } else if (const auto space = text.find(' '); space != text.npos) {
    recipient.diagnostic = truncate_utf8(text.substr(space + 1), kMostDiagnosticBytes);
  }
  return recipient;
}

void read_exim(const Entity& message, DsnNotice& notice) {
  if (!content_type(message).media_type.starts_with("text/")) return;
  auto failed = addresses_in(message.all("X-Failed-Recipients"), kMostRecipients);
  if (failed.empty()) return;
  const auto body = decoded_body(message);
  const auto exim = read_exim_text(body);
  if (!exim.is_from_exim) return;
  for (auto& address : failed) {
    notice.recipients.push_back(exim_failure(std::move(address), exim.failures));
  }
  if (!exim.returned.empty()) read_returned(exim.returned, notice);
}

}  // namespace

std::string_view to_string(DsnAction action) {
  switch (action) {
    case DsnAction::kFailed:
      return "failed";
    case DsnAction::kDelayed:
      return "delayed";
    case DsnAction::kDelivered:
      return "delivered";
    case DsnAction::kRelayed:
      return "relayed";
    case DsnAction::kExpanded:
      return "expanded";
  }
  return "failed";
}

Result<DsnNotice> parse_dsn(std::string_view message) {
  const auto start = message.find_first_not_of("\r\n");
  if (start == message.npos) return Error{Fault::kInput, std::string(kNoNotice)};
  const auto entity = read_entity(message.substr(start, kMostDsnBytes));
  DsnNotice notice;
  read_addressees(entity, notice);
  read_part(entity, 0, false, notice);
  if (notice.recipients.empty()) read_exim(entity, notice);
  if (notice.recipients.empty()) return Error{Fault::kInput, std::string(kNoNotice)};
  read_references(entity, notice);
  return notice;
}

}  // namespace rapporteur
