#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;

class IngestTest : public CliTest {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    write(folder / name, text);
    return (folder / name).string();
  }
  const std::string good = session("example.org", "2026-11-20T10:00:00Z");
};

TEST_F(IngestTest, PrintsTheFourCountsForPrograms) {
  const auto path =
      file("a.jsonl", good + "rubbish\n" + session("b.example", "2026-11-20T10:00:00Z"));
  const auto outcome = run({"ingest", path, "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(), OrderedJson::parse(R"({"accepted": 2, "rejected": 1, "ignored": 0,
                                             "by-reason": {"not-json": 1}})"));
}

TEST_F(IngestTest, PrintsALineForEachFile) {
  const auto a = file("a.jsonl", good + "rubbish\n");
  const auto b = file("b.jsonl", session("b.example", "2026-11-20T10:00:00Z"));
  const auto outcome = run({"ingest", a, b});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, a + ": accepted 1, rejected 1, ignored 0 (not-json 1)\n" + b +
                             ": accepted 1, rejected 0, ignored 0\n");
}

TEST_F(IngestTest, SumsOverAllFiles) {
  const auto a = file("a.jsonl", good + "rubbish\n");
  const auto b = file("b.jsonl", session("b.example", "2026-11-20T10:00:00Z") + "rubbish\n");
  EXPECT_EQ(run({"ingest", a, b, "--json"}).json(),
            OrderedJson::parse(R"({"accepted": 2, "rejected": 2, "ignored": 0,
                             "by-reason": {"not-json": 2}})"));
}

TEST_F(IngestTest, AFileIsCountedOnceUnlessAgainIsSaid) {
  const auto path = file("a.jsonl", good);
  ASSERT_EQ(run({"ingest", path}).code, 0);

  const auto repeated = run({"ingest", path});
  EXPECT_EQ(repeated.code, 0);
  EXPECT_EQ(repeated.out, path + ": already ingested (--again takes it once more)\n");
  EXPECT_EQ(run({"ingest", path, "--json"}).json(),
            OrderedJson({{"accepted", 0},
                         {"rejected", 0},
                         {"ignored", 0},
                         {"by-reason", OrderedJson::object()},
                         {"status", "already-ingested"},
                         {"files",
                          {{{"file", path},
                            {"status", "already-ingested"},
                            {"accepted", 0},
                            {"rejected", 0},
                            {"ignored", 0}}}}}));
  EXPECT_EQ(run({"schedule", "show", "example.org", "--json"})
                .json()["windows"][0]["successful-sessions"],
            1);

  const auto again = run({"ingest", path, "--again"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(run({"schedule", "show", "example.org", "--json"})
                .json()["windows"][0]["successful-sessions"],
            2);
}

TEST_F(IngestTest, AFileThatCannotBeReadStopsNoOther) {
  const auto missing = (folder / "missing.jsonl").string();
  const auto path = file("a.jsonl", good);
  const auto outcome = run({"ingest", missing, path, "--json"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("rapporteur: cannot open " + missing + ": No such file"));
  const auto json = outcome.json();
  EXPECT_EQ(json["accepted"], 1);
  EXPECT_EQ(json["files"][0]["status"], "failed");
  EXPECT_EQ(json["files"][1]["status"], "ingested");
  EXPECT_EQ(json["error"], json["files"][0]["error"]);
}

TEST_F(IngestTest, AtGivesTheTimeOfLinesThatCarryNone) {
  auto line = OrderedJson::parse(good);
  line.erase("epoch");
  const auto path = file("a.jsonl", line.dump() + "\n");
  ASSERT_EQ(run({"ingest", path, "--at", "2026-11-19T08:00:00Z"}).code, 0);
  EXPECT_EQ(run({"schedule", "show", "example.org", "--json"}).json()["windows"][0]["start"],
            "2026-11-19T00:00:00Z");
}

TEST_F(IngestTest, FormatForcesTheFormat) {
  const auto path = file("a.jsonl", good);
  const auto outcome = run({"ingest", path, "--format", "halon", "--json"});
  EXPECT_EQ(outcome.json()["accepted"], 0);
}

TEST_F(IngestTest, OldWindowsAreHeldAndThatIsSaid) {
  const auto path = file("a.jsonl", session("old.example", "2026-01-14T10:00:00Z"));
  const auto outcome = run({"ingest", path});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("rapporteur: 1 window is held"));
  EXPECT_THAT(states("old.example"), testing::ElementsAre("held"));
}

TEST_F(IngestTest, SendOldHoldsNothing) {
  const auto path = file("a.jsonl", session("old.example", "2026-01-14T10:00:00Z"));
  const auto outcome = run({"ingest", path, "--send-old"});
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(states("old.example"), testing::ElementsAre("collecting"));
}

TEST_F(IngestTest, ProgressIsToldOnStandardError) {
  const auto path = file("a.jsonl", good);
  const auto outcome = run({"ingest", path, "--progress"});
  const auto size = std::to_string(good.size());
  EXPECT_THAT(outcome.err, testing::MatchesRegex("a.jsonl: 100 %, .* of " + size + " bytes\n"));
  EXPECT_EQ(run({"ingest", path, "--again"}).err, "");
}

TEST_F(IngestTest, TerminalControlsInNamesAreNotPrinted) {
  const auto path = file("a\x1b[2J.jsonl", good);
  EXPECT_EQ(run({"ingest", path}).out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace rapporteur
