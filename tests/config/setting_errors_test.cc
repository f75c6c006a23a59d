// Errors of expression settings, word for word.

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
class SettingErrors : public testing::TestWithParam<Complaint> {};

TEST_P(SettingErrors, AreToldWithTheirPlace) {
  EXPECT_EQ(errors_of(with_system(GetParam().text)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OfExpressions, SettingErrors,
    testing::Values(
        Complaint{"UnknownName", R"~([report.tls]
fromName = "rcpt_domian"
)~",
                  R"~(r.toml:5:13: error: unknown name 'rcpt_domian'
    fromName = "rcpt_domian"
                ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"Literal", R"~([report.tls]
fromName = 'rcpt_domian'
)~",
                  R"~(r.toml:5:13: error: unknown name 'rcpt_domian'
    fromName = 'rcpt_domian'
                ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"BehindEscapes", R"~([report.tls]
fromName = "\"\u00e4\" + rcpt_domian"
)~",
                  R"~(r.toml:5:26: error: unknown name 'rcpt_domian'
    fromName = "\"\u00e4\" + rcpt_domian"
                             ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"MultiLineBasic", R"~([report.tls]
fromName = """
  'a' + \
    rcpt_domian"""
)~",
                  R"~(r.toml:7:5: error: unknown name 'rcpt_domian'
        rcpt_domian"""
        ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"MultiLineLiteral", R"~([report.tls]
fromName = '''
  'a' +
  rcpt_domian'''
)~",
                  R"~(r.toml:7:3: error: unknown name 'rcpt_domian'
      rcpt_domian'''
      ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"BehindWideTextAndTabs", R"~([report.tls]
	fromName = "'日本' + rcpt_domian"
)~",
                  R"~(r.toml:5:21: error: unknown name 'rcpt_domian'
    	fromName = "'日本' + rcpt_domian"
    	                     ^~~~~~~~~~~
  did you mean rcpt_domain?
)~"},
        Complaint{"Empty", R"~([report.tls]
fromName = ""
)~",
                  R"~(r.toml:5:13: error: expected a value but the expression ends
    fromName = ""
                ^
)~"},
        Complaint{"EndsTooEarly", R"~([report.tls]
fromName = "1 +"
)~",
                  R"~(r.toml:5:16: error: expected a value but the expression ends
    fromName = "1 +"
                   ^
)~"},
        Complaint{"SeveralInOneSetting", R"~([report.tls]
fromName = "aaaa + bbbb"
)~",
                  R"~(r.toml:5:13: error: unknown name 'aaaa'
    fromName = "aaaa + bbbb"
                ^~~~
r.toml:5:20: error: unknown name 'bbbb'
    fromName = "aaaa + bbbb"
                       ^~~~
)~"},
        Complaint{"NotAvailableInSubject", R"~([report.tls]
subject = "delivery_id"
)~",
                  R"~(r.toml:5:12: error: 'delivery_id' is known only in envelopeFrom
    subject = "delivery_id"
               ^~~~~~~~~~~
)~"},
        Complaint{"NotAvailableAtIntake", R"~([report.tls]
sendFrequency = "if_then(failed_sessions > 0, hourly, daily)"
)~",
                  R"~(r.toml:5:26: error: 'failed_sessions' is known only when a report is assembled
    sendFrequency = "if_then(failed_sessions > 0, hourly, daily)"
                             ^~~~~~~~~~~~~~~
)~"},
        Complaint{"PartOnlyInSubject", R"~([report.tls]
orgName = "'' + part"
)~",
                  R"~(r.toml:5:17: error: 'part' is known only in subject
    orgName = "'' + part"
                    ^~~~
)~"},
        Complaint{
            "OfOtherType", R"~([report.tls]
fromName = 2026-11-20
)~",
            R"~(r.toml:5:12: error: fromName must be an expression in quotes, not a date or time
    fromName = 2026-11-20
               ^~~~~~~~~~
)~"},
        Complaint{"OfInfinity", R"~([report.tls]
maxReportSize = inf
)~",
                  R"~(r.toml:5:17: error: unknown name 'inf'
    maxReportSize = inf
                    ^~~
)~"},
        Complaint{
            "FrequencyOfNumbers", R"~([report.tls]
sendFrequency = "1 + 1"
)~",
            R"~(r.toml:5:18: error: sendFrequency yields 2, which is none of hourly, daily, weekly and never
    sendFrequency = "1 + 1"
                     ^~~~~
  write hourly, daily, weekly or never
)~"},
        Complaint{
            "FrequencyOfTruth", R"~([report.tls]
sendFrequency = "rcpt_domain == 'a.example'"
)~",
            R"~(r.toml:5:18: error: sendFrequency yields a truth value, which is none of hourly, daily, weekly and never
    sendFrequency = "rcpt_domain == 'a.example'"
                     ^~~~~~~~~~~~~~~~~~~~~~~~~~
  to choose a frequency, write if_then(condition, weekly, daily)
)~"},
        Complaint{
            "FrequencyOfConstantTruth", R"~([report.tls]
sendFrequency = true
)~",
            R"~(r.toml:5:17: error: sendFrequency yields a truth value, which is none of hourly, daily, weekly and never
    sendFrequency = true
                    ^~~~
  to choose a frequency, write if_then(condition, weekly, daily)
)~"},
        Complaint{
            "FrequencyOfText", R"~([report.tls]
sendFrequency = "'fortnightly'"
)~",
            R"~(r.toml:5:18: error: sendFrequency yields 'fortnightly', which is none of hourly, daily, weekly and never
    sendFrequency = "'fortnightly'"
                     ^~~~~~~~~~~~~
  write hourly, daily, weekly or never
)~"},
        Complaint{"SizeOfText", R"~([report.tls]
maxReportSize = "'big'"
)~",
                  R"~(r.toml:5:18: error: maxReportSize yields 'big', which is no size in bytes
    maxReportSize = "'big'"
                     ^~~~~
  write a number of bytes, or 5mb
)~"},
        Complaint{
            "SizeOfTruth", R"~([report.tls]
maxReportSize = true
)~",
            R"~(r.toml:5:17: error: maxReportSize yields a truth value, which is no size in bytes
    maxReportSize = true
                    ^~~~
  write a number of bytes, or 5mb
)~"},
        Complaint{"SizeNegative", R"~([report.tls]
maxReportSize = -1
)~",
                  R"~(r.toml:5:17: error: maxReportSize yields -1, which is no size in bytes
    maxReportSize = -1
                    ^~
  write a number of bytes, or 5mb
)~"},
        Complaint{"AddressWithoutDomain", R"~([report.tls]
fromAddress = "'nobody'"
)~",
                  R"~(r.toml:5:16: error: fromAddress yields 'nobody', which is no mail address
    fromAddress = "'nobody'"
                   ^~~~~~~~
  an address looks like 'tlsrpt@example.org'
)~"},
        Complaint{
            "AddressOfOneLabel", R"~([report.tls]
envelopeFrom = "'a@localhost'"
)~",
            R"~(r.toml:5:17: error: envelopeFrom yields 'a@localhost', which is no mail address
    envelopeFrom = "'a@localhost'"
                    ^~~~~~~~~~~~~
  an address looks like 'tlsrpt@example.org'
)~"},
        Complaint{"AddressOfConstant", R"~([report.tls]
contactInfo = "daily"
)~",
                  R"~(r.toml:5:16: error: contactInfo yields daily, which is no mail address
    contactInfo = "daily"
                   ^~~~~
  an address looks like 'tlsrpt@example.org'
)~"},
        Complaint{"TextOfNumber", R"~([report.tls]
orgName = 5
)~",
                  R"~(r.toml:5:11: error: orgName yields 5, which is no string
    orgName = 5
              ^
)~"},
        Complaint{"TextWithLineBreak", R"~([report.tls]
subject = "'a\\nb'"
)~",
                  R"~(r.toml:5:12: error: subject yields 'ab', which holds a control character
    subject = "'a\\nb'"
               ^~~~~~~
)~"},
        Complaint{"DomainOfText", R"~([report.tls]
dkimSignDomain = "'not a domain'"
)~",
                  R"~(r.toml:5:19: error: dkimSignDomain yields 'not a domain', which is no domain
    dkimSignDomain = "'not a domain'"
                      ^~~~~~~~~~~~~~
)~"},
        Complaint{"TruthOfConstant", R"~([report.tls]
sendWhen = "never"
)~",
                  R"~(r.toml:5:13: error: sendWhen yields never, which is no truth value
    sendWhen = "never"
                ^~~~~
  write true, false or a comparison, without quotes
)~"},
        Complaint{"TruthOfText", R"~([report.tls]
sendWhen = "'false'"
)~",
                  R"~(r.toml:5:13: error: sendWhen is always true: it is a string
    sendWhen = "'false'"
                ^~~~~~~
  write true, false or a comparison, without quotes
)~"},
        Complaint{
            "UrisOfAddress", R"~([report.tls]
reportTo = "['a@b.example']"
)~",
            R"~(r.toml:5:13: error: reportTo yields 'a@b.example', which is neither a mailto: nor an https: URI
    reportTo = "['a@b.example']"
                ^~~~~~~~~~~~~~~
  write rua, or ['mailto:tlsrpt@example.org']
)~"},
        Complaint{
            "UrisOfNumber", R"~([report.tls]
reportTo = 5
)~",
            R"~(r.toml:5:12: error: reportTo yields 5, which is neither a mailto: nor an https: URI
    reportTo = 5
               ^
  write rua, or ['mailto:tlsrpt@example.org']
)~"},
        Complaint{"InBranches", R"~([report.tls]
maxReportSize = [ { if = "rcpt_domian", then = "'big'" },
                  { else = "1 +" } ]
)~",
                  R"~(r.toml:5:27: error: unknown name 'rcpt_domian'
    maxReportSize = [ { if = "rcpt_domian", then = "'big'" },
                              ^~~~~~~~~~~
  did you mean rcpt_domain?
r.toml:5:49: error: maxReportSize yields 'big', which is no size in bytes
    maxReportSize = [ { if = "rcpt_domian", then = "'big'" },
                                                    ^~~~~
  write a number of bytes, or 5mb
r.toml:6:32: error: expected a value but the expression ends
                      { else = "1 +" } ]
                                   ^
)~"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OfConditions, SettingErrors,
    testing::Values(
        Complaint{"MissingThen", R"~([report.tls]
orgName = [ { if = "1" }, { else = "'a'" } ]
)~",
                  R"~(r.toml:5:15: error: 'if' without a 'then'
    orgName = [ { if = "1" }, { else = "'a'" } ]
                  ^~
)~"},
        Complaint{"MissingIf", R"~([report.tls]
orgName = [ { then = "'b'" }, { else = "'a'" } ]
)~",
                  R"~(r.toml:5:15: error: 'then' without an 'if'
    orgName = [ { then = "'b'" }, { else = "'a'" } ]
                  ^~~~
)~"},
        Complaint{"EmptyBranch", R"~([report.tls]
orgName = [ {}, { else = "'a'" } ]
)~",
                  R"~(r.toml:5:13: error: the branch is empty
    orgName = [ {}, { else = "'a'" } ]
                ^~
)~"},
        Complaint{"MissingElse", R"~([report.tls]
orgName = [ { if = "1", then = "'a'" } ]
)~",
                  R"~(r.toml:5:11: error: 'else' is missing: what if no condition is true?
    orgName = [ { if = "1", then = "'a'" } ]
              ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
  end the list with { else = "..." }
)~"},
        Complaint{"EmptyArray", R"~([report.tls]
orgName = []
)~",
                  R"~(r.toml:5:11: error: 'else' is missing: what if no condition is true?
    orgName = []
              ^~
  end the list with { else = "..." }
)~"},
        Complaint{
            "ElseBeforeIf", R"~([report.tls]
orgName = [ { else = "'a'" }, { if = "1", then = "'b'" } ]
)~",
            R"~(r.toml:5:15: error: 'else' stands before 'if': the branches after it are never asked
    orgName = [ { else = "'a'" }, { if = "1", then = "'b'" } ]
                  ^~~~
)~"},
        Complaint{"TwoElse", R"~([report.tls]
orgName = [ { else = "'a'" }, { else = "'b'" } ]
)~",
                  R"~(r.toml:5:33: error: a second 'else'
    orgName = [ { else = "'a'" }, { else = "'b'" } ]
                                    ^~~~
)~"},
        Complaint{"ElseBesideIf", R"~([report.tls]
orgName = [ { if = "1", then = "'b'", else = "'a'" } ]
)~",
                  R"~(r.toml:5:39: error: 'else' stands beside 'if' or 'then'
    orgName = [ { if = "1", then = "'b'", else = "'a'" } ]
                                          ^~~~
  give it a table of its own, the last one: { else = "..." }
)~"},
        Complaint{"UnknownKey", R"~([report.tls]
orgName = [ { iff = "1", then = "'b'" }, { else = "'a'" } ]
)~",
                  R"~(r.toml:5:15: error: unknown key 'iff' in a condition
    orgName = [ { iff = "1", then = "'b'" }, { else = "'a'" } ]
                  ^~~
  did you mean if?
)~"},
        Complaint{"BranchThatIsNone", R"~([report.tls]
orgName = [ "'b'", { else = "'a'" } ]
)~",
                  R"~(r.toml:5:13: error: a branch must be a table, not a string
    orgName = [ "'b'", { else = "'a'" } ]
                ^~~~~
  write { if = "...", then = "..." }
)~"},
        Complaint{"ExpressionThatIsNone", R"~([report.tls]
orgName = [ { if = [], then = "'b'" }, { else = {} } ]
)~",
                  R"~(r.toml:5:20: error: this must be an expression in quotes, not an array
    orgName = [ { if = [], then = "'b'" }, { else = {} } ]
                       ^~
r.toml:5:49: error: this must be an expression in quotes, not a table
    orgName = [ { if = [], then = "'b'" }, { else = {} } ]
                                                    ^~
)~"},
        Complaint{"MatchWithoutElse", R"~([report.tls]
orgName = { match = [ { if = "1", then = "'a'" } ] }
)~",
                  R"~(r.toml:5:11: error: 'else' is missing: what if no condition is true?
    orgName = { match = [ { if = "1", then = "'a'" } ] }
              ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
  write { match = [...], else = "..." }
)~"},
        Complaint{"MatchOfOtherType", R"~([report.tls]
orgName = { match = 5, else = "'a'" }
)~",
                  R"~(r.toml:5:21: error: match must be an array of { if, then }, not an integer
    orgName = { match = 5, else = "'a'" }
                        ^
)~"},
        Complaint{"ElseInsideOfMatch", R"~([report.tls]
orgName = { match = [ { else = "'a'" } ], else = "'b'" }
)~",
                  R"~(r.toml:5:25: error: 'else' stands inside of match
    orgName = { match = [ { else = "'a'" } ], else = "'b'" }
                            ^~~~
  write { match = [...], else = "..." }
)~"},
        Complaint{"MatchBadNumber", R"~([report.tls]
orgName = { match = { x = { if = "1", then = "'a'" } }, else = "'b'" }
)~",
                  R"~(r.toml:5:23: error: 'x' is no number of a branch
    orgName = { match = { x = { if = "1", then = "'a'" } }, else = "'b'" }
                          ^
  match is an array of { if, then }, or a table of them by 0, 1, 2, ...
)~"},
        Complaint{"MatchNumberTwice", R"~([report.tls]
orgName = { match = { 1 = { if = "1", then = "'a'" }, 01 = { if = "0", then = "'a'" } }, else = "'b'" }
)~",
                  R"~(r.toml:5:55: error: a second branch 1
    orgName = { match = { 1 = { if = "1", then = "'a'" }, 01 = { if = "0", then = "'a'" } }, else = "'b'" }
                                                          ^~
)~"},
        Complaint{"MatchUnknownKey", R"~([report.tls]
orgName = { mach = [], else = "'b'" }
)~",
                  R"~(r.toml:5:13: error: unknown key 'mach' in a condition
    orgName = { mach = [], else = "'b'" }
                ^~~~
  did you mean match?
)~"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
