#include <algorithm>

#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(CliTest, VersionIsPrinted) {
  const auto outcome = run_bare({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, StartsWith("rapporteur "));
  EXPECT_EQ(outcome.err, "");
}

TEST_F(CliTest, HelpListsTheCommandsInTheirGroups) {
  const auto outcome = run_bare({"--help"});
  EXPECT_EQ(outcome.code, 0);
  auto from = outcome.out.begin();
  for (const std::string word :
       {"Daemon and intake:", "  run ", "  ingest ", "Schedule:", "  schedule ", "  pause ",
        "  resume ", "Reports:", "  report ", "  delivery ", "Look and check:", "  record ",
        "  config ", "  expr ", "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 78"}) {
    from = std::search(from, outcome.out.end(), word.begin(), word.end());
    EXPECT_NE(from, outcome.out.end()) << word << " is missing or out of order";
  }
}

class HelpOf : public CliTest, public testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(HelpOf, ShowsOptionsAndAnExample) {
  auto arguments = GetParam();
  arguments.emplace_back("--help");
  const auto outcome = run_bare(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Example:\n  rapporteur " + arguments.front()));
  EXPECT_THAT(outcome.out, HasSubstr("--config FILE"));
  EXPECT_THAT(outcome.out, HasSubstr("--json"));
}

INSTANTIATE_TEST_SUITE_P(EachCommand, HelpOf,
                         testing::ValuesIn(std::vector<std::vector<std::string>>{
                             {"run"},
                             {"ingest"},
                             {"schedule"},
                             {"schedule", "list"},
                             {"schedule", "show"},
                             {"schedule", "explain"},
                             {"schedule", "hold"},
                             {"schedule", "release"},
                             {"schedule", "cancel"},
                             {"schedule", "send-now"},
                             {"pause"},
                             {"resume"},
                             {"report", "preview"},
                             {"report", "list"},
                             {"report", "show"},
                             {"report", "test"},
                             {"check"},
                             {"dkim", "generate"},
                             {"delivery", "list"},
                             {"delivery", "retry"},
                             {"delivery", "abandon"},
                             {"store", "backup"},
                             {"store", "check"},
                             {"store", "prune"},
                             {"stats"},
                             {"record"},
                             {"config", "check"},
                             {"config", "show"},
                             {"expr", "eval"}}),
                         [](const auto& test) {
                           std::string name;
                           for (const auto& word : test.param) name += word + "_";
                           std::ranges::replace(name, '-', '_');
                           return name + "command";
                         });

struct Misuse {
  const char* name;
  std::vector<std::string> arguments;
  const char* want;
};
class MisusedCommandLine : public CliTest, public testing::WithParamInterface<Misuse> {};

TEST_P(MisusedCommandLine, EndsWithTwoAndSaysWhy) {
  const auto outcome = run_bare(GetParam().arguments);
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OneLineEach, MisusedCommandLine,
    testing::Values(
        Misuse{"NoCommand", {}, "rapporteur: A subcommand is required; see `rapporteur --help`\n"},
        Misuse{"UnknownCommand",
               {"frobnicate"},
               "rapporteur: 'frobnicate' is not understood; see `rapporteur --help`\n"},
        Misuse{"MisspelledCommand",
               {"shedule"},
               "rapporteur: 'shedule' is not understood: did you mean 'schedule'?; see "
               "`rapporteur --help`\n"},
        Misuse{"UnknownOption",
               {"schedule", "list", "--nope"},
               "rapporteur: '--nope' is not understood; see `rapporteur schedule list --help`\n"},
        Misuse{"MisspelledOption",
               {"schedule", "list", "--limt", "3"},
               "rapporteur: '--limt' is not understood: did you mean '--limit'?; see `rapporteur "
               "schedule list --help`\n"},
        Misuse{"OptionOfAnotherCommand",
               {"schedule", "show", "a.example", "--limit", "3"},
               "rapporteur: '--limit' is not understood; see `rapporteur schedule show --help`\n"},
        Misuse{"MissingArgument",
               {"schedule", "show"},
               "rapporteur: DOMAIN is required; see `rapporteur schedule show --help`\n"},
        Misuse{"TooManyArguments",
               {"record", "a.example", "b.example"},
               "rapporteur: 'b.example' is not understood; see `rapporteur record --help`\n"},
        Misuse{"UnknownState",
               {"schedule", "--state", "asleep"},
               "rapporteur: --state: 'asleep' is no state; see `rapporteur schedule --help`\n"},
        Misuse{"UnknownDeliveryState",
               {"delivery", "list", "--state", "due"},
               "rapporteur: --state: 'due' is no state; see `rapporteur delivery list --help`\n"},
        Misuse{"UnknownTime",
               {"ingest", "--at", "yesterday", "x"},
               "rapporteur: --at: 'yesterday' is no time; see `rapporteur ingest --help`\n"},
        Misuse{"UnknownFormat",
               {"ingest", "--format", "xml", "x"},
               "rapporteur: --format: 'xml' is no format; see `rapporteur ingest --help`\n"},
        Misuse{"UnknownCursor",
               {"schedule", "--after", "7"},
               "rapporteur: --after: '7' is no cursor; see `rapporteur schedule --help`\n"},
        Misuse{"UnknownRole",
               {"run", "--role", "king"},
               "rapporteur: --role: king not in {ingest,schedule,all}; see `rapporteur run "
               "--help`\n"}),
    [](const auto& test) { return test.param.name; });

TEST_F(CliTest, WhatIsNoDomainNameIsMisuse) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"schedule", "show", "a b"},
                                             {"schedule", "explain", ""},
                                             {"schedule", "hold", "a..b"},
                                             {"schedule", "--domain", "-"},
                                             {"report", "preview", "a@b"},
                                             {"record", "a/b"},
                                             {"delivery", "list", "--domain", "a b"},
                                             {"expr", "eval", "--domain", "a b", "1"}}) {
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.code, kExitUsage) << testing::PrintToString(arguments);
    EXPECT_NE(outcome.err, "");
  }
}

TEST_F(CliTest, MisuseIsToldToProgramsToo) {
  const auto outcome = run_bare({"schedule", "show", "--json"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.json(),
            (OrderedJson{{"error", "DOMAIN is required; see `rapporteur schedule show --help`"}}));
}

TEST_F(CliTest, GlobalOptionsStandBeforeAndAfterTheCommand) {
  ingest_window("example.org");
  const auto path = config_path.string();
  const auto want = run_bare({"--json", "--config", path, "schedule", "show", "example.org"});
  ASSERT_EQ(want.code, 0) << want.err;
  EXPECT_TRUE(want.json().is_object());
  EXPECT_EQ(run_bare({"schedule", "--config", path, "show", "example.org", "--json"}).out,
            want.out);
  EXPECT_EQ(run_bare({"schedule", "--json", "show", "--config=" + path, "example.org"}).out,
            want.out);
}

TEST_F(CliTest, EnvironmentNamesTheConfigurationUnlessAnOptionDoes) {
  environment_config = config_path.string();
  EXPECT_EQ(run_bare({"config", "check"}).out, config_path.string() + " is valid\n");
  const auto outcome = run_bare({"config", "check", "--config", (folder / "none.toml").string()});
  EXPECT_EQ(outcome.code, kExitConfig);
}

TEST_F(CliTest, RunHandsItsRequestToTheDaemon) {
  daemon_exit = 78;
  EXPECT_EQ(run({"run", "--role", "ingest"}).code, 78);
  EXPECT_EQ(run_bare({"run", "--config", "/x.toml"}).code, 78);
  ASSERT_EQ(daemon_requests.size(), 2U);
  EXPECT_EQ(daemon_requests[0].config_path, config_path.string());
  EXPECT_EQ(daemon_requests[0].role, "ingest");
  EXPECT_EQ(daemon_requests[1].config_path, "/x.toml");
  EXPECT_EQ(daemon_requests[1].role, "all");
}

TEST_F(CliTest, ADomainMayHaveTheNameOfACommand) {
  EXPECT_EQ(run({"schedule", "show", "list"}).err, "rapporteur: no window of list is known\n");
}

TEST_F(CliTest, OutputThatCannotBeWrittenIsAFailure) {
  std::ostringstream err;
  std::ostream broken(nullptr);  // every write fails
  const World world{.clock = clock,
                    .random = random,
                    .open_store = {},
                    .make_resolver = {},
                    .run_daemon = {},
                    .environment = [](const char*) { return std::string(); },
                    .confirm = {},
                    .out = broken,
                    .err = err};
  EXPECT_EQ(run_command_line({"config", "check", "--config", config_path.string()}, world),
            kExitFailed);
  EXPECT_EQ(err.str(), "rapporteur: cannot write to standard output\n");
}

class BrokenConfiguration : public CliTest,
                            public testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(BrokenConfiguration, EndsEveryCommandThatNeedsItWith78) {
  write(config_path, "[system]\ndomain = 7\nhostnam = \"a\"\n");
  const auto outcome = run(GetParam());
  EXPECT_EQ(outcome.code, kExitConfig);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(config_path.string() + ":2:10: error: "));
  EXPECT_THAT(outcome.err, HasSubstr(config_path.string() + ":3:1: error: "));

  auto arguments = GetParam();
  arguments.emplace_back("--json");
  const auto for_programs = run(arguments);
  EXPECT_EQ(for_programs.code, kExitConfig);
  if (arguments.front() == "config" && arguments[1] == "check") {
    EXPECT_EQ(for_programs.json().size(), 2U);
  } else {
    EXPECT_EQ(for_programs.json()["error"], config_path.string() + " has 2 errors");
    EXPECT_EQ(for_programs.json()["diagnostics"].size(), 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(EachCommand, BrokenConfiguration,
                         testing::ValuesIn(std::vector<std::vector<std::string>>{
                             {"ingest", "x"},
                             {"schedule"},
                             {"schedule", "list"},
                             {"schedule", "show", "a.example"},
                             {"schedule", "explain", "a.example"},
                             {"schedule", "hold", "a.example"},
                             {"pause"},
                             {"resume"},
                             {"report", "preview", "a.example"},
                             {"report", "list"},
                             {"report", "show", "x"},
                             {"delivery", "list"},
                             {"delivery", "retry", "x"},
                             {"record", "a.example"},
                             {"report", "test", "--to", "tls@a.example"},
                             {"check"},
                             {"config", "check"},
                             {"config", "show"}}));

TEST_F(CliTest, AStoreThatCannotBeOpenedIsAConfigurationError) {
  write(config_path, "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"sqlite:" +
                         (folder / "missing" / "store.db").string() +
                         "\"\n[delivery.smtp]\nrelaySigns = true\n");
  const auto outcome = run({"schedule", "list", "--json"});
  EXPECT_EQ(outcome.code, kExitConfig) << outcome.err;
  EXPECT_TRUE(outcome.json()["error"].is_string());
  EXPECT_THAT(outcome.err, StartsWith("rapporteur: "));
}

}  // namespace
}  // namespace rapporteur
