// What the loops of the daemon tell about themselves while they run.

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "config/config.h"
#include "daemon/delivery.h"
#include "daemon/scheduler.h"
#include "daemon/shared_state.h"
#include "deliver/fakes.h"
#include "faults/breakable_store.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::FakeClock;
using testing_support::FixedRandom;
using testing_support::ScriptedTransport;
using testing_support::Wire;

std::shared_ptr<const Config> config_of(const std::string& text) {
  auto loaded = parse_config("[system]\ndomain = \"example.org\"\n" + text, "test.toml");
  for (const auto& diagnostic : loaded.diagnostics) {
    EXPECT_NE(diagnostic.severity, expr::Severity::kError) << diagnostic.text();
  }
  return std::move(loaded.config);
}

// Lets the loops stop when they have logged an event.
class StoppingLog final : public Log {
 public:
  // Stops the loops when the event has come so many times.
  StoppingLog(SharedState& shared, std::string event, int times = 1)
      : shared_(shared), event_(std::move(event)), left_(times) {}
  void write(LogLevel, std::string_view event, std::initializer_list<LogField>) override {
    if (event == event_ && --left_ == 0) shared_.stopping = true;
  }

 private:
  SharedState& shared_;
  const std::string event_;
  int left_;
};

// Cannot be reached so many times; notes what it is asked before it was.
class LateStore final : public testing_support::BreakableStore {
 public:
  LateStore(std::unique_ptr<Store> real, testing_support::FaultPoints& points, int away)
      : BreakableStore(std::move(real), points, [](const AttemptRecord&) {}), away_(away) {}

  Result<void> reach() override {
    if (away_ > 0) {
      --away_;
      return Error{Fault::kTransient, "the store is away"};
    }
    reached_ = true;
    return {};
  }
  Result<std::size_t> recover_interrupted(Time now) override {
    EXPECT_TRUE(reached_);
    if (++recoveries_ == 1) return Error{Fault::kTransient, "it has gone again"};
    return BreakableStore::recover_interrupted(now);
  }
  Result<Pause> pause() override {
    EXPECT_GT(recoveries_, 1) << "nothing begins before the recovery";
    return BreakableStore::pause();
  }
  Result<std::vector<Window>> claim_due(Time now, std::size_t limit,
                                        std::optional<std::pair<Time, WindowId>> after) override {
    EXPECT_TRUE(reached_);
    return BreakableStore::claim_due(now, limit, after);
  }

  int recoveries() const { return recoveries_; }

 private:
  int away_;
  bool reached_ = false;
  int recoveries_ = 0;
};

class LoopsTest : public testing::Test {
 protected:
  FakeClock clock;
  FixedRandom random;
  SharedState shared{config_of("[delivery.smtp]\nrelaySigns = true\n")};
  std::unique_ptr<Store> store = std::move(*open_store("sqlite::memory:", random));
  Wire wire;

  std::vector<Problem> problems() {
    std::vector<Problem> found;
    for (const auto& trouble : shared.health.problems()) found.push_back(trouble.problem);
    return found;
  }

  // A report of which deliveries to these destinations are due.
  void make_deliveries(const std::vector<std::string>& destinations) {
    const auto now = clock.now();
    WindowDelta delta;
    delta.domain = "a.example";
    delta.period = {now - 2h, now - 1h};
    delta.first = delta.last = now - 90min;
    delta.counts = {{{PolicyType::kNoPolicyFound, "a.example", {}, {}}, 1, 0, {}}};
    delta.due = now - 1h;
    delta.supplement_due = now;
    CountBatch batch;
    batch.windows = {delta};
    batch.now = now;
    ASSERT_TRUE(store->add(batch));
    const auto due = store->claim_due(now, 1, std::nullopt);
    Assembly assembly;
    assembly.window = due->at(0).id;
    assembly.parts = {{.number = 1, .report_id = "r", .file_name = "f", .gz = "gz"}};
    assembly.now = now;
    for (const auto& destination : destinations) {
      Delivery delivery;
      delivery.id = "d" + std::to_string(assembly.deliveries.size());
      delivery.window = assembly.window;
      delivery.destination = destination;
      delivery.next_attempt = now;
      delivery.rank = static_cast<int>(assembly.deliveries.size());
      assembly.deliveries.push_back(delivery);
    }
    ASSERT_TRUE(*store->conclude(assembly));
  }

  void deliver_until(const std::string& event) { deliver_until(event, *store); }
  void deliver_until(const std::string& event, Store& from) {
    StoppingLog log(shared, event);
    CourierOptions options;
    options.mail = [this](const Interrupt& interrupt) {
      return std::make_unique<ScriptedTransport>(wire, interrupt);
    };
    options.https = [this](const Interrupt& interrupt) {
      return std::make_unique<ScriptedTransport>(wire, interrupt);
    };
    DeliveryLoop loop(from, random, clock, log, options, shared.metrics);
    EXPECT_TRUE(loop.serve(shared));
    EXPECT_THAT(shared.health.stuck(std::chrono::steady_clock::now() + 24h), IsEmpty())
        << "nobody expects a beat of a loop that has ended";
  }
};

TEST_F(LoopsTest, AttemptsAreCountedByTransportAndReply) {
  make_deliveries({"https://r.example/tls"});
  deliver_until("delivery-accepted");
  EXPECT_EQ(shared.metrics.https.accepted.value(), 1U);
  EXPECT_GT(shared.metrics.https.duration.read().sum, 0);
  EXPECT_EQ(shared.metrics.smtp.accepted.value(), 0U);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(LoopsTest, TroubleOfTheRelayIsARemarkAboutReadiness) {
  make_deliveries({"mailto:tls@r.example"});
  wire.reply_otherwise(testing_support::relay_down());
  deliver_until("delivery-relay-trouble");
  EXPECT_EQ(shared.metrics.smtp.relay_trouble.value(), 1U);
  EXPECT_THAT(problems(), ElementsAre(Problem::kRelay));
  EXPECT_TRUE(shared.health.ready().good);
  EXPECT_THAT(shared.health.ready().text, HasSubstr("relay (remark): refused (connect), since "));
}

TEST_F(LoopsTest, AStoreThatFailsTheLoopsKeepsFromReady) {
  testing_support::FaultyStore away(*store);  // says no to what a courier does not ask
  // The first is of plans that were to be corrected.
  StoppingLog log(shared, "store-failed", 2);
  Scheduler scheduler(away, clock, log, [] {});
  scheduler.serve(shared);
  EXPECT_THAT(problems(), ElementsAre(Problem::kStoreSchedule));
  EXPECT_FALSE(shared.health.ready().good);
  EXPECT_THAT(shared.health.stuck(std::chrono::steady_clock::now() + 24h), IsEmpty());
}

TEST_F(LoopsTest, DeliveryBeginsWithTheRecoveryWhenTheStoreIsThere) {
  make_deliveries({"https://r.example/tls"});
  testing_support::FaultPoints points;
  LateStore late(std::move(store), points, 2);
  deliver_until("delivery-accepted", late);
  EXPECT_EQ(late.recoveries(), 2);
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(LoopsTest, AStoreThatWasNeverThereHoldsUpNoStop) {
  testing_support::FaultPoints points;
  LateStore late(std::move(store), points, 1'000'000);
  deliver_until("store-failed", late);
  EXPECT_EQ(late.recoveries(), 0);
  EXPECT_THAT(problems(), ElementsAre(Problem::kStoreDelivery));

  shared.stopping = false;
  StoppingLog log(shared, "store-failed");
  Scheduler scheduler(late, clock, log, [] {});
  scheduler.serve(shared);
  EXPECT_THAT(problems(), ElementsAre(Problem::kStoreSchedule, Problem::kStoreDelivery));
}

TEST_F(LoopsTest, TheScheduleBeginsWhenTheStoreIsThere) {
  testing_support::FaultPoints points;
  LateStore late(std::move(store), points, 2);
  StoppingLog log(shared, "store-recovered");
  Scheduler scheduler(late, clock, log, [] {});
  scheduler.serve(shared);
  EXPECT_THAT(problems(), IsEmpty());
}

}  // namespace
}  // namespace rapporteur
