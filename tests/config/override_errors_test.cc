// Errors of overrides per domain, word for word.

#include <gtest/gtest.h>

#include <string>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using testing_support::errors_of;
using testing_support::with_system;

struct Complaint {
  const char* name;
  const char* text;  // below a [system] of three lines
  const char* want;
};
class OverrideErrors : public testing::TestWithParam<Complaint> {};

TEST_P(OverrideErrors, AreToldWithTheirPlace) {
  EXPECT_EQ(errors_of(with_system(GetParam().text)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OfOverrides, OverrideErrors,
    testing::Values(
        Complaint{
            "NoDomain", R"~([report.tls.domain."exa mple"]
)~",
            R"~(r.toml:4:20: error: 'exa mple' is no host name: it holds a character that none has
    [report.tls.domain."exa mple"]
                       ^~~~~~~~~~
)~"},
        Complaint{"Star", R"~([report.tls.domain."*"]
)~",
                  R"~(r.toml:4:20: error: '*' is no host name: it holds a character that none has
    [report.tls.domain."*"]
                       ^~~
  [report.tls] holds for every domain
)~"},
        Complaint{"Unquoted", R"~([report.tls.domain.example.org]
fromName = "'a'"
)~",
                  R"~(r.toml:4:28: error: unknown setting 'org'
    [report.tls.domain.example.org]
                               ^~~
  a domain stands in quotes: [report.tls.domain."example.org"]
)~"},
        Complaint{
            "Twice", R"~([report.tls.domain."Bücher.example"]
[report.tls.domain."xn--bcher-kva.example."]
)~",
            R"~(r.toml:5:20: error: 'xn--bcher-kva.example.' is the same domain as 'Bücher.example' in line 4
    [report.tls.domain."xn--bcher-kva.example."]
                       ^~~~~~~~~~~~~~~~~~~~~~~~
)~"},
        Complaint{
            "SuffixTwice", R"~([report.tls.domain."*.a.example"]
[report.tls.domain."*.A.example"]
)~",
            R"~(r.toml:5:20: error: '*.A.example' is the same domain as '*.a.example' in line 4
    [report.tls.domain."*.A.example"]
                       ^~~~~~~~~~~~~
)~"},
        Complaint{"UnknownSetting", R"~([report.tls.domain."a.example"]
sendFrequenzy = "daily"
)~",
                  R"~(r.toml:5:1: error: unknown setting 'sendFrequenzy'
    sendFrequenzy = "daily"
    ^~~~~~~~~~~~~
  did you mean sendFrequency?
)~"},
        Complaint{
            "OtherType", R"~([report.tls]
domain = { "a.example" = "daily" }
)~",
            R"~(r.toml:5:26: error: report.tls.domain.a.example must be a table of settings, not a string
    domain = { "a.example" = "daily" }
                             ^~~~~~~
)~"},
        Complaint{"BadExpression", R"~([report.tls.domain."a.example"]
sendFrequency = "dayly"
)~",
                  R"~(r.toml:5:18: error: unknown name 'dayly'
    sendFrequency = "dayly"
                     ^~~~~
  did you mean daily?
)~"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
