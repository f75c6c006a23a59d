#include "base/maildir_queue.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

namespace rapporteur {

namespace {

using SteadyClock = std::chrono::steady_clock;

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
  if (!full_) {
    // What is gone need not be remembered.
    const std::set<std::string_view> present(listed_.begin(), listed_.end());
    std::erase_if(resting_, [&](const auto& entry) { return !present.contains(entry.first); });
  }
  const auto now = SteadyClock::now();
  std::erase_if(listed_, [&](const std::string& path) {
    const auto found = resting_.find(path);
    return found != resting_.end() && found->second.until > now;
  });
  return {};
}

void MaildirQueue::let_rest(const std::string& path) {
  if (rest_ <= rest_.zero()) return;
  auto& rest = resting_[path];
  rest.length = std::clamp<SteadyClock::duration>(rest.length * 2, rest_, kLongestRest);
  rest.until = SteadyClock::now() + rest.length;
}

std::size_t MaildirQueue::resting() const {
  const auto now = SteadyClock::now();
  return static_cast<std::size_t>(std::ranges::count_if(
      resting_, [now](const auto& entry) { return entry.second.until > now; }));
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
      let_rest(items[index].path);
    } else if (auto moved = maildir_.take_away(items[index].path); moved) {
      ++round.taken;
      resting_.erase(items[index].path);
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
