#pragma once
// The recording of a store on another machine, which a test takes away and brings back.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"
#include "daemon/recording.h"
#include "daemon/spill.h"
#include "faults/breakable_store.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur::testing_support {

enum class Line {
  kGood,
  kAway,           // nothing comes through
  kLosesAnswer,    // a batch is stored, and nobody hears of it
  kLosesQuestion,  // it is not stored, and nobody can tell
  kTooNew,         // it comes through to tables that are not ours
};

class FarStore final : public BreakableStore {
 public:
  FarStore(std::unique_ptr<Store> real, FaultPoints& points, const std::atomic<Line>& line)
      : BreakableStore(std::move(real), points, [](const AttemptRecord&) {}), line_(line) {}

  Result<Flushed> add(const CountBatch& batch) override {
    const Line line = line_;
    if (line == Line::kAway) return Error{Fault::kTransient, "the store is away"};
    if (line == Line::kTooNew) return Error{Fault::kCorrupt, "it needs a newer program"};
    if (line == Line::kGood) return BreakableStore::add(batch);
    if (line == Line::kLosesAnswer) {
      EXPECT_TRUE(BreakableStore::add(batch));
    }
    return Error{Fault::kUnknown, "the connection broke"};
  }

 private:
  const std::atomic<Line>& line_;
};

inline std::shared_ptr<const Config> config_of(const std::string& store) {
  return parse_config("[system]\ndomain = \"example.org\"\n[store]\n" + store, "test.toml").config;
}

class FarStoreTest : public testing::Test {
 protected:
  // One life of the daemon.
  struct Process {
    Process(FarStoreTest& test, const std::string& source, std::size_t spill_beyond)
        : store(std::move(*open_store(test.url(), test.random)), test.points, test.line),
          spill(test.folder(), "node 1", test.random, test.log, test.state.metrics),
          recording(store, test.clock, test.log, test.state,
                    {.few_entries = SIZE_MAX,
                     .source = source,
                     .spill = &spill,
                     .spill_beyond = spill_beyond}) {
      EXPECT_TRUE(spill.open());
    }

    FarStore store;
    Spill spill;
    Recording recording;
  };

  FarStoreTest() {
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    start();
  }
  ~FarStoreTest() override { std::filesystem::remove_all(path); }

  void start(std::size_t spill_beyond = 0) {
    process.reset();
    process = std::make_unique<Process>(*this, "node/" + std::to_string(++processes), spill_beyond);
  }

  std::string url() const { return "sqlite:" + path + "/test.db"; }
  std::string folder() const { return path + "/spill"; }
  std::string own_folder() const { return folder() + "/node%201"; }

  std::vector<std::string> files(const std::string& extension) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(own_folder())) {
      if (entry.path().extension() == extension) found.push_back(entry.path().string());
    }
    return found;
  }

  // One session of each of `domains` domains.
  std::unique_ptr<Tally> tally(int domains, const std::string& id = {}) {
    auto made = std::make_unique<Tally>("test", std::make_shared<SessionTable>());
    for (int i = 0; i < domains; ++i) {
      Session session;
      session.recipient_domain = "d" + std::to_string(i) + ".example";
      if (!id.empty()) session.id = id + std::to_string(i);
      session.outcomes = {
          {{PolicyType::kNoPolicyFound, session.recipient_domain, {}, {}}, true, {}}};
      made->count(session, clock.now(), {});
      made->note_accepted();
    }
    return made;
  }

  Recording::Done note() {
    return [this](const Result<Recorded>& recorded) {
      if (recorded) {
        told.push_back(recorded->duplicates == 0 && !recorded->repeated ? "stored" : "repeated");
      } else {
        told.push_back(recorded.error().fault == Fault::kUnknown ? "unknown" : "refused");
      }
    };
  }

  // What is in the windows, which is what the counter tells.
  std::uint64_t sessions() {
    std::uint64_t sum = 0;
    const auto windows = process->store.windows({});
    for (const auto& window : *windows) sum += window.successful;
    const auto counters = process->store.counters();
    const auto accepted = counters->find("test.accepted");
    EXPECT_EQ(accepted == counters->end() ? 0 : accepted->second, sum);
    return sum;
  }

  bool has_problem(Problem problem) {
    for (const auto& trouble : state.health.problems()) {
      if (trouble.problem == problem) return true;
    }
    return false;
  }

  Recording& recording() { return process->recording; }

  std::string path = std::filesystem::temp_directory_path() / "rapporteur-spill-XXXXXX";
  FakeClock clock;
  FixedRandom random;
  RecordingLog log;
  FaultPoints points;
  std::atomic<Line> line = Line::kGood;
  SharedState state{config_of("")};
  int processes = 0;
  std::vector<std::string> told;
  std::unique_ptr<Process> process;
};

}  // namespace rapporteur::testing_support
