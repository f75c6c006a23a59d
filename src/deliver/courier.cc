#include "deliver/courier.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "base/domain.h"
#include "base/text.h"
#include "model/delivery.h"

namespace rapporteur {

namespace {

using Outcome = Reply::Outcome;

DestinationLimits limits_of(const CourierOptions& options) {
  return {std::max(options.per_destination, 1), std::max(options.rate, 0),
          options.retry.first_retry};
}

}  // namespace

Courier::Courier(Store& store, const Clock& clock, Random& random, Log& log,
                 const CourierOptions& options)
    : store_(store),
      clock_(clock),
      random_(random),
      log_(log),
      suppressor_(store, log),
      pool_(options.concurrency, options.mail, options.https) {
  apply(options);
}

Courier::~Courier() {
  if (stopped_) return;
  if (const auto recorded = stop(std::chrono::milliseconds(0)); !recorded) {
    log_.error("delivery-not-recorded", {{"error", recorded.error().text}});
  }
}

void Courier::apply(const CourierOptions& options) {
  retry_ = options.retry;
  concurrency_ = std::max(options.concurrency, 1);
  settle_ = options.settle;
  per_destination_ = std::max(options.per_destination, 1);
  // With a limit of rate, what is started begins at once: starts are counted when they happen.
  ahead_ = options.rate <= 0 ? std::max<std::size_t>(options.ahead, 1) : 1;
  gather_ = ahead_ > 1 ? options.gather : std::chrono::milliseconds(0);
  lease_ = std::max(options.lease, Seconds(1));
  destinations_.set_limits(limits_of(options));
  relay_.set_longest_wait(std::min(options.retry.first_retry, kLongestWait));
  suppressor_.set_suppress_after(options.suppress_after);
}

void Courier::set_options(const CourierOptions& options) {
  apply(options);
  pool_.configure(options.concurrency, options.mail, options.https);
}

Result<std::size_t> Courier::step(bool mails, bool posts) {
  collect();
  if (auto written = write_records(); !written) {
    publish();
    return std::move(written).error();
  }
  if (auto renewed = renew_leases(); !renewed) {
    publish();
    return std::move(renewed).error();
  }
  auto started = stopped_ ? Result<std::size_t>(std::size_t{0}) : hand_over(mails, posts);
  publish();
  return started;
}

// ---- Replies

void Courier::collect() {
  const auto now = clock_.now();
  for (auto& finished : pool_.take()) end_flight(std::move(finished), now);
  if (std::exchange(relay_worsened_, false)) {
    for (auto& finished : pool_.recall_mails()) end_flight(std::move(finished), now);
  }
  pool_.go_on_with_mails();
}

void Courier::end_flight(Finished finished, Time now) {
  const auto found = flights_.find(finished.id);
  if (found == flights_.end()) return;
  bytes_under_way_ -= found->second.bytes;
  if (finished.begun) {
    judge(found->second, std::move(finished.reply), now);
  } else {
    put_back(found->second, finished.reply, now);
  }
  flights_.erase(found);
}

// It was handed over and never begun: nothing has happened.
void Courier::put_back(const Flight& flight, const Reply& reply, Time now) {
  take_back(flight);
  auto record = record_of(flight, reply, now);
  record.tried = false;
  report(flight, reply, record);
  records_.push_back(std::move(record));
}

void Courier::judge(Flight& flight, Reply reply, Time now) {
  destinations_.ended(flight.key, reply, now);
  if (flight.mail) weigh_relay(flight, reply, now);
  if (!flight.mail && reply.code != 0) https_answered_ = now;
  auto record = record_of(flight, reply, now);
  report(flight, reply, record);
  count(reply, record);
  const bool accepted = record.state == DeliveryState::kDelivered;
  if (record.blamed || (accepted && !flight.probe_of.empty())) {
    lessons_.push_back({record.delivery, flight.delivery.destination, reply.text,
                        accepted ? flight.probe_of : std::string()});
  }
  records_.push_back(std::move(record));
}

void Courier::weigh_relay(Flight& flight, Reply& reply, Time now) {
  const auto domain = to_lower(domain_of_address(flight.delivery.destination));
  const auto verdict = relay_.ended(flight.ticket, flight.delivery.id, domain, reply, now);
  if (verdict.trouble) reply.outcome = Outcome::kRelayTrouble;
  std::copy(verdict.misjudged.begin(), verdict.misjudged.end(), std::back_inserter(misjudged_));
  std::ranges::copy(verdict.doubtful, std::back_inserter(doubtful_));
  if (verdict.worsened) {
    relay_worsened_ = true;
    log_.warning("delivery-relay-trouble", {{"response", reply.text},
                                            {"since", format_rfc3339(relay_.since())},
                                            {"next-probe", format_rfc3339(relay_.next_probe())}});
  }
  if (verdict.recovered) log_.info("delivery-relay-recovered", {{"response", reply.text}});
}

AttemptRecord Courier::record_of(const Flight& flight, const Reply& reply, Time now) {
  AttemptRecord record;
  record.delivery = flight.delivery.id;
  record.first_attempt = flight.delivery.first_attempt;
  record.last_response = reply.text;
  record.now = now;
  switch (reply.outcome) {
    case Outcome::kRelayTrouble:
      record.state = flight.delivery.state;
      // Behind those that have waited longer: another one is the next probe.
      record.next_attempt = relay_.in_trouble() ? relay_.next_probe() : now;
      return record;
    case Outcome::kInterrupted:
      record.state = flight.delivery.state;
      record.next_attempt = now;
      return record;
    case Outcome::kAccepted:
      record.state = DeliveryState::kDelivered;
      break;
    case Outcome::kPermanent:
    case Outcome::kRefusedByGuard:
      record.state = DeliveryState::kFailed;
      record.blamed = reply.outcome == Outcome::kPermanent;
      break;
    case Outcome::kTemporary:
    case Outcome::kUncertain:
      plan_retry(record, flight, reply, now);
      break;
  }
  if (!record.first_attempt) record.first_attempt = flight.started;
  return record;
}

void Courier::plan_retry(AttemptRecord& record, const Flight& flight, const Reply& reply,
                         Time now) {
  const auto first = flight.delivery.first_attempt.value_or(flight.started);
  record.next_attempt = next_attempt(retry_, first, now, reply.retry_after, random_);
  if (!record.next_attempt) {
    record.state = DeliveryState::kFailed;
    // Where no host answered all the time, it may be our own network.
    record.blamed = is_mail(flight.delivery.destination) || reply.code != 0 ||
                    (https_answered_ && *https_answered_ >= first);
  } else if (reply.outcome == Outcome::kUncertain) {
    record.state = DeliveryState::kUncertain;
  } else {
    record.state = DeliveryState::kPending;
  }
}

void Courier::report(const Flight& flight, const Reply& reply, const AttemptRecord& record) {
  const auto& delivery = flight.delivery;
  const auto next = record.next_attempt ? format_rfc3339(*record.next_attempt) : std::string();
  if (reply.outcome == Outcome::kRelayTrouble || reply.outcome == Outcome::kInterrupted) {
    log_.debug(
        "delivery-waits",
        {{"id", delivery.id}, {"destination", delivery.destination}, {"response", reply.text}});
  } else if (record.state == DeliveryState::kDelivered) {
    log_.info("delivery-accepted", {{"id", delivery.id},
                                    {"domain", delivery.domain},
                                    {"destination", delivery.destination},
                                    {"response", reply.text}});
  } else if (record.state == DeliveryState::kFailed) {
    log_.warning("delivery-failed", {{"id", delivery.id},
                                     {"domain", delivery.domain},
                                     {"destination", delivery.destination},
                                     {"response", reply.text},
                                     {"attempts", std::to_string(delivery.attempts + 1)}});
  } else {
    const auto event =
        record.state == DeliveryState::kUncertain ? "delivery-uncertain" : "delivery-retry";
    log_.info(event, {{"id", delivery.id},
                      {"domain", delivery.domain},
                      {"destination", delivery.destination},
                      {"response", reply.text},
                      {"next", next}});
  }
}

void Courier::count(const Reply& reply, const AttemptRecord& record) {
  const std::lock_guard lock(published_mutex_);
  switch (reply.outcome) {
    case Outcome::kAccepted:
      ++counts_.accepted;
      break;
    case Outcome::kRelayTrouble:
      ++counts_.relay_trouble;
      break;
    case Outcome::kTemporary:
      ++counts_.temporary;
      break;
    case Outcome::kUncertain:
      ++counts_.uncertain;
      break;
    case Outcome::kRefusedByGuard:
      ++counts_.refused;
      break;
    case Outcome::kPermanent:
    case Outcome::kInterrupted:
      break;
  }
  if (record.state == DeliveryState::kFailed) ++counts_.failed;
}

Result<void> Courier::write_records() {
  if (!records_.empty()) {
    const bool accepted = std::ranges::any_of(records_, [](const AttemptRecord& record) {
      return record.state == DeliveryState::kDelivered;
    });
    if (accepted && settle_) {
      if (auto settled = settle_(); !settled) return settled;
    }
    if (auto written = store_.record_attempts(records_); !written) return written;
    records_.clear();
  }
  while (!misjudged_.empty()) {
    const auto& id = misjudged_.front();
    const auto found = store_.deliveries({.id = id});
    if (!found) return found.error();
    // What was abandoned meanwhile stays so.
    if (!found->empty() && found->front().state == DeliveryState::kFailed) {
      const auto revived = store_.retry_delivery(id, clock_.now());
      if (!revived) return revived.error();
    }
    std::erase_if(lessons_, [&](const Lesson& lesson) { return lesson.delivery == id; });
    misjudged_.pop_front();
  }
  if (!doubtful_.empty()) {
    if (auto forgiven = store_.forgive(doubtful_); !forgiven) return forgiven;
    std::erase_if(lessons_, [&](const Lesson& lesson) {
      return lesson.probe_of.empty() &&
             std::ranges::find(doubtful_, lesson.delivery) != doubtful_.end();
    });
    doubtful_.clear();
  }
  return learn();
}

// Refusals that may still turn out to be the relay's teach nothing yet.
Result<void> Courier::learn() {
  for (auto left = lessons_.size(); left > 0; --left) {
    const auto& lesson = lessons_.front();
    if (lesson.probe_of.empty() && relay_.suspects(lesson.delivery)) {
      lessons_.push_back(lesson);
      lessons_.pop_front();
      continue;
    }
    const auto now = clock_.now();
    auto learned = lesson.probe_of.empty() ? suppressor_.failed(lesson.delivery, lesson.destination,
                                                                lesson.response, now)
                                           : suppressor_.probe_accepted(lesson.probe_of, now);
    if (!learned) return learned;
    lessons_.pop_front();
  }
  return {};
}

// ---- Leases

std::vector<std::string> Courier::ids_under_way() const {
  std::vector<std::string> ids;
  ids.reserve(flights_.size());
  for (const auto& flight : flights_) ids.push_back(flight.first);
  return ids;
}

// A step comes often enough for a third to be in time. A clock that was set back renews at once.
Result<void> Courier::renew_leases() {
  const auto now = clock_.now();
  const bool fresh = now >= leases_renewed_ && now - leases_renewed_ < lease_ / 3;
  if (flights_.empty() || fresh) return {};
  const auto ids = ids_under_way();
  auto renewed = store_.renew_leases({}, ids);
  if (renewed) leases_renewed_ = now;
  return renewed;
}

// ---- The end, and what others may know

Result<void> Courier::stop(std::chrono::milliseconds grace) {
  using Steady = std::chrono::steady_clock;
  stopped_ = true;
  pool_.interrupt();
  const auto deadline = Steady::now() + grace;
  for (;;) {
    collect();
    // A failure is told at the end: the replies that are still to come are worth more.
    static_cast<void>(write_records());
    static_cast<void>(renew_leases());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    if (flights_.empty() || left <= std::chrono::milliseconds(0)) break;
    pool_.wait(std::min(left, std::chrono::milliseconds(lease_) / 3));
  }
  pool_.finish();
  collect();
  auto written = write_records();
  publish();
  return written;
}

void Courier::publish() {
  std::string problem;
  if (relay_.in_trouble()) {
    problem = relay_.text() + ", since " + format_rfc3339(relay_.since()) + ", next probe " +
              format_rfc3339(relay_.next_probe());
  }
  const std::lock_guard lock(published_mutex_);
  relay_problem_ = std::move(problem);
  counts_.under_way = under_way();
  counts_.hosts_down = destinations_.hosts_down();
}

std::string Courier::relay_problem() const {
  const std::lock_guard lock(published_mutex_);
  return relay_problem_;
}

CourierCounts Courier::counts() const {
  const std::lock_guard lock(published_mutex_);
  return counts_;
}

}  // namespace rapporteur
