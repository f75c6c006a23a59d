#include "deliver/relay_state.h"

#include <algorithm>
#include <utility>

#include "deliver/retry.h"

namespace rapporteur {

namespace {

bool is_refusal_at_rcpt(const Reply& reply) {
  return reply.stage == Stage::kRcptTo && reply.outcome == Reply::Outcome::kPermanent &&
         reply.code != 0;
}

}  // namespace

bool RelayState::may_start(Time now) const {
  if (!in_trouble()) return true;
  const bool due = now >= probe_at_ || is_misplanned(probe_at_, now, longest_wait_);
  return !probing_ && due;
}

std::uint64_t RelayState::started() {
  if (in_trouble()) probing_ = true;
  return era_;
}

void RelayState::taken_back(std::uint64_t ticket) {
  if (ticket == era_) probing_ = false;
}

void RelayState::fail(const Reply& reply, Time now) {
  if (!in_trouble()) {
    ++era_;
    since_ = now;
  }
  ++failures_;
  text_ = reply.text;
  probe_at_ = now + doubled_wait(kFirstWait, failures_, longest_wait_);
}

bool RelayState::suspects(const std::string& id) const {
  return streak_domains_.size() >= kSuspicious &&
         std::ranges::find(streak_ids_, id) != streak_ids_.end();
}

// While equal refusals are the trouble, more of them are the same trouble.
bool RelayState::is_refusal_by_relay(const Reply& reply) const {
  return in_trouble() && streak_domains_.size() >= kSameRefusals && is_refusal_at_rcpt(reply) &&
         reply.code == streak_code_;
}

bool RelayState::completes_streak(const std::string& id, const std::string& domain,
                                  const Reply& reply) {
  if (!is_refusal_at_rcpt(reply)) {
    streak_domains_.clear();
    streak_ids_.clear();
    return false;
  }
  if (reply.code != streak_code_) {
    streak_code_ = reply.code;
    streak_domains_.clear();
    streak_ids_.clear();
  }
  streak_domains_.insert(domain);
  if (streak_domains_.size() >= kSameRefusals) return true;
  streak_ids_.push_back(id);
  return false;
}

RelayState::Verdict RelayState::ended(std::uint64_t ticket, const std::string& id,
                                      const std::string& domain, const Reply& reply, Time now) {
  Verdict verdict;
  const bool is_news = ticket == era_;
  const auto suspicious = [this] {
    return streak_domains_.size() >= kSuspicious ? streak_ids_ : std::vector<std::string>();
  };
  const bool was_probe = is_news && in_trouble();
  if (was_probe) probing_ = false;
  const bool silent = reply.code == 0;
  const bool never_asked = silent && reply.outcome == Reply::Outcome::kPermanent;
  if (reply.outcome == Reply::Outcome::kInterrupted || never_asked) return verdict;
  if (reply.outcome == Reply::Outcome::kRelayTrouble || is_refusal_by_relay(reply)) {
    verdict.trouble = true;
    if (is_news) {
      fail(reply, now);
      verdict.worsened = true;
    }
    return verdict;
  }
  if (was_probe && silent && reply.outcome == Reply::Outcome::kTemporary) {
    // Lost on the way to an answer. The delivery is judged as ever, so that one at which the relay
    // breaks down does not stay the probe for good.
    fail(reply, now);
    verdict.worsened = true;
    return verdict;
  }
  if (was_probe) {
    verdict.doubtful = suspicious();
    verdict.recovered = true;
    ++era_;
    failures_ = 0;
    text_.clear();
    streak_domains_.clear();
    streak_ids_.clear();
  }
  const bool goes_on = is_refusal_at_rcpt(reply) && reply.code == streak_code_;
  if (!in_trouble() && !goes_on) verdict.doubtful = suspicious();
  if (!in_trouble() && completes_streak(id, domain, reply)) {
    fail(reply, now);
    verdict.trouble = true;
    verdict.worsened = true;
    verdict.misjudged = std::exchange(streak_ids_, {});
  }
  return verdict;
}

}  // namespace rapporteur
