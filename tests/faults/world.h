#pragma once
// A whole instance and the world around it, in one thread but for the courier's: what the daemon's
// threads do in turns is done here in a fixed order, so that a run can be repeated call by call.
// A process can die at any call; a new one then goes on with what is on disk.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "aggregate/recorder.h"
#include "config/config.h"
#include "daemon/intake.h"
#include "daemon/recording.h"
#include "deliver/courier.h"
#include "faults/breakable_store.h"
#include "faults/fault_points.h"
#include "faults/mailbox.h"
#include "ingest/file_ingest.h"
#include "schedule/misplanned.h"
#include "schedule/planner.h"
#include "schedule/runner.h"
#include "store/open.h"
#include "support/marking_signer.h"
#include "support/recording_log.h"
#include "support/table_resolver.h"

namespace rapporteur::testing_support {

using namespace std::chrono_literals;

inline Time at(const char* text) {
  return parse_time(text).value();
}

// What a store that does not fail has said, by value: so it can stand in a range-for.
template <class T>
T said(Result<T>&& result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().text);
  return *std::move(result);
}

// Ids that do not repeat, the same in every run.
class SeededRandom final : public Random {
 public:
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_{8460};
};

// Where the clock of the machine stands when it is wrong.
struct Jump {
  std::string name;
  std::optional<Time> to;  // absent: `by` away from the right time
  Seconds by{0};
  Seconds lasts{0};     // then it is right again
  bool sleeps = false;  // the clock is right, but the time has passed without us
};

// The right time, and what the machine takes for it.
class WorldClock final : public Clock {
 public:
  WorldClock(Time now, FaultPoints& points) : right_(now), points_(points) {}

  Time now() const override {
    if (points_.visit(Seam::kClock, "now") == Trouble::kJumps) begin_jump();
    return shown();
  }

  Time right() const { return right_; }
  Seconds offset() const { return offset_; }
  // When the clock becomes right, if it is wrong.
  std::optional<Time> righted_at() const { return righted_at_; }
  std::optional<Time> jumped_at() const { return jumped_at_; }

  void pass_to(Time right) {
    right_ = right;
    if (!righted_at_ || right_ < *righted_at_) return;
    righted_at_.reset();
    offset_ = Seconds(0);
  }

  Jump jump;  // what kJumps does

 private:
  Time shown() const { return right_ + offset_; }
  void begin_jump() const {
    jumped_at_ = right_;
    if (jump.sleeps) {
      right_ += jump.by;
      return;
    }
    offset_ = jump.to ? *jump.to - right_ : jump.by;
    righted_at_ = right_ + jump.lasts;
  }

  mutable Time right_;
  mutable Seconds offset_{0};
  mutable std::optional<Time> righted_at_, jumped_at_;
  FaultPoints& points_;
};

// A file that goes away with this object. In memory where the system has such a place: what these
// tests want to know does not depend on a disk.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const std::filesystem::path memory = "/dev/shm";
    const bool usable = std::filesystem::is_directory(memory) && ::access("/dev/shm", W_OK) == 0;
    auto name = ((usable ? memory : std::filesystem::temp_directory_path()) / "faults-XXXXXX");
    auto text = name.string();
    if (::mkdtemp(text.data()) == nullptr) std::abort();
    path_ = text;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::shared_ptr<const Config> config_of(const std::string& rest) {
  auto loaded = parse_config(
      "[system]\ndomain = \"example.org\"\nhostname = \"mail.example.org\"\n"
      "[store]\nurl = \"sqlite::memory:\"\n" +
          rest,
      "test.toml");
  for (const auto& diagnostic : loaded.diagnostics) {
    EXPECT_NE(diagnostic.severity, expr::Severity::kError) << diagnostic.text();
  }
  return std::move(loaded.config);
}

// What outlives a process.
struct Surroundings {
  Surroundings(std::shared_ptr<const Config> its_config, Time start)
      : config(std::move(its_config)), clock(start, points), mailbox(points) {}

  std::unique_ptr<Store> open() {
    auto opened = open_store("sqlite:" + folder / "store", random);
    EXPECT_TRUE(opened) << opened.error().text;
    return *std::move(opened);
  }
  std::unique_ptr<BreakableStore> open_breakable() {
    return std::make_unique<BreakableStore>(open(), points, [this](const AttemptRecord& record) {
      if (record.state == DeliveryState::kDelivered) mailbox.note_delivered(record.delivery);
    });
  }

  TemporaryFolder folder;
  std::shared_ptr<const Config> config;
  FaultPoints points;
  WorldClock clock;
  Mailbox mailbox;
  TableResolver table;
  MarkingSigner signer;
  SeededRandom random;
  RecordingLog log;
};

// A resolver of which every question is a fault point.
class BreakableResolver final : public Resolver {
 public:
  BreakableResolver(Resolver& real, FaultPoints& points) : real_(real), points_(points) {}

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    const auto trouble = points_.visit(Seam::kResolver, "ask");
    if (trouble == Trouble::kDiesAfter) points_.die();
    if (!trouble) return real_.ask(questions);
    const DnsAnswer nothing{.status = DnsAnswer::Status::kTemporary,
                            .problem = "SERVFAIL",
                            .timed_out = *trouble == Trouble::kIsBroken};
    return std::vector<DnsAnswer>(questions.size(), nothing);
  }
  void interrupt() override {}

 private:
  Resolver& real_;
  FaultPoints& points_;
};

inline CourierOptions courier_options_of(const Config& config, Mailbox& mailbox, int threads) {
  return {
      .retry = {.first_retry = config.delivery.first_retry, .retry_for = config.delivery.retry_for},
      .concurrency = threads,
      .per_destination = config.delivery.per_destination,
      .rate = config.delivery.rate,
      .mail = [&mailbox](const Interrupt&) { return std::make_unique<MailboxTransport>(mailbox); },
      .https =
          [&mailbox](const Interrupt&) { return std::make_unique<MailboxTransport>(mailbox); }};
}

// One life of the daemon.
class Process {
 public:
  Process(Surroundings& around, int threads, std::size_t few_entries, const std::string& source)
      : around_(around),
        intake_store_(around.open_breakable()),
        schedule_store_(around.open_breakable()),
        delivery_store_(around.open_breakable()),
        resolver_(around.table, around.points),
        shared_(around.config),
        recording_(*intake_store_, around.clock, around.log, shared_,
                   {.few_entries = few_entries, .source = source}),
        intake_(recording_, around.clock, around.log, *around.config),
        runner_(*schedule_store_, resolver_, around.clock, around.log),
        courier_(*delivery_store_, around.clock, around.random, around.log,
                 courier_options_of(*around.config, around.mailbox, threads)) {
    static_cast<void>(delivery_store_->recover_interrupted(around.clock.now()));
    recovered_ = static_cast<bool>(recording_.recover());
  }

  Intake& intake() { return intake_; }
  // The daemon does not start where the journal cannot be read.
  bool started() const { return recovered_; }

  // Everything that was taken is on disk.
  bool settled() { return intake_.empty() && recording_.idle(); }

  void record() {
    intake_.hand_over();
    recording_.store_waiting();
  }
  void record_journal() { recording_.store_waiting(true); }

  bool delivers() const { return courier_.under_way() > 0; }

  void run_due() {
    // Every ten minutes of a clock that nobody sets.
    if (!looked_ || around_.clock.right() - *looked_ >= 10min) {
      looked_ = around_.clock.right();
      static_cast<void>(bring_forward(*schedule_store_, around_.config->schedule,
                                      around_.clock.now(), around_.log));
    }
    for (bool more = true; more;) {
      const auto pause = schedule_store_->pause();
      if (!pause) return;
      static_cast<void>(around_.clock.now());  // is the pause over?
      const auto summary = runner_.run_page(*around_.config, around_.signer, stopping_);
      more = summary && summary->more;
    }
  }

  void deliver() {
    for (;;) {
      const auto pause = delivery_store_->pause();
      if (!pause) return;
      const auto started = courier_.step(true, true);
      if (!started) return;
      if (courier_.under_way() == 0 && *started == 0) return;
      if (courier_.under_way() > 0) courier_.wait(10s);
    }
  }

 private:
  Surroundings& around_;
  std::unique_ptr<BreakableStore> intake_store_, schedule_store_, delivery_store_;
  BreakableResolver resolver_;
  std::atomic<bool> stopping_ = false;
  std::optional<Time> looked_;
  SharedState shared_;
  Recording recording_;
  Intake intake_;
  bool recovered_ = false;
  Runner runner_;
  Courier courier_;
};

// What becomes of the sessions that MTAs send: their markers, as the reports tell them.
struct Ledger {
  std::set<std::string> taken;         // by intake, not known to be on disk
  std::set<std::string> acknowledged;  // on disk
  std::set<std::string> lost;          // taken by a process that died

  void acknowledge() { acknowledged.merge(taken); }
  void lose() { lost.merge(taken); }
};

class World : public Surroundings {
 public:
  World(std::shared_ptr<const Config> its_config, Time start, int threads = 1,
        std::size_t few_entries = RecordingOptions().few_entries)
      : Surroundings(std::move(its_config), start),
        observer(open()),
        threads_(threads),
        few_entries_(few_entries) {
    restart();
  }

  // A datagram arrives; `marker` is how a report tells its session.
  void take(const std::string& marker, const std::string& datagram) {
    ledger.taken.insert(marker);
    process_->intake().take(datagram);
    if (points.dead()) restart();
  }

  // `rapporteur ingest`, as often as it takes.
  void ingest(const std::string& path, const std::vector<std::string>& markers) {
    FileIngestOptions options;
    options.batch_lines = 2;
    for (int run = 0; run < 10; ++run) {
      const auto store = open_breakable();
      SettingsPlanner planner(config);
      Recorder recorder(*store, planner, clock,
                        {.max_age = config->ingest.max_age,
                         .from_file = true,
                         .send_old = false,
                         .max_details = config->ingest.details_per_policy});
      const auto done = ingest_file(path, options, recorder, *store, clock, log);
      if (points.dead()) {
        restart();
        continue;
      }
      if (!done) {
        clock.pass_to(clock.right() + 1h);
        continue;
      }
      ledger.acknowledged.insert(markers.begin(), markers.end());
      return;
    }
    ADD_FAILURE() << "the file was never taken";
  }

  // All threads take their turn. What dies is made anew.
  void tick() {
    ++ticks;
    process_->record();
    if (points.dead()) return restart();
    if (process_->settled()) ledger.acknowledge();
    process_->record_journal();
    if (points.dead()) return restart();
    process_->run_due();
    if (points.dead()) return restart();
    process_->deliver();
    if (points.dead()) restart();
  }

  void pass_to(Time end) {
    pass(end, [] { return false; });
    tick();
  }

  // Nothing will move any more.
  bool at_rest() {
    if (!process_->settled() || process_->delivers()) return false;
    if (!said(observer->journal()).pieces.empty()) return false;
    const auto states = said(observer->window_states());
    return std::ranges::all_of(states, [](const auto& entry) {
      return entry.first == WindowState::kDone || entry.first == WindowState::kSuppressed ||
             entry.first == WindowState::kHeld;
    });
  }
  // Until at_rest(); at the latest until `latest`.
  void pass_to_rest(Time latest) {
    pass(latest, [this] { return at_rest(); });
  }

  int most_ticks = 3000;             // then it is said not to come to rest
  Seconds longest_step = 100 * 24h;  // also when nothing is to be done before
  int ticks = 0;
  int deaths = -1;
  Ledger ledger;
  std::unique_ptr<Store> observer;  // never fails

 private:
  void restart() {
    do {
      process_.reset();
      points.revive();
      mailbox.next_process();
      ledger.lose();
      ++deaths;
      process_ = std::make_unique<Process>(*this, threads_, few_entries_,
                                           "node/" + std::to_string(++processes_));
    } while (points.dead() || !process_->started());
  }

  // Goes from event to event with time at its fastest.
  template <class Ended>
  void pass(Time end, Ended&& ended) {
    int idle = 0;
    while (clock.right() < end && ticks < most_ticks && !ended()) {
      const auto before = fingerprint();
      tick();
      idle = fingerprint() == before ? idle + 1 : 0;
      const auto overdue = clock.right() + Seconds(1LL << std::min(idle, 6));
      auto next = std::max(next_event().value_or(end), overdue);
      if (const auto righted = clock.righted_at()) next = std::min(next, *righted);
      next = std::min({next, end, clock.right() + longest_step});
      clock.pass_to(std::max(clock.right(), next));
    }
  }

  // When the store says that something is to be done, by the right clock.
  std::optional<Time> next_event() {
    std::optional<Time> next;
    const auto sooner = [&](Time time) { next = std::min(next.value_or(time), time); };
    for (const auto state : {WindowState::kCollecting, WindowState::kDue, WindowState::kBlocked}) {
      for (const auto& window : said(observer->windows({.domain = {}, .state = state}))) {
        sooner(std::max(window.due, window.retry.value_or(window.due)));
      }
    }
    for (const auto state : {DeliveryState::kPending, DeliveryState::kUncertain}) {
      for (const auto& delivery : said(observer->deliveries({.state = state}))) {
        if (delivery.next_attempt) sooner(*delivery.next_attempt);
      }
    }
    if (!process_->settled() || process_->delivers())
      next = clock.right();
    else if (next)
      next = *next - clock.offset();
    return next;
  }

  // Changes when anything has happened.
  std::string fingerprint() {
    std::string text = std::to_string(mailbox.attempts().size());
    for (const auto& [state, count] : said(observer->window_states())) {
      text += ' ' + std::string(to_string(state)) + std::to_string(count);
    }
    const auto next = next_event();
    if (next && *next > clock.right()) text += ' ' + format_rfc3339(*next);
    return text;
  }

  const int threads_;
  std::size_t few_entries_;
  int processes_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace rapporteur::testing_support
