#pragma once
// A resolver whose answers take time by a clock that stands still otherwise: waiting moves it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dns/resolver.h"
#include "support/fake_clock.h"

namespace rapporteur::testing_support {

// One thread. Streams only: what is asked otherwise has no answer.
class TimedResolver final : public Resolver {
 public:
  // A name takes so long, and is answered so.
  std::function<std::pair<std::chrono::milliseconds, DnsAnswer>(const std::string& name)> answers;
  std::size_t concurrency = 200;
  std::size_t most_open = 0;            // of a stream, waiting ones included
  std::chrono::milliseconds waited{0};  // altogether
  std::multiset<std::string> asked;

  explicit TimedResolver(FakeClock& clock) : clock_(clock) {}

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    return std::vector<DnsAnswer>(questions.size());
  }
  void interrupt() override {}
  std::unique_ptr<DnsStream> stream() override { return std::make_unique<Stream>(*this); }

 private:
  using Milliseconds = std::chrono::milliseconds;

  class Stream final : public DnsStream {
   public:
    explicit Stream(TimedResolver& resolver) : resolver_(resolver) {}

    void ask(const DnsQuestion& question, std::size_t ticket) override {
      resolver_.asked.insert(question.name);
      waiting_.emplace_back(question.name, ticket);
      resolver_.most_open = std::max(resolver_.most_open, waiting_.size() + open_.size());
    }

    std::vector<StreamedAnswer> take(Milliseconds most) override {
      begin();
      const auto until = resolver_.waited + most;
      std::vector<StreamedAnswer> taken;
      if (open_.empty()) return taken;
      const auto next = std::min(open_.begin()->first, until);
      if (next > resolver_.waited) resolver_.move_to(next);
      while (!open_.empty() && open_.begin()->first <= resolver_.waited) {
        taken.push_back(std::move(open_.begin()->second));
        open_.erase(open_.begin());
      }
      begin();
      return taken;
    }

   private:
    void begin() {
      while (!waiting_.empty() && open_.size() < resolver_.concurrency) {
        auto [takes, answer] = resolver_.answers(waiting_.front().first);
        open_.emplace(resolver_.waited + takes,
                      StreamedAnswer{waiting_.front().second, std::move(answer)});
        waiting_.erase(waiting_.begin());
      }
    }

    TimedResolver& resolver_;
    std::vector<std::pair<std::string, std::size_t>> waiting_;
    std::multimap<Milliseconds, StreamedAnswer> open_;  // by when they come
  };

  void move_to(Milliseconds to) {
    clock_.advance(std::chrono::floor<Seconds>(to) - std::chrono::floor<Seconds>(waited));
    waited = to;
  }

  FakeClock& clock_;
};

}  // namespace rapporteur::testing_support
