#include "cli/screen.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <sstream>

#include "base/text.h"
#include "cli/cli_fixture.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string without_colours(std::string text) {
  for (auto at = text.find("\x1b["); at != text.npos; at = text.find("\x1b[")) {
    text.erase(at, text.find('m', at) + 1 - at);
  }
  return text;
}

struct RelativeRow {
  Seconds ahead;
  const char* want;
};

class Relative : public testing::TestWithParam<RelativeRow> {};

TEST_P(Relative, IsRoundedToItsTwoLargestUnits) {
  const Time now{Seconds{1'768'392'000}};
  EXPECT_EQ(relative(now + GetParam().ahead, now), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Times, Relative,
    testing::Values(RelativeRow{0s, "now"}, RelativeRow{1s, "in 1s"}, RelativeRow{-59s, "59s ago"},
                    RelativeRow{3'599s, "in 59m59s"}, RelativeRow{7'200s, "in 2h"},
                    RelativeRow{7'171s, "in 2h"}, RelativeRow{7'169s, "in 1h59m"},
                    RelativeRow{-7'229s, "2h ago"}, RelativeRow{-7'230s, "2h1m ago"},
                    RelativeRow{24h - 1s, "in 1d"}, RelativeRow{-(2 * 24h + 30min), "2d1h ago"}));

struct FittedRow {
  const char* line;
  std::size_t columns;
  const char* want;
};

class Fitted : public testing::TestWithParam<FittedRow> {};

TEST_P(Fitted, BreaksAtSpacesOnly) {
  EXPECT_EQ(fitted(GetParam().line, GetParam().columns), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Fitted,
    testing::Values(FittedRow{"", 10, ""}, FittedRow{"one two", 10, "one two"},
                    FittedRow{"one two", 7, "one two"}, FittedRow{"one two", 6, "one\n  two"},
                    FittedRow{"  a bb ccc dddd", 9, "  a bb\n    ccc\n    dddd"},
                    FittedRow{"aaaaaaaaaaaaaaa b", 8, "aaaaaaaaaaaaaaa\n  b"},
                    FittedRow{"äöü äöü", 7, "äöü äöü"},
                    FittedRow{"\x1b[31mred\x1b[0m one", 7, "\x1b[31mred\x1b[0m one"},
                    FittedRow{"one  two", 0, "one  two"}));

INSTANTIATE_TEST_SUITE_P(
    GoodPlaces, Fitted,
    testing::Values(
        FittedRow{"from a to b; name value", 20, "from a to b;\n  name value"},
        FittedRow{"one, two three four five", 20, "one, two three four\n  five"},
        FittedRow{"at twelve o'clock (in 3 hours)", 24, "at twelve o'clock\n  (in 3 hours)"},
        FittedRow{"mode: enforce | mx: mx.a.example", 22, "mode: enforce |\n  mx: mx.a.example"},
        FittedRow{"one two three, four/five/six/seven/eight", 20,
                  "one two three,\n  four/five/six/seven/eight"},
        FittedRow{"one two three, a four/five/six/seven/eight", 20,
                  "one two three, a\n  four/five/six/seven/eight"}));

class ScreenTest : public testing::Test {
 protected:
  World world(Terminal terminal) {
    return {.clock = clock,
            .random = random,
            .open_store = {},
            .make_resolver = {},
            .run_daemon = {},
            .environment = {},
            .confirm = {},
            .out = out,
            .err = err,
            .out_terminal = terminal,
            .err_terminal = terminal};
  }

  static Table table() {
    Table made({"DOMAIN", "PERIOD", "STATE", "OK", "REASON"});
    made.add({"a.example", "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z", "held", "12",
              "held by the administrator"});
    made.add({"a-rather-long-name.of-a-subdomain.b.example",
              "2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z", "done", "3", ""});
    return made;
  }

  testing_support::FakeClock clock;
  SystemRandom random;
  std::ostringstream out;
  std::ostringstream err;
};

TEST_F(ScreenTest, ATableElsewhereIsAsWideAsItIs) {
  const auto plain = world({});
  Screen screen(plain);
  table().print(screen, "  ");
  std::ostringstream straight;
  table().print(straight, "  ");
  EXPECT_EQ(out.str(), straight.str());
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
}

TEST_F(ScreenTest, ATableAtATerminalKeepsEveryCellAndFits) {
  for (const std::size_t columns : {80U, 100U, 60U}) {
    out.str("");
    {
      const auto narrow = world({columns, true});
      Screen screen(narrow);
      table().print(screen, "  ");
    }
    const auto text = without_colours(out.str());
    for (const auto line : split(text, '\n')) EXPECT_LE(width_on_screen(line), columns) << line;
    std::string joined;
    for (const auto line : split(text, '\n')) {
      for (const auto word : split(line, ' ')) {
        if (!word.empty()) joined.append(joined.empty() ? "" : " ").append(word);
      }
    }
    for (const auto* const cell :
         {"a.example", "2026-11-20T00:00:00Z", "to 2026-11-21T00:00:00Z", "12", "held", "done",
          "held by the administrator", "a-rather-long-name.of-a-subdomain.b.example"}) {
      EXPECT_THAT(joined, HasSubstr(cell)) << columns;
    }
  }
}

TEST_F(ScreenTest, PreferredColumnsFindRoomFirst) {
  {
    const auto narrow = world({30, false});
    Screen screen(narrow);
    Table made({"DOMAIN", "PERIOD", "STATE"});
    made.prefer({0, 2});
    made.add({"a.example", "from noon to midnight", "held"});
    made.print(screen);
  }
  EXPECT_EQ(out.str(), "DOMAIN     STATE\na.example  held\n  period from noon to midnight\n");
}

TEST_F(ScreenTest, OneLongCellDoesNotMoveTheOtherRows) {
  {
    const auto narrow = world({40, false});
    Screen screen(narrow);
    Table made({"DOMAIN", "STATE", "OK"});
    made.add({"a.example", "done", "1"});
    made.add({std::string(60, 'x') + ".example", "held", "2"});
    made.print(screen);
  }
  EXPECT_EQ(out.str(),
            "DOMAIN                STATE  OK\n"
            "a.example             done   1\n" +
                std::string(60, 'x') +
                ".example\n"
                "                      held   2\n");
}

TEST_F(ScreenTest, ALongCellBehindTheFirstStandsBelowItsRow) {
  {
    const auto narrow = world({40, false});
    Screen screen(narrow);
    Table made({"ID", "DESTINATION", "STATE", "RESPONSE"});
    made.prefer({0, 2});
    made.add({"a1", "tls@a.example", "sent", "250 queued"});
    made.add({"a2", "tls@a-much-longer-name.example", "failed", "550 no such user here"});
    made.print(screen);
  }
  EXPECT_EQ(out.str(),
            "ID  DESTINATION           STATE\n"
            "a1  tls@a.example         sent\n"
            "  response 250 queued\n"
            "a2  …                     failed\n"
            "  destination\n"
            "    tls@a-much-longer-name.example\n"
            "  response 550 no such user here\n");
}

TEST_F(ScreenTest, StatesHaveColoursWhereTheyAreWanted) {
  const auto coloured = world({80, true});
  EXPECT_EQ(Screen(coloured).state("failed"), "\x1b[31mfailed\x1b[0m");
  EXPECT_EQ(Screen(coloured).state("delivered"), "\x1b[32mdelivered\x1b[0m");
  EXPECT_EQ(Screen(coloured).state("collecting"), "collecting");
  const auto plain = world({80, false});
  EXPECT_EQ(Screen(plain).state("failed"), "failed");
  EXPECT_EQ(Screen(plain).heading("a.example"), "a.example");
}

TEST_F(ScreenTest, ColoursDoNotMoveColumns) {
  {
    const auto coloured = world({80, true});
    Screen screen(coloured);
    Table made({"STATE", "OK"});
    made.add({"done", "1"});
    made.add({"collecting", "2"});
    made.print(screen);
  }
  EXPECT_EQ(without_colours(out.str()), "STATE       OK\ndone        1\ncollecting  2\n");
  EXPECT_THAT(out.str(), HasSubstr("\x1b[32mdone\x1b[0m"));
}

TEST_F(ScreenTest, ALineWithoutEndIsWrittenWhenTheScreenGoes) {
  {
    const auto terminal = world({20, false});
    Screen screen(terminal);
    screen.out() << "one two three four five";
    EXPECT_EQ(out.str(), "");
  }
  EXPECT_EQ(out.str(), "one two three four five");
}

// Progress

struct ProgressRow {
  std::uint64_t done;
  std::uint64_t total;
  std::uint64_t first;
  std::chrono::seconds elapsed;
  const char* want;
};

class ProgressText : public testing::TestWithParam<ProgressRow> {};

TEST_P(ProgressText, TellsRateAndTimeLeft) {
  const auto& row = GetParam();
  EXPECT_EQ(progress_text("f", "bytes", row.done, row.total, row.first, row.elapsed), row.want);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ProgressText,
    testing::Values(ProgressRow{0, 0, 0, 0s, "f: 0 bytes"},
                    ProgressRow{1'234'567, 0, 0, 10s, "f: 123,456 bytes a second, 1,234,567 bytes"},
                    ProgressRow{1000, 4000, 0, 2s,
                                "f: 25 %, 7s left, 500 bytes a second, 1,000 of 4,000 bytes"},
                    ProgressRow{3000, 4000, 2000, 2s,
                                "f: 75 %, 3s left, 500 bytes a second, 3,000 of 4,000 bytes"},
                    ProgressRow{4000, 4000, 0, 4s,
                                "f: 100 %, 1,000 bytes a second, 4,000 of 4,000 bytes"}));

TEST(ProgressTextTest, RateAndTimeLeftFitBesideAnOrdinaryName) {
  const auto text =
      progress_text("tlsrpt-2026-11-29.jsonl.gz", "bytes", 91'079'716, 998'669'716, 0, 8s);
  EXPECT_THAT(text.substr(0, 79), HasSubstr("left"));
  EXPECT_THAT(text.substr(0, 79), HasSubstr("a second"));
}

TEST_F(ScreenTest, ProgressIsOneLineThatIsWipedInTheEnd) {
  const auto terminal = world({30, false});
  Progress::SteadyTime now;
  {
    Progress progress(terminal, "file", "bytes", Progress::Where::kTerminal, [&] { return now; });
    progress.tell(0, 1000);
    now += 100ms;
    progress.tell(100, 1000);
    EXPECT_EQ(err.str(), "");  // it may be over at once
    now += 900ms;
    progress.tell(500, 1000);
    EXPECT_THAT(err.str(), StartsWith("\r\x1b[Kfile: 50 %, "));
    EXPECT_THAT(err.str(), Not(HasSubstr("\n")));
    const auto written = err.str().size();
    EXPECT_LE(width_on_screen(err.str()) - 1, 30U);
    now += 10ms;
    progress.tell(510, 1000);
    EXPECT_EQ(err.str().size(), written);
  }
  EXPECT_TRUE(err.str().ends_with("\r\x1b[K"));
}

TEST_F(ScreenTest, ProgressElsewhereSaysNothing) {
  const auto plain = world({});
  Progress::SteadyTime now;
  {
    Progress progress(plain, "file", "bytes", Progress::Where::kTerminal, [&] { return now; });
    now += 10s;
    progress.tell(500, 1000);
  }
  EXPECT_EQ(err.str(), "");
}

TEST_F(ScreenTest, ProgressThatIsAskedForElsewhereIsALineNowAndThenAndInTheEnd) {
  const auto plain = world({});
  Progress::SteadyTime now;
  {
    Progress progress(plain, "file", "bytes", Progress::Where::kEverywhere, [&] { return now; });
    for (unsigned second = 0; second < 25; ++second, now += 1s) progress.tell(40U * second, 1000);
    progress.tell(1000, 1000);
  }
  EXPECT_EQ(err.str(),
            "file: 40 %, 16s left, 40 bytes a second, 400 of 1,000 bytes\n"
            "file: 80 %, 6s left, 40 bytes a second, 800 of 1,000 bytes\n"
            "file: 100 %, 40 bytes a second, 1,000 of 1,000 bytes\n");
}

TEST_F(ScreenTest, WhatAnEarlierRunHasDoneIsNoWorkOfThisOne) {
  const auto terminal = world({80, false});
  Progress::SteadyTime now;
  Progress progress(terminal, "file", "bytes", Progress::Where::kTerminal, [&] { return now; });
  progress.tell(0, 1000, 0);
  now += 2s;
  progress.tell(500, 1000, 500);
  now += 2s;
  progress.tell(600, 1000, 500);
  EXPECT_THAT(err.str(), HasSubstr("60 %, 9s left, 50 bytes a second, 600 of 1,000 bytes"));
}

TEST_F(ScreenTest, ALineOfTheLogIsNotGluedToProgress) {
  const auto terminal = world({80, false});
  Progress::SteadyTime now;
  Progress progress(terminal, "file", "bytes", Progress::Where::kTerminal, [&] { return now; });
  testing_support::RecordingLog log;
  LogBesideProgress beside(log, progress);
  beside.warning("session-rejected");
  EXPECT_EQ(err.str(), "");
  now += 1s;
  progress.tell(500, 1000);
  beside.warning("session-rejected");
  EXPECT_TRUE(err.str().ends_with("bytes\r\x1b[K")) << err.str();
  EXPECT_THAT(log.lines("session-rejected"), testing::SizeIs(2));
  progress.tell(500, 1000);
  EXPECT_TRUE(err.str().ends_with("bytes")) << err.str();
}

}  // namespace
}  // namespace rapporteur
