#include "dns/caching_resolver.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

using Status = DnsAnswer::Status;

constexpr Seconds kLongestFound{86'400};
constexpr Seconds kLongestNone{3'600};
constexpr Seconds kFailure{5};
constexpr std::size_t kLargest = 8'192;  // bytes of records

// What questions that ask for the same have in common.
DnsQuestion key_of(const DnsQuestion& question) {
  if (question.type == DnsType::kPtr) {
    const auto address = parse_ip(question.name);
    return address ? DnsQuestion{format_ip(*address), question.type} : question;
  }
  DnsQuestion key{to_lower(question.name), question.type};
  if (key.name.size() > 1 && key.name.ends_with('.')) key.name.pop_back();
  return key;
}

// When an answer that was asked for at `asked` and has come by `now` holds no longer.
Time expiry_of(const DnsAnswer& answer, Time asked, Time now) {
  switch (answer.status) {
    case Status::kFound:
      return asked + std::min(answer.ttl, kLongestFound);
    case Status::kNone:
      return asked + std::min(answer.ttl, kLongestNone);
    case Status::kTemporary:
      break;
  }
  return now + kFailure;
}

bool is_too_large(const DnsAnswer& answer) {
  std::size_t size = 0;
  for (const auto& record : answer.records) size += record.size();
  return size > kLargest;
}

}  // namespace

CachingResolver::CachingResolver(std::unique_ptr<Resolver> inner, const Clock& clock,
                                 std::size_t capacity)
    : inner_(std::move(inner)), clock_(clock), capacity_(capacity) {}

std::vector<DnsAnswer> CachingResolver::ask(std::span<const DnsQuestion> questions) {
  if (interrupted_) return inner_->ask(questions);
  std::vector<DnsAnswer> answers(questions.size());
  std::vector<DnsQuestion> unknown;
  std::map<DnsQuestion, std::size_t> places;              // in `unknown`, of the keys there
  std::vector<std::pair<std::size_t, std::size_t>> open;  // an answer, and its place in `unknown`
  Time asked;
  {
    const std::lock_guard lock(mutex_);
    asked = present();
    for (std::size_t i = 0; i < questions.size(); ++i) {
      auto key = key_of(questions[i]);
      if (auto known = recall(key, asked)) {
        answers[i] = *std::move(known);
        continue;
      }
      const auto [place, is_new] = places.try_emplace(std::move(key), unknown.size());
      if (is_new) unknown.push_back(questions[i]);
      open.emplace_back(i, place->second);
    }
  }
  if (unknown.empty()) return answers;

  const auto found = inner_->ask(unknown);
  for (const auto& [i, place] : open) answers[i] = found.at(place);
  const std::lock_guard lock(mutex_);
  const auto now = present();
  for (const auto& [key, place] : places) {
    remember(key, found.at(place), std::min(asked, now), now);
  }
  return answers;
}

class CachingResolver::Stream final : public DnsStream {
 public:
  explicit Stream(CachingResolver& cache) : cache_(cache), inner_(cache.inner_->stream()) {}

  void ask(const DnsQuestion& question, std::size_t ticket) override {
    Open open{key_of(question), {}, ticket};
    if (!cache_.interrupted_) {
      const std::lock_guard lock(cache_.mutex_);
      open.asked = cache_.present();
      if (auto known = cache_.recall(open.key, open.asked)) {
        known_.push_back({ticket, *std::move(known)});
        return;
      }
    }
    inner_->ask(question, next_);
    open_.emplace(next_++, std::move(open));
  }

  std::vector<StreamedAnswer> take(std::chrono::milliseconds most) override {
    if (!known_.empty()) most = std::chrono::milliseconds(0);
    auto found = inner_->take(most);
    const std::lock_guard lock(cache_.mutex_);
    const auto now = cache_.present();
    for (auto& [number, answer] : found) {
      const auto open = open_.find(number);
      if (open == open_.end()) continue;
      cache_.remember(open->second.key, answer, std::min(open->second.asked, now), now);
      known_.push_back({open->second.ticket, std::move(answer)});
      open_.erase(open);
    }
    return std::exchange(known_, {});
  }

 private:
  struct Open {
    DnsQuestion key;
    Time asked;
    std::size_t ticket = 0;
  };

  CachingResolver& cache_;
  const std::unique_ptr<DnsStream> inner_;
  std::vector<StreamedAnswer> known_;
  std::unordered_map<std::size_t, Open> open_;
  std::size_t next_ = 0;
};

std::unique_ptr<DnsStream> CachingResolver::stream() {
  return std::make_unique<Stream>(*this);
}

void CachingResolver::interrupt() {
  interrupted_ = true;
  inner_->interrupt();
}

Time CachingResolver::present() {
  const auto now = clock_.now();
  if (now < latest_) {
    entries_.clear();
    expiries_.clear();
  }
  latest_ = now;
  return now;
}

std::optional<DnsAnswer> CachingResolver::recall(const DnsQuestion& key, Time now) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return std::nullopt;
  const auto expiry = entry->second.expiry->first;
  if (expiry <= now) {
    forget(entry);
    return std::nullopt;
  }
  auto answer = entry->second.answer;
  if (answer.status != Status::kTemporary) answer.ttl = expiry - now;
  return answer;
}

void CachingResolver::remember(const DnsQuestion& key, const DnsAnswer& answer, Time asked,
                               Time now) {
  const auto expiry = expiry_of(answer, asked, now);
  if (expiry <= now || is_too_large(answer)) return;
  if (const auto known = entries_.find(key); known != entries_.end()) {
    // Another thread was told more.
    if (answer.status == Status::kTemporary && known->second.expiry->first > now &&
        known->second.answer.status != Status::kTemporary) {
      return;
    }
    forget(known);
  }
  const auto entry = entries_.try_emplace(key, Entry{answer, {}}).first;
  entry->second.expiry = expiries_.emplace(expiry, &entry->first);
  while (entries_.size() > capacity_) forget(entries_.find(*expiries_.begin()->second));
}

void CachingResolver::forget(Entries::iterator entry) {
  expiries_.erase(entry->second.expiry);
  entries_.erase(entry);
}

}  // namespace rapporteur
