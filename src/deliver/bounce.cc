#include "deliver/bounce.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "base/text.h"
#include "deliver/transport.h"
#include "mime/dsn.h"

namespace rapporteur {

namespace {

constexpr std::size_t kIdLength = 12;
constexpr std::size_t kMostListed = 1000;  // paths of messages that are held at a time

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

// What the notice says of the delivery: of its address, where that is named, else of any; a failure
// before anything else.
const DeliveryStatus& status_of(const DsnNotice& notice, const Delivery& delivery) {
  const auto address = mail_address(delivery.destination);
  const auto weight = [&](const DeliveryStatus& status) {
    const bool named = equals_ignoring_case(status.original_recipient, address) ||
                       equals_ignoring_case(status.final_recipient, address);
    return (named ? 2 : 0) + (status.action == DsnAction::kFailed ? 1 : 0);
  };
  return *std::ranges::max_element(notice.recipients, {}, weight);
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

// Whether the failure of a delivery that ended then can still teach something. One that ended while
// its destination was suppressed could not; and a suppression that was decided after it knew of it.
Result<bool> may_teach(Store& store, const Delivery& delivery) {
  const auto pattern = pattern_of_destination(delivery.destination);
  const auto entries = store.suppressions({&pattern, 1});
  if (!entries) return entries.error();
  return std::ranges::none_of(*entries, [&](const Suppression& entry) {
    const auto ended = delivery.ended.value_or(Time{});
    return entry.since >= ended || in_force(entry, ended);
  });
}

// A notice about a delivery that is bounced already. When it was, the store may have failed before
// the suppressor was told.
Result<BounceOutcome> repeat(Store& store, Suppressor& suppressor, const Delivery& delivery,
                             bool blamed, Time now) {
  BounceOutcome outcome{BounceOutcome::Kind::kRepeated, delivery.id, delivery.last_response};
  if (!blamed) return outcome;
  const auto teaches = may_teach(store, delivery);
  if (!teaches) return teaches.error();
  if (*teaches) {
    const auto learned =
        suppressor.failed(delivery.id, delivery.destination, delivery.last_response, now);
    if (!learned) return learned.error();
  }
  return outcome;
}

Result<BounceOutcome> record(Store& store, Suppressor& suppressor, Log& log,
                             const Delivery& delivery, const DeliveryStatus& status, bool blamed,
                             Time now) {
  AttemptRecord record;
  record.delivery = delivery.id;
  record.state = DeliveryState::kBounced;
  record.last_response = response_of(status);
  record.now = now;
  record.blamed = blamed;
  if (auto recorded = store.record_attempt(record); !recorded) return std::move(recorded).error();
  log.warning("delivery-bounced", {{"id", delivery.id},
                                   {"domain", delivery.domain},
                                   {"destination", delivery.destination},
                                   {"response", record.last_response}});
  if (blamed) {
    const auto learned =
        suppressor.failed(delivery.id, delivery.destination, record.last_response, now);
    if (!learned) return learned.error();
  }
  return BounceOutcome{BounceOutcome::Kind::kRecorded, delivery.id, record.last_response};
}

// Nothing if an attempt of the delivery is under way: its end would be recorded over the bounce.
Result<std::optional<BounceOutcome>> take_unless_early(Store& store, Suppressor& suppressor,
                                                       Log& log, std::string_view message,
                                                       Time now) {
  const auto notice = parse_dsn(message);
  if (!notice) return std::optional(ignored(notice.error().text));
  auto found = find_delivery(store, *notice);
  if (!found) return std::move(found).error();
  if (!*found) return std::optional(ignored("it is about no mail of this store"));
  const auto& delivery = **found;
  const auto& status = status_of(*notice, delivery);
  if (status.action != DsnAction::kFailed) {
    return std::optional(ignored(
        "it tells of no failure but of a mail that is " + std::string(to_string(status.action)),
        delivery.id));
  }
  if (delivery.under_way) return std::optional<BounceOutcome>();
  // What was only put off for too long says less about the destination.
  const bool blamed = !status.status.starts_with("4.");
  const bool repeated = delivery.state == DeliveryState::kBounced;
  // An attempt that the program did not live to record has not been counted.
  if (!repeated && delivery.attempts == 0 && delivery.state != DeliveryState::kUncertain) {
    return std::optional(ignored("the delivery has not been tried", delivery.id));
  }
  auto outcome = repeated ? repeat(store, suppressor, delivery, blamed, now)
                          : record(store, suppressor, log, delivery, status, blamed, now);
  if (!outcome) return std::move(outcome).error();
  return std::optional(*std::move(outcome));
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

BounceOutcome too_large() {
  return ignored("it is larger than a notice can be");
}

Result<BounceOutcome> take_bounce(Store& store, Suppressor& suppressor, Log& log,
                                  std::string_view message, Time now) {
  auto outcome = take_unless_early(store, suppressor, log, message, now);
  if (!outcome) return std::move(outcome).error();
  if (!*outcome) return Error{Fault::kTransient, "an attempt of the delivery is under way"};
  return **std::move(outcome);
}

// ---- Maildirs

BounceMaildir::BounceMaildir(const std::string& path)
    : queue_(
          path,
          {.messages = kMostListed, .message_bytes = kLargestNotice, .read_bytes = kMostDsnBytes}) {
}

BounceMaildir::Round BounceMaildir::take(Store& store, Suppressor& suppressor, Log& log,
                                         std::size_t most, Time now) {
  using Verdict = MaildirQueue::Verdict;
  const auto look = [&](std::span<const MaildirQueue::Item> items) -> Result<std::vector<Verdict>> {
    const auto& [path, message] = items.front();
    Result<std::optional<BounceOutcome>> outcome = std::optional(too_large());
    if (message.state == MaildirMessage::State::kRead) {
      outcome = take_unless_early(store, suppressor, log, message.text, now);
    }
    if (!outcome) return std::move(outcome).error();
    if (!*outcome) return std::vector{Verdict::kStays};
    if ((*outcome)->kind == BounceOutcome::Kind::kIgnored) {
      log.info("bounce-ignored", {{"file", path}, {"reason", (*outcome)->why}});
    }
    return std::vector{Verdict::kTaken};
  };
  auto round = queue_.take(most, look);
  return {.taken = round.taken, .early = round.stayed, .problem = std::move(round.problem)};
}

}  // namespace rapporteur
