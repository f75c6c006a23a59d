#include "report/part_filler.h"

#include <algorithm>

namespace rapporteur {

namespace {

// The texts since the mark are kept to be added again; this many bytes of them at most.
constexpr std::size_t kMostKept = 1 << 20;

// How far toward the limit a part grows unchecked: this share of what is left, and of the part. The
// less, the less is compressed again when texts suddenly compress worse.
constexpr double kOfTheRest = 0.93;
constexpr double kOfThePart = 0.55;
constexpr double kCarefully = 0.25;

// How much predictions lean to the worst that was seen lately.
constexpr double kFear = 0.75;

// Interpolated guesses stay this far below; after so many the best one known is good enough.
constexpr double kAim = 0.97;
constexpr int kTrials = 6;

double real(std::size_t number) {
  return static_cast<double>(number);
}

}  // namespace

void PartFiller::begin(std::string_view text, std::size_t room) {
  stream_.begin(text);
  room_ = room;
}

bool PartFiller::fits_with(std::string_view closing) {
  return stream_.most_with(closing.size()) <= room_ || stream_.size_with(closing) <= room_;
}

void PartFiller::begin_run(std::string_view closing) {
  closing_ = closing;
  marked_ = false;
  taken_ = 0;
  since_.clear();
  ends_.clear();
  added_ = 0;
}

bool PartFiller::offer(std::string_view text) {
  if (!marked_) {
    if (stream_.most_with(text.size() + closing_.size()) <= room_) {
      stream_.add(text);
      ++taken_;
      return true;
    }
    keep(stream_.size_with(closing_));
  }
  // What was added is looked at before a text that may be too much, not after it.
  const bool due = predicted(text.size()) >= goal_ || since_.size() + text.size() > kMostKept;
  if (due && !ends_.empty() && !check()) return false;
  stream_.add(text);
  added_ += text.size();
  since_ += text;
  ends_.push_back(since_.size());
  return true;
}

bool PartFiller::end_run() {
  if (ends_.empty()) return true;
  if (stream_.most_with(closing_.size()) > room_) {
    const auto size = stream_.size_with(closing_);
    if (size > room_) {
      settle(size);
      return false;
    }
  }
  taken_ += ends_.size();
  ends_.clear();
  since_.clear();
  return true;
}

double PartFiller::predicted(std::size_t more) const {
  const double ratio = kFear * worst_ + (1 - kFear) * ratio_;
  return std::max(real(size_) + ratio * real(added_ + more),
                  real(stream_.written()) + ratio * real(stream_.pending() + more));
}

bool PartFiller::check() {
  const auto size = stream_.size_with(closing_);
  if (size > room_) {
    careful_ = real(size) > 1.05 * predicted(0);
    settle(size);
    return false;
  }
  careful_ = false;
  learn(size - std::min(size, size_), added_);
  taken_ += ends_.size();
  keep(size);
  return room_ - size > full_enough();
}

// What few bytes took says little about the next ones. What compressed badly not long ago is
// expected to come again.
void PartFiller::learn(std::size_t compressed, std::size_t plain) {
  constexpr double kHalfway = 8192;
  constexpr double kForgetting = 0.97;
  if (plain == 0) return;
  const double weight = real(plain) / (real(plain) + kHalfway);
  ratio_ += weight * (std::clamp(real(compressed) / real(plain), 0.001, 1.2) - ratio_);
  worst_ = std::max(ratio_, worst_ * kForgetting);
}

void PartFiller::keep(std::size_t size) {
  stream_.mark();
  marked_ = true;
  size_ = size;
  since_.clear();
  ends_.clear();
  added_ = 0;
  set_goal();
}

void PartFiller::set_goal() {
  const double rest = size_ < room_ ? real(room_ - size_) : 0;
  goal_ =
      real(size_) + std::min(kOfTheRest * rest, (careful_ ? kCarefully : kOfThePart) * real(room_));
}

void PartFiller::settle(std::size_t size) {
  std::size_t least = 0;  // texts that fit
  std::size_t most = ends_.size();
  for (int trial = 0; least + 1 < most; ++trial) {
    if (least + taken_ > 0 && (trial >= kTrials || room_ - size_ <= full_enough())) break;
    const auto from = least == 0 ? 0 : ends_[least - 1];
    const auto upto = ends_[most - 1];
    // Guesses that miss on one side only would creep: every third halves.
    const double share =
        trial % 3 == 2 ? 0.5 : kAim * real(room_ - size_) / real(std::max(size, size_ + 1) - size_);
    const auto target = from + static_cast<std::size_t>(share * real(upto - from));
    const auto found = std::upper_bound(ends_.begin(), ends_.end(), target) - ends_.begin();
    const auto guess = std::clamp(static_cast<std::size_t>(found), least + 1, most - 1);
    stream_.back();
    stream_.add(std::string_view(since_).substr(from, ends_[guess - 1] - from));
    const auto got = stream_.size_with(closing_);
    if (got <= room_) {
      learn(got - std::min(got, size_), ends_[guess - 1] - from);
      least = guess;
      size_ = got;
      stream_.mark();
    } else {
      most = guess;
      size = got;
    }
  }
  stream_.back();
  taken_ += least;
  ends_.clear();
  since_.clear();
}

void PartFiller::begin_all(std::string_view closing, std::size_t size) {
  begin_run(closing);
  keep(size);
  goal_ = 1.04 * real(room_);
}

bool PartFiller::offer_all(std::string_view text) {
  stream_.add(text);
  added_ += text.size();
  if (stream_.written() > room_) return false;
  const auto now = predicted(0);
  if (now < goal_) return true;
  goal_ = now + 0.1 * real(room_);
  return stream_.size_with(closing_) <= room_;
}

}  // namespace rapporteur
