// How the courier chooses what to start: what is due and has room at its destination, a few for
// each thread.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "deliver/courier.h"
#include "model/delivery.h"

namespace rapporteur {

namespace {

using Outcome = Reply::Outcome;

constexpr std::size_t kMostBytesAhead = 64U << 20;
// How many more than can start are looked at in one query.
constexpr std::size_t kLookAhead = 16;
constexpr int kMostQueries = 200;  // of one step

std::string message_of(const Store::Submission& submission) {
  return submission.delivery.header + "\r\n" + submission.body;
}

}  // namespace

// What one step looks at and decides.
struct Courier::Round {
  Time now;
  bool mails = false;
  bool posts = false;
  std::size_t free = 0;   // how many may start
  std::size_t limit = 0;  // of the query
  bool by_few = true;     // the query asked for few of each destination
  std::size_t bytes = 0;  // of what it returned
  std::vector<Job> jobs;
  std::vector<Flight> flights;  // of the jobs, in their order
  std::size_t put_off = 0;      // charged or suppressed

  std::size_t decided() const { return flights.size() + put_off; }
};

// How many more may be started.
std::size_t Courier::room() const {
  const auto threads = static_cast<std::size_t>(concurrency_);
  const auto most = bytes_under_way_ < kMostBytesAhead ? threads * ahead_ : threads;
  return most - std::min(flights_.size(), most);
}

Result<std::size_t> Courier::hand_over(bool mails, bool posts) {
  std::size_t started = 0;
  bool by_few = true;
  std::optional<std::vector<std::string>> full_before;
  for (int query = 0; query < kMostQueries; ++query) {
    Round round;
    round.now = clock_.now();
    round.mails = mails && relay_.may_start(round.now);
    round.posts = posts;
    round.free = room();
    round.by_few = by_few;
    if (round.free == 0 || (!round.mails && !round.posts)) break;
    auto due = look_for(round);
    if (!due) return std::move(due).error();
    if (auto placed = place_all(*due, round); !placed) {
      take_back(round);
      return std::move(placed).error();
    }
    const auto decided = round.decided();
    const auto begun = start(round);
    if (!begun) return begun.error();
    started += *begun;
    if (auto written = write_records(); !written) return std::move(written).error();
    // Behind those that are put off, others of the same destination may be put off at once.
    const bool more_of_few = by_few && round.put_off > 0;
    by_few = round.put_off == 0;
    if (due->size() < round.limit && round.bytes < kMostDueBytes && !more_of_few) break;
    auto full = destinations_.full(round.now);
    if (decided == 0 && full == full_before) break;
    full_before = std::move(full);
  }
  return started;
}

Result<std::vector<Store::Submission>> Courier::look_for(Round& round) {
  const auto except = ids_under_way();
  const auto full = destinations_.full(round.now);
  round.limit = round.free + kLookAhead;
  auto due = store_.due_deliveries(
      {.now = round.now,
       .limit = round.limit,
       .except = except,
       .full = full,
       .per_destination = round.by_few ? static_cast<std::size_t>(per_destination_) : 0,
       .mails = round.mails,
       .posts = round.posts});
  if (!due) return due;
  for (const auto& submission : *due) {
    round.bytes += submission.delivery.header.size() + submission.body.size();
  }
  return due;
}

Result<void> Courier::place_all(std::vector<Store::Submission>& due, Round& round) {
  const auto listed = suppressor_.listed(due);
  if (!listed) return listed.error();
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (auto placed = place(due[i], listed->at(i), round); !placed) return placed;
  }
  return {};
}

Result<void> Courier::place(Store::Submission& submission, bool listed, Round& round) {
  auto& delivery = submission.delivery;
  const bool mail = is_mail(delivery.destination);
  if (mail && !relay_.may_start(round.now)) return {};
  if (delivery.first_attempt) {
    delivery.first_attempt =
        retry_period_began(*delivery.first_attempt, delivery.next_attempt, round.now);
  }
  const auto permit = listed ? suppressor_.ask(delivery, round.now) : Result<Permit>(Permit());
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
  } else if (answer == Destinations::Answer::kGo && round.free > 0) {
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
  ++round.put_off;
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
  ++round.put_off;
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
  flight.bytes = job.payload.size();
  if (flight.mail) flight.ticket = relay_.started();
  flight.delivery = std::move(delivery);
  flight.delivery.header.clear();
  destinations_.started(key, round.now);
  round.jobs.push_back(std::move(job));
  round.flights.push_back(std::move(flight));
  --round.free;
}

// What was chosen is not begun: the next step finds it again.
void Courier::take_back(const Round& round) {
  for (const auto& flight : round.flights) take_back(flight);
}

void Courier::take_back(const Flight& flight) {
  destinations_.taken_back(flight.key);
  if (flight.mail) relay_.taken_back(flight.ticket);
}

// How many.
Result<std::size_t> Courier::start(Round& round) {
  if (round.jobs.empty()) return std::size_t{0};
  std::vector<std::string> ids;
  ids.reserve(round.jobs.size());
  for (const auto& job : round.jobs) ids.push_back(job.id);
  const auto begun = store_.begin_attempts(ids, round.now);
  if (!begun) {
    take_back(round);
    return begun.error();
  }
  if (flights_.empty()) leases_renewed_ = round.now;
  std::size_t started = 0;
  for (std::size_t i = 0; i < round.jobs.size(); ++i) {
    auto& flight = round.flights[i];
    if (!begun->at(i)) {  // abandoned meanwhile, or another node's
      take_back(flight);
      continue;
    }
    bytes_under_way_ += flight.bytes;
    flights_.emplace(round.jobs[i].id, std::move(flight));
    pool_.submit(std::move(round.jobs[i]));
    ++started;
  }
  return started;
}

}  // namespace rapporteur
