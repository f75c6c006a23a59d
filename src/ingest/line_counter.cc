#include "ingest/line_counter.h"

#include <utility>

#include "aggregate/packed_session.h"
#include "base/fast_hash.h"

namespace rapporteur {

namespace {

// Beyond so many lines of rubbish all of them are forgotten.
constexpr std::size_t kMaxRubbish = 10'000;

}  // namespace

LineCounter::LineCounter(LineCounterOptions options)
    : options_(std::move(options)),
      decoder_(options_.format),
      known_(std::make_shared<SessionTable>()),
      tally_(std::make_unique<Tally>(options_.source, known_)) {}

LineCounter::~LineCounter() = default;
LineCounter::LineCounter(LineCounter&&) noexcept = default;
LineCounter& LineCounter::operator=(LineCounter&&) noexcept = default;

LineCounter::Taken LineCounter::take(std::string_view line, Time now) {
  const auto key = fast_hash128(line);
  const auto known = known_->find(key);
  if (known == SessionTable::kNone) {
    const auto rubbish = rubbish_.find(key);
    if (rubbish == rubbish_.end()) return take_new(line, key, now);
    return leave_out(rubbish->second.verdict, rubbish->second.reason);
  }
  count_again(known, now);
  tally_->note_accepted();
  return {Verdict::kSession, {}};
}

LineCounter::Taken LineCounter::take_new(std::string_view line, const Hash128& key, Time now) {
  auto decoded = decoder_.decode(line);
  if (decoded.verdict != Verdict::kSession) {
    if (rubbish_.size() >= kMaxRubbish) rubbish_.clear();
    rubbish_[key] = {decoded.verdict, decoded.reason};
    return leave_out(decoded.verdict, decoded.reason);
  }
  auto& session = decoded.session;
  if (tally_->bytes() > options_.max_bytes) {
    tally_->note("dropped.memory-full");
    return {Verdict::kRejected, "memory-full"};
  }
  const bool again = !session.time && session.id.empty() && session.count == 1 &&
                     !session.own_report && !session.recipient_domain_guessed;
  if (again) {
    pack_session(session, packed_);
    count_again(known_->insert(key, packed_), now);
    tally_->note_accepted();
    return {Verdict::kSession, {}};
  }
  if (!session.time) session.time = options_.at;
  switch (tally_->count(session, now, options_.rules)) {
    case Counted::kAccepted:
      break;
    case Counted::kOwnReport:
      return leave_out(Verdict::kIgnored, "own-report");
    case Counted::kTooOld:
      return leave_out(Verdict::kRejected, "too-old");
  }
  tally_->note_accepted();
  if (session.recipient_domain_guessed) tally_->note("recipient_domain_guessed");
  return {Verdict::kSession, {}};
}

void LineCounter::count_again(SessionTable::Number number, Time now) {
  tally_->count_again(number, options_.at.value_or(now), !options_.at && now < kEarliestNow);
}

LineCounter::Taken LineCounter::leave_out(Verdict verdict, std::string_view reason) {
  counter_ = verdict == Verdict::kRejected ? "rejected." : "ignored.";
  counter_ += reason;
  tally_->note(counter_);
  return {verdict, reason};
}

std::unique_ptr<Tally> LineCounter::hand_over() {
  if (known_->bytes() > options_.max_remembered) known_ = std::make_shared<SessionTable>();
  return std::exchange(tally_, std::make_unique<Tally>(options_.source, known_));
}

void LineCounter::forget() {
  known_ = std::make_shared<SessionTable>();
  tally_ = std::make_unique<Tally>(options_.source, known_);
}

}  // namespace rapporteur
