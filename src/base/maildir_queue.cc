#include "base/maildir_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace rapporteur {

namespace {

// Messages that are in memory together.
constexpr std::uint64_t kBatchBytes = std::uint64_t{32} << 20;

}  // namespace

MaildirQueue::MaildirQueue(const std::string& path, Maildir::Limits limits, std::size_t batch,
                           std::chrono::steady_clock::duration rest)
    : maildir_(path, limits), most_listed_(limits.messages), batch_(batch), rest_(rest) {}

MaildirQueue::Round MaildirQueue::take(std::size_t most, const Look& look) {
  Round round;
  if (listed_.empty()) {
    if (auto listed = list(); !listed) {
      problem_ = std::move(listed).error();
      return ended(round);
    }
  }
  while (most > 0 && !listed_.empty()) {
    const auto before = listed_.size();
    if (auto looked = look_at_some(most, look, round); !looked) {
      problem_ = std::move(looked).error();
      listed_.clear();
      full_ = false;
      break;
    }
    most -= std::min(most, before - listed_.size());
  }
  progress_ = progress_ || round.taken > 0;
  return listed_.empty() ? ended(round) : round;
}

Result<void> MaildirQueue::list() {
  auto waiting = maildir_.waiting();
  if (!waiting) return std::move(waiting).error();
  listed_.assign(std::make_move_iterator(waiting->begin()),
                 std::make_move_iterator(waiting->end()));
  full_ = listed_.size() == most_listed_;
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(resting_, [now](const auto& entry) { return entry.second <= now; });
  std::erase_if(listed_, [this](const std::string& path) { return resting_.contains(path); });
  return {};
}

// Takes paths off the list until there is a batch of their messages.
std::vector<MaildirQueue::Item> MaildirQueue::read_some(std::size_t most) {
  std::vector<Item> items;
  std::uint64_t bytes = 0;
  for (; most > 0 && !listed_.empty() && items.size() < batch_ && bytes < kBatchBytes; --most) {
    auto path = std::move(listed_.front());
    listed_.pop_front();
    auto message = maildir_.read(path);
    if (!message) {
      if (!problem_) problem_ = message.error();
    } else if (message->state != MaildirMessage::State::kGone) {
      bytes += message->text.size();
      items.push_back({std::move(path), *std::move(message)});
    }
  }
  return items;
}

// Fails if `look` does; what else goes wrong concerns single messages.
Result<void> MaildirQueue::look_at_some(std::size_t most, const Look& look, Round& round) {
  const auto items = read_some(most);
  if (items.empty()) return {};
  const auto verdicts = look(items);
  if (!verdicts) return verdicts.error();
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (verdicts->at(index) == Verdict::kStays) {
      ++round.stayed;
      if (rest_ > rest_.zero()) {
        resting_[items[index].path] = std::chrono::steady_clock::now() + rest_;
      }
    } else if (auto moved = maildir_.take_away(items[index].path); moved) {
      ++round.taken;
    } else if (!problem_) {
      problem_ = std::move(moved).error();
    }
  }
  return {};
}

// The round that ends a listing. Where none of a full one could be taken, another is the same.
MaildirQueue::Round MaildirQueue::ended(Round round) {
  round.problem = std::exchange(problem_, std::nullopt);
  full_ = std::exchange(progress_, false) && full_;
  return round;
}

}  // namespace rapporteur
