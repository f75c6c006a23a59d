#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/file.h"
#include "dns/answer_packet.h"
#include "dns/record_data.h"
#include "dns/unbound_engine.h"

namespace rapporteur {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kNoTime{0};
constexpr std::chrono::milliseconds kLongestPoll{60'000};

// An engine is not kept for longer, so that what it remembers about names that do not exist is
// never older: two questions an hour apart are asked twice.
constexpr std::chrono::hours kEngineLife{1};

// An engine, and when it was made.
struct AgedEngine {
  std::unique_ptr<UnboundEngine> engine;
  Steady::time_point made;
  UnboundEngine::Id next_id = 1;
};

// Engines are used by one thread at a time and kept for their caches.
class UnboundResolver final : public Resolver {
 public:
  UnboundResolver(ResolverOptions options, std::unique_ptr<UnboundEngine> first, Fd stop)
      : options_(std::move(options)), stop_(std::move(stop)) {
    idle_.push_back({std::move(first), Steady::now()});
  }

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    std::vector<DnsAnswer> answers(questions.size());
    const auto asking = stream();
    for (std::size_t i = 0; i < questions.size(); ++i) asking->ask(questions[i], i);
    for (std::size_t open = questions.size(); open > 0;) {
      for (auto& [ticket, answer] : asking->take(kLongestPoll)) {
        answers[ticket] = std::move(answer);
        --open;
      }
    }
    return answers;
  }

  std::unique_ptr<DnsStream> stream() override;

  void interrupt() override {
    constexpr std::uint64_t kOne = 1;
    // It fails only when the counter is full, and then it is readable already.
    static_cast<void>(write(stop_.get(), &kOne, sizeof kOne) == sizeof kOne);
  }

  Result<AgedEngine> take() {
    std::vector<AgedEngine> old;  // their ends may take a moment: not under the lock
    {
      const std::lock_guard lock(mutex_);
      while (!idle_.empty()) {
        auto engine = std::move(idle_.back());
        idle_.pop_back();
        if (Steady::now() - engine.made < kEngineLife) return engine;
        old.push_back(std::move(engine));
      }
    }
    auto made = UnboundEngine::make(options_);
    if (!made) return std::move(made).error();
    return AgedEngine{*std::move(made), Steady::now()};
  }

  void give_back(AgedEngine engine) {
    if (Steady::now() - engine.made >= kEngineLife) return;
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(engine));
  }

  const ResolverOptions& options() const { return options_; }
  int stop() const { return stop_.get(); }  // readable after interrupt()

 private:
  const ResolverOptions options_;
  const Fd stop_;  // an eventfd that stays readable after interrupt()
  std::mutex mutex_;
  std::vector<AgedEngine> idle_;  // guarded by mutex_
};

// Asks through one engine, some questions at a time.
class UnboundStream final : public DnsStream {
 public:
  explicit UnboundStream(UnboundResolver& resolver)
      : resolver_(resolver), options_(resolver.options()), engine_(resolver.take()) {}

  ~UnboundStream() override {
    if (!engine_) return;
    for (const auto& [id, query] : under_way_) unbound().cancel(id);
    unbound().flush();
    // libunbound remembers servers as dead for minutes. If nothing was answered, the next try
    // begins without that memory.
    if (definite_ || !asked_) resolver_.give_back(*std::move(engine_));
  }
  UnboundStream(const UnboundStream&) = delete;
  UnboundStream& operator=(const UnboundStream&) = delete;

  void ask(const DnsQuestion& question, std::size_t ticket) override {
    waiting_.emplace_back(question, ticket);
  }

  std::vector<StreamedAnswer> take(std::chrono::milliseconds most) override {
    const auto until = Steady::now() + most;
    for (;;) {
      start_some();
      wait(done_.empty() ? until : Steady::now());
      if (interrupted_) {
        give_up("interrupted");
      } else {
        settle_late();
        start_some();
      }
      const bool open = !under_way_.empty() || !waiting_.empty();
      if (!done_.empty() || !open || Steady::now() >= until) return std::exchange(done_, {});
    }
  }

 private:
  struct Query {  // one that is under way
    std::size_t ticket = 0;
    Steady::time_point deadline;
  };

  UnboundEngine& unbound() const { return *engine_->engine; }

  void finish(std::size_t ticket, DnsAnswer answer) {
    definite_ = definite_ || answer.status != DnsAnswer::Status::kTemporary;
    done_.push_back({ticket, std::move(answer)});
  }

  void start_some() {
    const auto most = static_cast<std::size_t>(std::max(options_.concurrency, 1));
    while (!waiting_.empty() && under_way_.size() < most) {
      start(waiting_.front().first, waiting_.front().second);
      waiting_.pop_front();
    }
    if (engine_) unbound().flush();
  }

  void start(const DnsQuestion& question, std::size_t ticket) {
    asked_ = true;
    if (!engine_) return finish(ticket, temporary_answer(engine_.error().text));
    auto name = query_name(question);
    if (!name) return finish(ticket, no_records());
    const auto id = engine_->next_id++;
    under_way_.emplace_hint(under_way_.end(), id, Query{ticket, Steady::now() + options_.timeout});
    unbound().ask(id, *std::move(name), question.type);
  }

  // Until an answer has come, the oldest query's time is over, the resolver is interrupted, or it
  // is `until`.
  void wait(Steady::time_point until) {
    const bool asking = !under_way_.empty();
    if (asking) until = std::min(until, under_way_.begin()->second.deadline);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    std::array<pollfd, 2> ready{
        {{resolver_.stop(), POLLIN, 0}, {asking ? unbound().fd() : -1, POLLIN, 0}}};
    const auto most =
        asking || !waiting_.empty() ? std::clamp(left, kNoTime, kLongestPoll) : kNoTime;
    poll(ready.data(), ready.size(), static_cast<int>(most.count()));
    interrupted_ = (ready[0].revents & POLLIN) != 0;
    if (interrupted_ || !asking) return;
    for (auto& [id, answer] : unbound().take()) {
      const auto found = under_way_.find(id);
      if (found == under_way_.end()) continue;  // it was cancelled when it was on its way
      finish(found->second.ticket, std::move(answer));
      under_way_.erase(found);
    }
  }

  // All queries have the same time: the oldest is the first to be late.
  void settle_late() {
    const auto now = Steady::now();
    while (!under_way_.empty() && under_way_.begin()->second.deadline <= now) {
      auto late = temporary_answer("no answer within " + format_duration(options_.timeout));
      late.timed_out = true;
      cancel_oldest(std::move(late));
    }
  }

  void give_up(const std::string& why) {
    while (!under_way_.empty()) cancel_oldest(temporary_answer(why));
    for (const auto& [question, ticket] : waiting_) finish(ticket, temporary_answer(why));
    waiting_.clear();
  }

  void cancel_oldest(DnsAnswer answer) {
    const auto oldest = under_way_.begin();
    unbound().cancel(oldest->first);
    finish(oldest->second.ticket, std::move(answer));
    under_way_.erase(oldest);
  }

  UnboundResolver& resolver_;
  const ResolverOptions& options_;
  Result<AgedEngine> engine_;
  std::deque<std::pair<DnsQuestion, std::size_t>> waiting_;
  std::map<UnboundEngine::Id, Query> under_way_;  // in the order of their deadlines
  std::vector<StreamedAnswer> done_;
  bool asked_ = false;
  bool definite_ = false;  // something was answered
  bool interrupted_ = false;
};

std::unique_ptr<DnsStream> UnboundResolver::stream() {
  return std::make_unique<UnboundStream>(*this);
}

// All that is open in one ask(), for resolvers that have nothing better.
class PlainStream final : public DnsStream {
 public:
  explicit PlainStream(Resolver& resolver) : resolver_(resolver) {}

  void ask(const DnsQuestion& question, std::size_t ticket) override {
    questions_.push_back(question);
    tickets_.push_back(ticket);
  }

  std::vector<StreamedAnswer> take(std::chrono::milliseconds /*most*/) override {
    std::vector<StreamedAnswer> taken;
    if (questions_.empty()) return taken;
    auto answers = resolver_.ask(questions_);
    taken.reserve(answers.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      taken.push_back({tickets_[i], std::move(answers[i])});
    }
    questions_.clear();
    tickets_.clear();
    return taken;
  }

 private:
  Resolver& resolver_;
  std::vector<DnsQuestion> questions_;
  std::vector<std::size_t> tickets_;
};

Result<void> check_options(const ResolverOptions& options) {
  if (options.timeout <= Seconds(0)) {
    return Error{Fault::kConfig, "the resolver's time-out must be a second at least"};
  }
  if (options.concurrency < 1) {
    return Error{Fault::kConfig, "the resolver's concurrency must be 1 at least"};
  }
  if (options.trust_anchor.empty()) return {};
  const auto anchor = read_file(options.trust_anchor);
  if (!anchor) return Error{Fault::kConfig, anchor.error().text};
  return {};
}

}  // namespace

std::unique_ptr<DnsStream> Resolver::stream() {
  return std::make_unique<PlainStream>(*this);
}

std::vector<DnsAnswer> Resolver::txt(std::span<const std::string> names) {
  std::vector<DnsQuestion> questions;
  questions.reserve(names.size());
  for (const auto& name : names) questions.push_back({name, DnsType::kTxt});
  return ask(questions);
}

Result<std::unique_ptr<Resolver>> make_resolver(const ResolverOptions& options) {
  if (auto checked = check_options(options); !checked) return std::move(checked).error();
  auto engine = UnboundEngine::make(options);
  if (!engine) return std::move(engine).error();
  Fd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return Error{Fault::kTransient, system_error("cannot make a resolver")};
  return std::unique_ptr<Resolver>(
      new UnboundResolver(options, *std::move(engine), std::move(stop)));
}

}  // namespace rapporteur
