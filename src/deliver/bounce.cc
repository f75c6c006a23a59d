#include "deliver/bounce.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "deliver/transport.h"
#include "mime/dsn.h"

namespace rapporteur {

namespace {

constexpr std::size_t kIdLength = 12;

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_id(std::string_view text) {
  return text.size() == kIdLength && std::ranges::all_of(text, is_id_character);
}

// "k3x9a0bq1c2d" of "k3x9a0bq1c2d.<token>@example.org"; empty if it is no Message-ID of this store.
std::string id_of_message(std::string_view message_id, std::string_view token) {
  const auto text = to_lower(message_id);
  const auto dot = text.find('.');
  const auto at = text.find('@');
  if (dot == text.npos || at == text.npos || at < dot) return {};
  const bool ours = is_id(text.substr(0, dot)) && text.substr(dot + 1, at - dot - 1) == token;
  return ours ? text.substr(0, dot) : std::string();
}

// Every run of letters and digits in the local part that may be a delivery's id.
std::vector<std::string> ids_in_address(std::string_view address) {
  std::vector<std::string> ids;
  const auto local = to_lower(address.substr(0, address.rfind('@')));
  for (std::size_t begin = 0; begin < local.size();) {
    auto end = begin;
    while (end < local.size() && is_id_character(local[end])) ++end;
    if (end - begin == kIdLength) ids.push_back(local.substr(begin, kIdLength));
    begin = end + 1;
  }
  return ids;
}

Result<std::optional<Delivery>> delivery_of(Store& store, const std::string& id) {
  auto found = store.deliveries({.id = id});
  if (!found) return std::move(found).error();
  if (found->empty()) return std::optional<Delivery>();
  return std::optional(std::move(found->front()));
}

// The delivery that the notice is about.
Result<std::optional<Delivery>> find_delivery(Store& store, const DsnNotice& notice) {
  for (const auto& message_id : notice.message_ids) {
    const auto id = id_of_message(message_id, store.token());
    if (id.empty()) continue;
    auto found = delivery_of(store, id);
    if (!found || *found) return found;
  }
  for (const auto& address : notice.sent_to) {
    for (const auto& id : ids_in_address(address)) {
      auto found = delivery_of(store, id);
      if (!found) return found;
      if (*found && equals_ignoring_case((*found)->envelope_from, address)) return found;
    }
  }
  return std::optional<Delivery>();
}

// What the notice says of the delivery's failure; null if it tells of none.
const DeliveryStatus* failure_of(const DsnNotice& notice, const Delivery& delivery) {
  const auto address = mail_address(delivery.destination);
  const DeliveryStatus* first = nullptr;
  for (const auto& status : notice.recipients) {
    if (status.action != DsnAction::kFailed) continue;
    if (equals_ignoring_case(status.original_recipient, address) ||
        equals_ignoring_case(status.final_recipient, address)) {
      return &status;
    }
    if (first == nullptr) first = &status;
  }
  return first;
}

std::string response_of(const DeliveryStatus& status) {
  constexpr std::string_view kStage = " (bounce)";
  auto text = status.diagnostic;
  if (text.empty() || text.find(status.status) == text.npos) {
    text = status.status + (text.empty() || status.status.empty() ? "" : " ") + text;
  }
  if (text.empty()) text = "no reason was given";
  return truncate_utf8(text, kMaxReplyText - kStage.size()) + std::string(kStage);
}

BounceOutcome ignored(std::string why, std::string delivery = {}) {
  return {BounceOutcome::Kind::kIgnored, std::move(delivery), std::move(why)};
}

}  // namespace

std::string_view to_string(BounceOutcome::Kind kind) {
  switch (kind) {
    case BounceOutcome::Kind::kRecorded:
      return "recorded";
    case BounceOutcome::Kind::kRepeated:
      return "repeated";
    case BounceOutcome::Kind::kIgnored:
      return "ignored";
  }
  return "ignored";
}

Result<BounceOutcome> take_bounce(Store& store, Suppressor& suppressor, Log& log,
                                  std::string_view message, Time now) {
  const auto notice = parse_dsn(message);
  if (!notice) return ignored(notice.error().text);
  auto found = find_delivery(store, *notice);
  if (!found) return std::move(found).error();
  if (!*found) return ignored("it is about no mail of this store");
  const auto& delivery = **found;
  const auto* status = failure_of(*notice, delivery);
  if (status == nullptr) {
    return ignored("it tells of no failure but of a mail that is " +
                       std::string(to_string(notice->recipients.front().action)),
                   delivery.id);
  }
  if (delivery.state == DeliveryState::kBounced) {
    return BounceOutcome{BounceOutcome::Kind::kRepeated, delivery.id, delivery.last_response};
  }
  if (delivery.attempts == 0) return ignored("the delivery has not been tried", delivery.id);

  AttemptRecord record;
  record.delivery = delivery.id;
  record.state = DeliveryState::kBounced;
  record.last_response = response_of(*status);
  record.now = now;
  // What was only put off for too long says less about the destination.
  record.blamed = !status->status.starts_with("4.");
  if (auto recorded = store.record_attempt(record); !recorded) return std::move(recorded).error();
  log.warning("delivery-bounced", {{"id", delivery.id},
                                   {"domain", delivery.domain},
                                   {"destination", delivery.destination},
                                   {"response", record.last_response}});
  if (record.blamed) {
    const auto learned =
        suppressor.failed(delivery.id, delivery.destination, record.last_response, now);
    if (!learned) return learned.error();
  }
  return BounceOutcome{BounceOutcome::Kind::kRecorded, delivery.id, record.last_response};
}

Result<std::size_t> take_bounces(Store& store, Suppressor& suppressor, Log& log,
                                 const Maildir& maildir, Time now) {
  const auto waiting = maildir.waiting();
  if (!waiting) return waiting.error();
  std::size_t taken = 0;
  for (const auto& path : *waiting) {
    const auto message = maildir.read(path);
    if (!message) return message.error();
    if (message->state == MaildirMessage::State::kGone) continue;
    auto outcome = ignored("it is larger than a notice can be");
    if (message->state == MaildirMessage::State::kRead) {
      auto done = take_bounce(store, suppressor, log, message->text, now);
      if (!done) return std::move(done).error();
      outcome = *std::move(done);
    }
    if (outcome.kind == BounceOutcome::Kind::kIgnored) {
      log.info("bounce-ignored", {{"file", path}, {"reason", outcome.why}});
    }
    if (auto moved = maildir.take_away(path); !moved) return std::move(moved).error();
    ++taken;
  }
  return taken;
}

}  // namespace rapporteur
