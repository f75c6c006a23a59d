#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;

// ---- record

struct RecordCase {
  const char* name;
  std::vector<std::string> records;  // empty: the name does not exist
  const char* want;
};
class RecordOf : public CliTest, public testing::WithParamInterface<RecordCase> {};

TEST_P(RecordOf, IsToldToPrograms) {
  if (!GetParam().records.empty()) resolver.say("_smtp._tls.a.example", GetParam().records);
  const auto outcome = run({"record", "A.Example", "--json"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.json(), OrderedJson::parse(GetParam().want)) << outcome.out;
}

INSTANTIATE_TEST_SUITE_P(
    EachState, RecordOf,
    testing::Values(
        RecordCase{"Ok",
                   {"v=TLSRPTv1; rua=mailto:tls@a.example,https://r.a.example/x"},
                   R"({"domain": "a.example", "state": "ok",
                       "rua": ["mailto:tls@a.example", "https://r.a.example/x"], "skipped": [],
                       "text": ["v=TLSRPTv1; rua=mailto:tls@a.example,https://r.a.example/x"]})"},
        RecordCase{"None", {}, R"({"domain": "a.example", "state": "none", "rua": [],
                                   "skipped": [], "text": []})"},
        RecordCase{"Several",
                   {"v=TLSRPTv1; rua=mailto:a@a.example", "v=TLSRPTv1; rua=mailto:b@a.example"},
                   R"({"domain": "a.example", "state": "several", "rua": [], "skipped": [],
                       "text": ["v=TLSRPTv1; rua=mailto:a@a.example",
                                "v=TLSRPTv1; rua=mailto:b@a.example"]})"},
        RecordCase{"Invalid",
                   {"v=TLSRPTv1;"},
                   R"({"domain": "a.example", "state": "invalid", "rua": [], "skipped": [],
                       "text": ["v=TLSRPTv1;"]})"}),
    [](const auto& test) { return test.param.name; });

TEST_F(CliTest, RecordWithoutADefiniteAnswerFails) {
  resolver.fail("_smtp._tls.a.example", "SERVFAIL");
  const auto outcome = run({"record", "a.example", "--json"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.json(), OrderedJson::parse(R"({"domain": "a.example", "state": "temporary",
                                             "rua": [], "skipped": [], "text": []})"));
  EXPECT_THAT(run({"record", "a.example"}).out, HasSubstr("  problem: SERVFAIL\n"));
}

TEST_F(CliTest, RecordTellsWhichDestinationsAreNotUsed) {
  configure("[delivery]\nmaxDestinations = 1\n");
  resolver.say("_smtp._tls.a.example",
               {"v=TLSRPTv1; rua=mailto:a@a.example,ftp://a.example/,mailto:b@a.example"});
  const auto json = run({"record", "a.example", "--json"}).json();
  EXPECT_EQ(json["rua"], OrderedJson::parse(R"(["mailto:a@a.example"])"));
  ASSERT_EQ(json["skipped"].size(), 2U);
  EXPECT_EQ(json["skipped"][0]["uri"], "ftp://a.example/");
  EXPECT_EQ(json["skipped"][1],
            OrderedJson::parse(
                R"({"uri": "mailto:b@a.example", "why": "more than maxDestinations = 1"})"));
}

TEST_F(CliTest, RecordAsksTheConfiguredServersAndKeepsTheTerminalSafe) {
  configure("[dns]\nservers = [\"127.0.0.1:5353\"]\ntimeout = \"3s\"\n");
  resolver.say("_smtp._tls.a.example", {"v=TLSRPTv1; rua=mailto:a@a.example; x=\x1b[2J\xff"});
  const auto outcome = run({"record", "a.example"});
  EXPECT_THAT(resolver_options.servers, testing::ElementsAre("127.0.0.1:5353"));
  EXPECT_EQ(resolver_options.timeout, Seconds{3});
  EXPECT_EQ(outcome.out.find('\x1b'), std::string::npos);
  EXPECT_THAT(outcome.out, HasSubstr("_smtp._tls.a.example: invalid\n"));
  EXPECT_TRUE(run({"record", "a.example", "--json"}).json().is_object());
}

// ---- config

TEST_F(CliTest, ConfigCheckOfAValidFileSaysSo) {
  const auto outcome = run({"config", "check"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, config_path.string() + " is valid\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(run({"config", "check", "--json"}).json(), OrderedJson::array());
}

TEST_F(CliTest, ConfigCheckTellsEveryErrorWithItsPlace) {
  configure("[report.tls]\nsendFrequency = \"dayly\"\n[log]\nlevle = \"info\"\n");
  const auto outcome = run({"config", "check"});
  EXPECT_EQ(outcome.code, kExitConfig);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(config_path.string() + ":11:"));
  EXPECT_THAT(outcome.err, HasSubstr(config_path.string() + ":13:1: error: "));

  const auto json = run({"config", "check", "--json"});
  EXPECT_EQ(json.code, kExitConfig);
  ASSERT_EQ(json.json().size(), 2U);
  std::vector<std::string> keys;
  const auto parsed = json.json();
  for (const auto& [key, value] : parsed[1].items()) keys.push_back(key);
  EXPECT_THAT(keys,
              testing::ElementsAre("file", "line", "column", "severity", "message", "suggestion"));
  EXPECT_EQ(parsed[1]["line"], 13);
  EXPECT_EQ(parsed[1]["column"], 1);
  EXPECT_EQ(parsed[1]["severity"], "error");
}

TEST_F(CliTest, ConfigCheckOfAMissingFileIsAnError) {
  const auto missing = (folder / "none.toml").string();
  const auto outcome = run_bare({"config", "check", "--config", missing});
  EXPECT_EQ(outcome.code, kExitConfig);
  EXPECT_THAT(outcome.err, HasSubstr(missing));
}

TEST_F(CliTest, ConfigShowPrintsWhatConfigCheckAccepts) {
  const auto outcome = run({"config", "show"});
  EXPECT_EQ(outcome.code, 0);
  const auto copy = folder / "copy.toml";
  write(copy, outcome.out);
  const auto checked = run_bare({"config", "check", "--config", copy.string()});
  EXPECT_EQ(checked.code, 0) << checked.err;
  const auto json = run({"config", "show", "--json"}).json();
  EXPECT_EQ(json["path"], config_path.string());
  EXPECT_EQ(json["toml"], outcome.out);
}

// ---- expr eval

struct Evaluation {
  const char* name;
  std::vector<std::string> arguments;
  const char* want;
};
class ExprEval : public CliTest, public testing::WithParamInterface<Evaluation> {};

TEST_P(ExprEval, PrintsTypeAndValue) {
  std::vector<std::string> arguments = {"expr", "eval", "--json"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  const auto outcome = run(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json(), OrderedJson::parse(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    EachType, ExprEval,
    testing::Values(
        Evaluation{"Integer", {"1 + 2"}, R"({"type": "integer", "value": 3})"},
        Evaluation{"Negative", {"--", "-1 + 2"}, R"({"type": "integer", "value": 1})"},
        Evaluation{"Truth", {"1 == 1"}, R"({"type": "integer", "value": 1})"},
        Evaluation{"Float", {"1.5 + 1"}, R"({"type": "float", "value": 2.5})"},
        Evaluation{"String", {"'a' + 'b'"}, R"({"type": "string", "value": "ab"})"},
        Evaluation{"Array", {"['a', 1]"}, R"({"type": "array", "value": ["a", 1]})"},
        Evaluation{"Constant", {"daily"}, R"({"type": "constant", "value": "daily"})"},
        Evaluation{
            "DefaultDomain", {"rcpt_domain"}, R"({"type": "string", "value": "example.com"})"},
        Evaluation{"GivenDomain",
                   {"--domain", "A.Example", "rcpt_domain"},
                   R"({"type": "string", "value": "a.example"})"},
        Evaluation{
            "System", {"system('domain')"}, R"({"type": "string", "value": "reporter.example"})"},
        Evaluation{
            "SetJsonNumber", {"--set", "x=2", "x + 1"}, R"({"type": "integer", "value": 3})"},
        Evaluation{"SetJsonText", {"--set", "x=\"2\"", "x"}, R"({"type": "string", "value": "2"})"},
        Evaluation{"SetJsonArray",
                   {"--set", "x=[1,\"a\"]", "x"},
                   R"({"type": "array", "value": [1, "a"]})"},
        Evaluation{"SetJsonTruth", {"--set", "x=true", "x"}, R"({"type": "integer", "value": 1})"},
        Evaluation{"SetPlainText",
                   {"--set", "x=a=b", "--set", "y=", "x + y"},
                   R"({"type": "string", "value": "a=b"})"},
        Evaluation{"SetVariableOfASetting",
                   {"--set", "failed_sessions=3", "failed_sessions > 2"},
                   R"({"type": "integer", "value": 1})"},
        Evaluation{"SetReplacesTheDomain",
                   {"--set", "rcpt_domain=b.example", "rcpt_domain"},
                   R"({"type": "string", "value": "b.example"})"}),
    [](const auto& test) { return test.param.name; });

TEST_F(CliTest, ExprEvalPrintsTheBareValueForPeople) {
  EXPECT_EQ(run({"expr", "eval", "'a' + rcpt_domain"}).out, "aexample.com\n");
}

TEST_F(CliTest, ExprEvalNeedsNoConfiguration) {
  const auto outcome = run_bare({"expr", "eval", "1 + 1", "--config", "/nowhere/none.toml"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "2\n");
  EXPECT_EQ(outcome.err, "");
  const auto without =
      run_bare({"expr", "eval", "system('domain')", "--config", "/nowhere/n.toml"});
  EXPECT_EQ(without.code, kExitFailed);
  EXPECT_THAT(
      without.err,
      HasSubstr("/nowhere/n.toml cannot be used, so system() and the lookups know nothing\n"));
}

TEST_F(CliTest, ExprEvalDumpsTheProgram) {
  EXPECT_EQ(run({"expr", "eval", "--dump", "'a' + rcpt_domain"}).out, "(+ 'a' rcpt_domain)\n");
  EXPECT_EQ(run({"expr", "eval", "--dump", "--json", "'a' + rcpt_domain"}).json(),
            (OrderedJson{{"program", "(+ 'a' rcpt_domain)"}}));
}

TEST_F(CliTest, ExprEvalPointsAtTheFault) {
  const auto outcome = run({"expr", "eval", "'ü' + rcpt_domian"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("expression:1:7: error: "));
  EXPECT_THAT(outcome.err, HasSubstr("\n    'ü' + rcpt_domian\n          ^~~~~~~~~~~\n"));
  const auto json = run({"expr", "eval", "--json", "'ü' + rcpt_domian"}).json();
  EXPECT_EQ(json["error"], json["diagnostics"][0]["message"]);
  EXPECT_EQ(json["diagnostics"][0]["column"], 7);
}

TEST_F(CliTest, ExprEvalSaysHowToGiveAVariableItsValue) {
  EXPECT_THAT(run({"expr", "eval", "window_start"}).err,
              HasSubstr("has no value here; --set window_start=… gives it one"));
}

TEST_F(CliTest, ExprEvalPointsAtAFaultOfTheEvaluation) {
  const auto outcome = run({"expr", "eval", "--set", "x=0", "1 / x"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("expression:1:"));
  EXPECT_THAT(outcome.err, HasSubstr("\n    1 / x\n"));
}

TEST_F(CliTest, ExprEvalRefusesWhatIsNoAssignment) {
  for (const char* assignment : {"x", "=1", "1x=1", "a b=1"}) {
    const auto outcome = run({"expr", "eval", "--set", assignment, "1"});
    EXPECT_EQ(outcome.code, kExitUsage);
    EXPECT_EQ(outcome.err, std::string("rapporteur: --set: '") + assignment +
                               "' is not of the form name=value\n");
  }
  EXPECT_EQ(run({"expr", "eval", "--set", "x=null", "1"}).err,
            "rapporteur: --set: 'x=null': null is no value\n");
  EXPECT_EQ(run({"expr", "eval", "--set", "x={}", "1"}).code, kExitUsage);
  EXPECT_EQ(run({"expr", "eval", "--set", "x=9223372036854775808", "1"}).code, kExitUsage);
  EXPECT_EQ(run({"expr", "eval", "--set",
                 "x=" + std::string(100'000, '[') + std::string(100'000, ']'), "1"})
                .code,
            kExitUsage);
}

}  // namespace
}  // namespace rapporteur
