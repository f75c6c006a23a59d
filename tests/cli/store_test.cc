// rapporteur store and rapporteur stats --nodes.

#include "cli/cli_fixture.h"
#include "schedule/keeping.h"

namespace rapporteur {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class StoreCommandTest : public CliTest {
 protected:
  // A window that is done since 2026-11-21, with its two reports and four deliveries.
  void make_done() {
    ingest_window("a.example");
    clock.set(at("2026-11-21T02:00:00Z"));
    assemble();
    for (const auto* id : {"mail00000001", "post00000001", "mail00000002", "post00000002"}) {
      end_delivery(id, DeliveryState::kDelivered, "250");
    }
  }
};

TEST_F(StoreCommandTest, BackupIsAStoreOfTheSameContent) {
  ingest_window("a.example");
  const auto file = (folder / "copy.db").string();
  auto outcome = run({"store", "backup", file, "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto size = std::filesystem::file_size(file);
  EXPECT_EQ(outcome.json(), (OrderedJson{{"file", file}, {"bytes", size}}));
  std::filesystem::rename(file, folder / "store.db");
  std::filesystem::remove(folder / "store.db-wal");
  std::filesystem::remove(folder / "store.db-shm");
  EXPECT_EQ(run({"store", "check"}).code, 0);
  EXPECT_EQ(states("a.example"), std::vector<std::string>{"collecting"});
  outcome = run({"store", "backup", file});
  EXPECT_EQ(outcome.out, file + " holds the store, " +
                             std::to_string(std::filesystem::file_size(file)) + " bytes\n");
}

TEST_F(StoreCommandTest, BackupOverwritesNothingAndMakesNoStore) {
  const auto file = (folder / "copy.db").string();
  EXPECT_EQ(run({"store", "backup", file}).code, kExitConfig);
  EXPECT_FALSE(std::filesystem::exists(folder / "store.db"));
  ingest_window("a.example");
  write(file, "precious");
  const auto outcome = run({"store", "backup", file});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err,
            "rapporteur: " + file + " is there already: a backup overwrites nothing\n");
  EXPECT_EQ(std::filesystem::file_size(file), 8U);
}

TEST_F(StoreCommandTest, APostgresqlStoreIsBackedUpByItsOwnTool) {
  write(config_path,
        "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"postgresql://u:secret@h/db\"\n"
        "[delivery.smtp]\nrelaySigns = true\n");
  const auto outcome = run({"store", "backup", (folder / "copy.db").string()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("pg_dump"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("secret")));
}

TEST_F(StoreCommandTest, CheckTellsWhatItLookedAt) {
  make_done();
  const auto outcome = run({"store", "check"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::StartsWith("nothing is wrong; looked at 4 rows of deliveries, "
                                               "1 row of details, 2 rows of parts, "));
  const auto json = run({"store", "check", "--json"}).json();
  EXPECT_EQ(json["findings"], OrderedJson::array());
  EXPECT_EQ(json["rows"]["windows"], 1);
  EXPECT_EQ(json["rows"]["received_failures"], 0);
}

TEST_F(StoreCommandTest, CheckTellsEachFindingOnALineAndEndsWithOne) {
  ingest_window("a.example");
  {
    // A delivery without a next attempt, as a foreign hand would leave it.
    const auto opened = store();
    CountBatch batch;
    WindowDelta delta;
    delta.domain = "b.example";
    delta.period = {at("2026-11-20T00:00:00Z"), at("2026-11-21T00:00:00Z")};
    delta.first = delta.last = at("2026-11-20T01:00:00Z");
    delta.due = at("2026-11-21T00:00:00Z");
    batch.windows = {delta};
    batch.now = clock.now();
    ASSERT_TRUE(opened->add(batch));
    const auto due = opened->claim_due(at("2026-11-21T02:00:00Z"), 10, std::nullopt);
    ASSERT_TRUE(due);
    Delivery open{.id = "lost", .window = due->front().id, .destination = "mailto:a@b.example"};
    Part part{.report_id = "r", .file_name = "f"};
    ASSERT_TRUE(opened->conclude(Assembly{.window = due->front().id,
                                          .parts = {part},
                                          .deliveries = {open},
                                          .fingerprint = "",
                                          .record = "",
                                          .now = clock.now()}));
  }
  const auto outcome = run({"store", "check"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out,
              testing::StartsWith(
                  "window 2 of b.example from 2026-11-20T00:00:00Z, delivery lost: it is pending "
                  "and no attempt is planned; `rapporteur delivery retry` sends it"));
  EXPECT_THAT(outcome.out, HasSubstr("\n1 finding; looked at "));
  const auto json = run({"store", "check", "--json"});
  EXPECT_EQ(json.code, kExitFailed);
  const auto findings = json.json()["findings"];
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0]["kind"], "delivery-state");
  EXPECT_EQ(findings[0]["what"], "it is pending and no attempt is planned");
  // The advice helps.
  EXPECT_EQ(run({"delivery", "retry", "lost"}).code, 0);
  EXPECT_EQ(run({"store", "check"}).code, 0);
}

TEST_F(StoreCommandTest, PruneRemovesWhatIsOldEnough) {
  configure("");
  make_done();
  clock.set(at("2026-12-20T00:00:00Z"));
  auto json = run({"store", "prune", "--dry-run", "--json"}).json();
  EXPECT_EQ(json["dry-run"], true);
  EXPECT_EQ(json["finished-before"], "2026-11-20T00:00:00Z");
  EXPECT_EQ(json["removed"]["windows"], 0);

  clock.set(at("2026-12-22T00:00:00Z"));
  json = run({"store", "prune", "--dry-run", "--json"}).json();
  EXPECT_EQ(json["removed"]["windows"], 1);
  EXPECT_EQ(json["removed"]["reports"], 2);
  EXPECT_EQ(json["removed"]["deliveries"], 4);
  EXPECT_EQ(states("a.example").size(), 1U);
  EXPECT_THAT(run({"store", "prune", "--dry-run"}).out,
              ContainsRegex("would remove what finished before 2026-11-22(.|\n)* deliveries +4\n"));

  json = run({"store", "prune", "--json"}).json();
  EXPECT_EQ(json["dry-run"], false);
  EXPECT_EQ(json["removed"]["windows"], 1);
  EXPECT_EQ(json["removed"]["deliveries"], 4);
  EXPECT_EQ(run({"schedule", "show", "a.example"}).code, kExitNotFound);
  EXPECT_EQ(run({"store", "prune", "--json"}).json()["removed"]["windows"], 0);
  EXPECT_EQ(run({"store", "check"}).code, 0);
}

TEST_F(StoreCommandTest, PruneRemovesMoreThanOneTransactionDoes) {
  std::string lines;
  for (int i = 0; i < 250; ++i) {
    lines += session("d" + std::to_string(i) + ".example", "2026-11-20T10:00:00Z");
  }
  ingest(lines);
  ASSERT_EQ(run({"schedule", "cancel", "*.example", "--yes"}).code, 0);
  clock.set(at("2026-12-22T00:00:00Z"));
  EXPECT_EQ(run({"store", "prune", "--json"}).json()["removed"]["windows"], 250);
  EXPECT_EQ(run({"store", "check", "--json"}).json()["rows"]["windows"], 0);
}

TEST_F(StoreCommandTest, NodesAreAliveUntilNineBeatsAreMissing) {
  EXPECT_EQ(run({"stats", "--nodes"}).out, "no daemon has worked on this store for a week\n");
  NodeBeat beat{.name = "one",
                .role = "all",
                .host = "one.example",
                .process = 4711,
                .version = "1.0",
                .started = clock.now(),
                .spilled_bytes = 5};
  ASSERT_TRUE(store()->beat(beat, clock.now()));
  clock.set(clock.now() + Seconds(180));
  EXPECT_EQ(run({"stats", "--nodes", "--json"}).json(), OrderedJson::parse(R"({"nodes": [
    {"name": "one", "role": "all", "host": "one.example", "process": 4711, "version": "1.0",
     "started": "2026-11-20T12:00:00Z", "silent-seconds": 180, "alive": true, "windows": 0,
     "deliveries": 0, "spilled-bytes": 5}]})"));
  EXPECT_THAT(run({"stats", "--nodes"}).out,
              ContainsRegex("one +alive +all +one.example +4711 +1.0 +2026-11-20T12:00:00Z +3m "));
  clock.set(clock.now() + Seconds(1));
  EXPECT_EQ(run({"stats", "--nodes", "--json"}).json()["nodes"][0]["alive"], false);
  EXPECT_THAT(run({"stats", "--nodes"}).out, ContainsRegex("one +silent "));
}

TEST_F(StoreCommandTest, StoresAreOpenedAsTheNodeThatIsConfigured) {
  run({"stats"});
  EXPECT_EQ(store_options.node, host_name()) << "not [system] hostname, which nodes may share";
  EXPECT_EQ(store_options.lease, Seconds(60));
  write(config_path,
        "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"" + store_url() +
            "\"\nnode = \"two\"\nlease = \"30s\"\n[delivery.smtp]\nrelaySigns = true\n");
  run({"stats"});
  EXPECT_EQ(store_options.node, "two");
  EXPECT_EQ(store_options.lease, Seconds(30));
}

}  // namespace
}  // namespace rapporteur
