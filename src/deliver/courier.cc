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

// Deliveries that wait for their destination are remembered, so that those behind them are found.
constexpr std::size_t kMostParked = 2000;
// How many more than there are threads free are looked at in one query.
constexpr std::size_t kLookAhead = 16;
constexpr int kMostQueries = 200;  // of one step

std::string message_of(const Store::Submission& submission) {
  return submission.delivery.header + "\r\n" + submission.body;
}

DestinationLimits limits_of(const CourierOptions& options) {
  return {std::max(options.per_destination, 1), std::max(options.rate, 0),
          options.retry.first_retry};
}

}  // namespace

// What one step looks at and decides.
struct Courier::Round {
  Time now;
  bool mails = false;
  bool posts = false;
  std::size_t free = 0;  // threads
  std::vector<Job> jobs;
  std::vector<Flight> flights;  // of the jobs, in their order
  std::size_t decided = 0;      // chosen, parked or charged by the last query
};

Courier::Courier(Store& store, const Clock& clock, Random& random, Log& log,
                 const CourierOptions& options)
    : store_(store),
      clock_(clock),
      random_(random),
      log_(log),
      suppressor_(store, log),
      pool_(options.concurrency, options.mail, options.https) {
  retry_ = options.retry;
  concurrency_ = std::max(options.concurrency, 1);
  destinations_.set_limits(limits_of(options));
  relay_.set_longest_wait(std::min(options.retry.first_retry, kLongestWait));
  suppressor_.set_suppress_after(options.suppress_after);
}

Courier::~Courier() {
  if (stopped_) return;
  if (const auto recorded = stop(std::chrono::milliseconds(0)); !recorded) {
    log_.error("delivery-not-recorded", {{"error", recorded.error().text}});
  }
}

void Courier::set_options(const CourierOptions& options) {
  retry_ = options.retry;
  concurrency_ = std::max(options.concurrency, 1);
  destinations_.set_limits(limits_of(options));
  relay_.set_longest_wait(std::min(options.retry.first_retry, kLongestWait));
  suppressor_.set_suppress_after(options.suppress_after);
  pool_.configure(options.concurrency, options.mail, options.https);
}

Result<std::size_t> Courier::step(bool mails, bool posts) {
  collect();
  if (auto written = write_records(); !written) {
    publish();
    return std::move(written).error();
  }
  auto started = stopped_ ? Result<std::size_t>(std::size_t{0}) : hand_over(mails, posts);
  publish();
  return started;
}

// ---- Replies

void Courier::collect() {
  const auto now = clock_.now();
  for (auto& finished : pool_.take()) {
    const auto found = flights_.find(finished.id);
    if (found == flights_.end()) continue;
    judge(found->second, std::move(finished.reply), now);
    flights_.erase(found);
  }
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

// ---- Starts

// What a query leaves out: what is under way, and of what waits for its destination all that would
// wait further. The rest of those is no longer remembered: the query finds it.
std::vector<std::string> Courier::excluded(Time now) {
  std::vector<std::string> ids;
  ids.reserve(flights_.size() + parked_count_);
  for (const auto& [id, flight] : flights_) ids.push_back(id);
  for (auto entry = parked_.begin(); entry != parked_.end();) {
    auto& waiting = entry->second;
    const auto room = std::min(destinations_.room(entry->first, now), waiting.size());
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(room));
    parked_count_ -= room;
    ids.insert(ids.end(), waiting.begin(), waiting.end());
    entry = waiting.empty() ? parked_.erase(entry) : std::next(entry);
  }
  return ids;
}

Result<std::size_t> Courier::hand_over(bool mails, bool posts) {
  std::size_t started = 0;
  for (int query = 0; query < kMostQueries; ++query) {
    Round round;
    round.now = clock_.now();
    round.mails = mails && relay_.may_start(round.now);
    round.posts = posts;
    const auto busy = std::min(flights_.size(), static_cast<std::size_t>(concurrency_));
    round.free = static_cast<std::size_t>(concurrency_) - busy;
    if (round.free == 0 || (!round.mails && !round.posts)) break;
    const auto limit = round.free + kLookAhead;
    const auto except = excluded(round.now);
    auto due = store_.due_deliveries({.now = round.now,
                                      .limit = limit,
                                      .except = except,
                                      .full = {},
                                      .mails = round.mails,
                                      .posts = posts});
    if (!due) return std::move(due).error();
    for (auto& submission : *due) {
      if (auto placed = place(submission, round); !placed) {
        take_back(round);
        return std::move(placed).error();
      }
    }
    started += round.jobs.size();
    if (auto begun = start(round); !begun) return std::move(begun).error();
    if (auto written = write_records(); !written) return std::move(written).error();
    if (round.decided == 0 || due->size() < limit) break;
  }
  return started;
}

Result<void> Courier::place(Store::Submission& submission, Round& round) {
  auto& delivery = submission.delivery;
  const bool mail = is_mail(delivery.destination);
  if (mail && !relay_.may_start(round.now)) return {};
  if (delivery.first_attempt) {
    delivery.first_attempt =
        retry_period_began(*delivery.first_attempt, delivery.next_attempt, round.now);
  }
  const auto permit = suppressor_.ask(delivery, round.now);
  if (!permit) return permit.error();
  if (!permit->go) {
    suppress(delivery, permit->why, round);
    return {};
  }
  const auto key = destination_key(delivery.destination);
  // Tried before, and its retry period begun anew: the administrator wants to see an answer.
  const bool asked_for = delivery.attempts > 0 && !delivery.first_attempt;
  const auto answer =
      destinations_.ask(key, round.now, asked_for || is_last_attempt(delivery, round.now));
  if (answer == Destinations::Answer::kDown) {
    charge(delivery, key, round);
  } else if (answer == Destinations::Answer::kWait) {
    if (parked_count_ >= kMostParked) return {};
    parked_[key].push_back(delivery.id);
    ++parked_count_;
    ++round.decided;
  } else if (round.free > 0) {
    choose(submission, key, permit->probe_of, round);
  }
  return {};
}

void Courier::suppress(const Delivery& delivery, const std::string& why, Round& round) {
  AttemptRecord record;
  record.delivery = delivery.id;
  record.state = DeliveryState::kSuppressed;
  record.first_attempt = delivery.first_attempt;
  record.last_response = truncate_utf8(why, kMaxReplyText);
  record.now = round.now;
  record.tried = false;
  log_.info("delivery-suppressed", {{"id", delivery.id},
                                    {"domain", delivery.domain},
                                    {"destination", delivery.destination},
                                    {"reason", record.last_response}});
  records_.push_back(std::move(record));
  ++round.decided;
  const std::lock_guard lock(published_mutex_);
  ++counts_.suppressed;
}

bool Courier::is_last_attempt(const Delivery& delivery, Time now) const {
  return delivery.first_attempt && now >= *delivery.first_attempt + retry_.retry_for;
}

// Its host does not answer others: its retry period runs as if it had been tried.
void Courier::charge(const Delivery& delivery, const std::string& key, Round& round) {
  constexpr std::string_view kPrefix = "not tried, the host failed others: ";
  Flight flight;
  flight.delivery = delivery;
  flight.started = round.now;
  Reply reply;
  reply.outcome = Outcome::kTemporary;
  reply.text = truncate_utf8(std::string(kPrefix) + destinations_.trouble(key), kMaxReplyText);
  auto record = record_of(flight, reply, round.now);
  record.tried = false;
  report(flight, reply, record);
  records_.push_back(std::move(record));
  ++round.decided;
}

void Courier::choose(Store::Submission& submission, const std::string& key,
                     const std::string& probe_of, Round& round) {
  auto& delivery = submission.delivery;
  Job job;
  job.id = delivery.id;
  job.mail = is_mail(delivery.destination);
  job.envelope_from = delivery.envelope_from;
  job.target = job.mail ? mail_address(delivery.destination) : delivery.destination;
  job.payload = job.mail ? message_of(submission) : std::move(submission.body);
  Flight flight;
  flight.key = key;
  flight.probe_of = probe_of;
  flight.mail = job.mail;
  flight.started = round.now;
  if (flight.mail) flight.ticket = relay_.started();
  flight.delivery = std::move(delivery);
  flight.delivery.header.clear();
  destinations_.started(key, round.now);
  round.jobs.push_back(std::move(job));
  round.flights.push_back(std::move(flight));
  --round.free;
  ++round.decided;
}

// What was chosen is not begun: the next step finds it again.
void Courier::take_back(const Round& round) {
  for (const auto& flight : round.flights) take_back(flight);
}

void Courier::take_back(const Flight& flight) {
  destinations_.taken_back(flight.key);
  if (flight.mail) relay_.taken_back(flight.ticket);
}

Result<void> Courier::start(Round& round) {
  if (round.jobs.empty()) return {};
  std::vector<std::string> ids;
  for (const auto& job : round.jobs) ids.push_back(job.id);
  const auto begun = store_.begin_attempts(ids, round.now);
  if (!begun) {
    take_back(round);
    return begun.error();
  }
  for (std::size_t i = 0; i < round.jobs.size(); ++i) {
    auto& flight = round.flights[i];
    if (!begun->at(i)) {  // abandoned meanwhile, or another node's
      take_back(flight);
      continue;
    }
    flights_.emplace(round.jobs[i].id, std::move(flight));
    pool_.submit(std::move(round.jobs[i]));
  }
  return {};
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
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Steady::now());
    if (flights_.empty() || left <= std::chrono::milliseconds(0)) break;
    pool_.wait(left);
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
