// Texts that are large or repetitive in the most inconvenient way: diagnostics in linear time, and
// no more of them than can be read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <string>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using testing::StartsWith;
using testing_support::with_system;

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

double seconds_for(const std::string& text) {
  const auto begin = std::clock();  // of this process: others may be busy
  parse_config(text, "r.toml");
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

struct Hostile {
  const char* name;
  std::string begin;
  std::string item;
  std::string end;
};
class HostileText : public testing::TestWithParam<Hostile> {};

TEST_P(HostileText, TakesLinearTime) {
  const auto& [name, begin, item, end] = GetParam();
  const auto text_of = [&, &b = begin, &i = item, &e = end](std::size_t bytes) {
    return with_system(b + repeated(i, bytes / i.size()) + e);
  };
  const auto few = seconds_for(text_of(50'000));
  const auto many = seconds_for(text_of(500'000));
  RecordProperty("milliseconds", static_cast<int>(many * 1000));
  EXPECT_LT(many, few * 50 + 0.5) << "ten times as much";
}

INSTANTIATE_TEST_SUITE_P(
    OfOneKind, HostileText,
    testing::Values(Hostile{"ArrayOfArrays", "[received]\nmaildir = [", "[],", "]\n"},
                    Hostile{"ArrayOfNumbers", "[received]\nmaildir = [", "1,", "]\n"},
                    Hostile{"ArrayOfLines", "[received]\nmaildir = [", "1,\n", "]\n"},
                    Hostile{"Branches", "[report.tls]\norgName = [",
                            "{ if = \"rcpt_domain\", then = \"'a'\" },", "{ else = \"'b'\" } ]\n"},
                    Hostile{"BrokenBranches", "[report.tls]\norgName = [",
                            "{ if = \"rcpt_domian\", then = \"'a'\" },", "{ else = \"'b'\" } ]\n"},
                    Hostile{"TablesOfKeys", "", "[[dkim]]\n", ""},
                    Hostile{"LongString", "[report.tls]\norgName = \"", "x", "\"\n"},
                    Hostile{"LongStringOfLines", "[report.tls]\norgName = '''", "x\n", "'''\n"},
                    Hostile{"LongText", "[log]\nlevel = \"", "ü", "\"\n"},
                    Hostile{"LongKey", "[log]\n\"", "x", "\" = 1\n"},
                    Hostile{"Quotes", "a = ", "'", ""},
                    Hostile{"DoubleQuotes", "a = \"\"\"", "\"\" ", ""},
                    Hostile{"Backslashes", "a = \"", "\\", ""},
                    Hostile{"Continuations", "[report.tls]\norgName = \"\"\"", "\\\n ", "\"\"\"\n"},
                    Hostile{"Comment", "# ", "#", "\n"}, Hostile{"EmptyLines", "", "\n", ""}),
    [](const auto& test) { return test.param.name; });

// Each of the texts names things that differ.
std::string numbered(const std::string& before, const std::string& after, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += before + std::to_string(i) + after;
  return text;
}

TEST(HostileKeys, TakeLinearTime) {
  for (const auto& [begin, before, after, end] :
       {std::array<std::string, 4>{"", "[x", "]\n", ""},
        {"[log]\n", "x", " = 1\n", ""},
        {"[report.tls]\norgName = { ", "k", " = 1, ", "z = 1 }\n"},
        {"[lookup.local]\nkeys = [", "\"d", ".example\", ", "]\n"},
        {"[ingest]\nsendingIp = { ", "\"::", "\" = \"::1\", ", "\"::ffff\" = \"::1\" }\n"},
        {"", "[report.tls.domain.\"d", ".example\"]\n", ""}}) {
    const auto text_of = [&, &b = begin, &x = before, &y = after, &e = end](int count) {
      return with_system(b + numbered(x, y, count) + e);
    };
    const auto few = seconds_for(text_of(1000));
    EXPECT_LT(seconds_for(text_of(10'000)), few * 50 + 0.5) << before;
  }
}

// Overrides of three settings each, none of whose expressions stands twice.
std::string overrides(int count) {
  auto text = with_system("[delivery.smtp]\nrelaySigns = true\n");
  for (int i = 0; i < count; ++i) {
    const auto n = std::to_string(i);
    text += "[report.tls.domain.\"" + std::string(i % 2 == 0 ? "*." : "") + "d" + n +
            ".example\"]\nsendFrequency = [ { if = \"ends_with(rcpt_domain, '.g" + n +
            "')\", then = \"hourly\" }, { else = \"weekly\" } ]\n" +
            "maxReportSize = { match = [ { if = \"rcpt_domain == 'd" + n +
            ".example'\", then = \"" + n + "\" } ], else = \"5mb\" }\n" + "orgName = \"'Example " +
            n + " of ' + rcpt_domain\"\n";
  }
  return text;
}

TEST(Overrides, LoadInLinearTime) {
  const auto loaded = parse_config(overrides(1000), "r.toml");
  ASSERT_TRUE(loaded.config);
  EXPECT_TRUE(loaded.diagnostics.empty());
  EXPECT_EQ(loaded.config->settings.patterns().size(), 1000U);
  const auto few = seconds_for(overrides(1000));
  const auto many = seconds_for(overrides(5000));
  RecordProperty("milliseconds", static_cast<int>(many * 1000));
  EXPECT_LT(many, few * 20) << "five times as many";
}

TEST(HostileKeys, WithDotsAreCounted) {
  const auto text = numbered("x", ".a = 1\n", 60'000) + numbered("x", ".b = 1\n", 60'000);
  const auto loaded = parse_config(text, "r.toml");
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_THAT(loaded.diagnostics[0].text(),
              StartsWith("r.toml:100001:7: error: the file has more than 100,000 keys and headers "
                         "with dots\n    x40000.b = 1\n"));
}

TEST(Diagnostics, AreCountedBeyondAThousand) {
  const auto loaded =
      parse_config(with_system("[delivery.smtp]\nrelaySigns = true\n[received]\nmaildir = [" +
                               repeated("1,", 1234) + "]\n[report.tls]\norgName = [" +
                               repeated("{ if = \"rcpt_domain\", then = \"'a'\" },", 2002) +
                               "{ else = \"'b'\" } ]\n"),
                   "r.toml");
  EXPECT_FALSE(loaded.config);
  ASSERT_EQ(loaded.diagnostics.size(), 2002U);
  EXPECT_EQ(loaded.diagnostics[2000].text(), "r.toml: error: 234 further errors are not shown");
  EXPECT_EQ(loaded.diagnostics[2001].text(),
            "r.toml: advice: 1001 further pieces of advice are not shown");
}

TEST(Diagnostics, ShowOnlyWhatSurroundsThePlaceInALongLine) {
  const auto errors = testing_support::errors_of(
      with_system("[log]\nformat = \"" + repeated("日", 400) + "\"\n[received]\ncount = [" +
                  repeated("\"dkim\", ", 300) + "\"spf\", " + repeated("\"dkim\", ", 300) + "]\n"));
  EXPECT_EQ(errors,
            "r.toml:5:10: error: '" + repeated("日", 25) +
                "…' is no value of log.format, which takes text, json\n    format = \"" +
                repeated("日", 330) + "…\n             ^" + repeated("~", 660) +
                "\nr.toml:7:2410: error: 'spf' is no value of received.count, which takes dkim, "
                "mta, local, https, unverified\n    …" +
                repeated("\"dkim\", ", 25) + "\"spf\", " + repeated("\"dkim\", ", 99) +
                "\"…\n    " + std::string(201, ' ') + "^~~~~\n");
}

TEST(Diagnostics, ShowNothingThatATerminalObeys) {
  const auto errors =
      testing_support::errors_of(with_system("[log]\nlevel = \"\\u001B[2J\"\n"
                                             "\"\\u009B2J\" = 1\n"));
  EXPECT_EQ(errors.find('\x1B'), errors.npos);
  EXPECT_EQ(errors.find("\xC2\x9B"), errors.npos);
}

}  // namespace
}  // namespace rapporteur
