// Errors of tables, keys and plain values, word for word.

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
class ConfigErrors : public testing::TestWithParam<Complaint> {};

TEST_P(ConfigErrors, AreToldWithTheirPlace) {
  EXPECT_EQ(errors_of(with_system(GetParam().text)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OfStructure, ConfigErrors,
    testing::Values(
        Complaint{"SyntaxError", R"~([store
url = "x"
)~",
                  R"~(r.toml:4:7: error: table header: expected ']', saw '\n'
    [store
          ^
)~"},
        Complaint{"ValueWithoutQuotes", R"~([store]
url = sqlite
)~",
                  R"~(r.toml:5:7: error: value: could not determine value type
    url = sqlite
          ^
  text and expressions stand in quotes: key = "..."
)~"},
        Complaint{"UnquotedText", R"~([store]
url = true-ish
)~",
                  R"~(r.toml:5:11: error: boolean: expected value-terminator, saw '-'
    url = true-ish
              ^
  text and expressions stand in quotes: key = "..."
)~"},
        Complaint{"KeyTwice", R"~([store]
node = "a"
node = "b"
)~",
                  R"~(r.toml:6:8: error: key-value pair: cannot redefine existing string 'node'
    node = "b"
           ^
)~"},
        Complaint{"UnknownTable", R"~([stroe]
)~",
                  R"~(r.toml:4:2: error: unknown table 'stroe'
    [stroe]
     ^~~~~
  did you mean store?
)~"},
        Complaint{"UnknownTableLikeNothing", R"~([teapot]
)~",
                  R"~(r.toml:4:2: error: unknown table 'teapot'
    [teapot]
     ^~~~~~
)~"},
        Complaint{"UnknownKey", R"~([store]
flush_evry = "1s"
)~",
                  R"~(r.toml:5:1: error: unknown key 'flush_evry' in [store]
    flush_evry = "1s"
    ^~~~~~~~~~
  did you mean flushEvery?
)~"},
        Complaint{"UnknownKeyLikeNothing", R"~([store]
teapot = 1
)~",
                  R"~(r.toml:5:1: error: unknown key 'teapot' in [store]
    teapot = 1
    ^~~~~~
)~"},
        Complaint{"KeyOfAnotherTable", R"~([store]
level = "info"
)~",
                  R"~(r.toml:5:1: error: unknown key 'level' in [store]
    level = "info"
    ^~~~~
  level stands in [log]
)~"},
        Complaint{"SettingInWrongTable", R"~([report]
orgName = "'x'"
)~",
                  R"~(r.toml:5:1: error: unknown key 'orgName' in [report]
    orgName = "'x'"
    ^~~~~~~
  orgName stands in [report.tls]
)~"},
        Complaint{"SubmitterInWrongTable", R"~([report.tls]
outboundReportSubmitter = "'x.example'"
)~",
                  R"~(r.toml:5:1: error: unknown key 'outboundReportSubmitter' in [report.tls]
    outboundReportSubmitter = "'x.example'"
    ^~~~~~~~~~~~~~~~~~~~~~~
  outboundReportSubmitter stands in [report]
)~"},
        Complaint{"DkimThatIsOneTable", R"~([dkim]
domain = "example.org"
)~",
                  R"~(r.toml:4:1: error: dkim must be an array of tables, not a table
    [dkim]
    ^~~~~~
  write one [[dkim]] for each key
)~"},
        Complaint{"DkimIncomplete", R"~([[dkim]]
domian = "example.org"
)~",
                  R"~(r.toml:4:1: error: dkim.domain is missing
    [[dkim]]
    ^~~~~~~~
r.toml:4:1: error: dkim.selector is missing
    [[dkim]]
    ^~~~~~~~
r.toml:4:1: error: dkim.key is missing
    [[dkim]]
    ^~~~~~~~
r.toml:5:1: error: unknown key 'domian' in [[dkim]]
    domian = "example.org"
    ^~~~~~
  did you mean domain?
)~"},
        Complaint{"DkimSelector", R"~([[dkim]]
domain = "example.org"
selector = "a b"
key = 5
)~",
                  R"~(r.toml:6:12: error: 'a b' is no host name: it holds a character that none has
    selector = "a b"
               ^~~~~
r.toml:7:7: error: dkim.key must be a string, not an integer
    key = 5
          ^
  write "5"
)~"},
        Complaint{"KeyFileMissing", R"~([[dkim]]
domain = "example.org"
selector = "a"
key = "/nonexistent/key.pem"
)~",
                  R"~(r.toml:7:7: error: cannot open /nonexistent/key.pem: No such file or directory
    key = "/nonexistent/key.pem"
          ^~~~~~~~~~~~~~~~~~~~~~
)~"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OfValues, ConfigErrors,
    testing::Values(
        Complaint{"StringWanted", R"~([store]
node = 5
)~",
                  R"~(r.toml:5:8: error: store.node must be a string, not an integer
    node = 5
           ^
  write "5"
)~"},
        Complaint{"StringNotDate", R"~([store]
node = 2026-11-20
)~",
                  R"~(r.toml:5:8: error: store.node must be a string, not a date or time
    node = 2026-11-20
           ^~~~~~~~~~
)~"},
        Complaint{"ControlCharacters", R"~([delivery.smtp]
username = "a\r\nb"
)~",
                  R"~(r.toml:5:12: error: delivery.smtp.username must not hold control characters
    username = "a\r\nb"
               ^~~~~~~~
)~"},
        Complaint{"DurationWithoutUnit", R"~([store]
flushEvery = "10"
)~",
                  R"~(r.toml:5:14: error: '10' is no duration
    flushEvery = "10"
                 ^~~~
  write it with a unit: "90s", "10m", "4h", "30d"
)~"},
        Complaint{"DurationAsInteger", R"~([store]
flushEvery = 10
)~",
                  R"~(r.toml:5:14: error: store.flushEvery must be a duration, not an integer
    flushEvery = 10
                 ^~
  write it with a unit: "90s", "10m", "4h", "30d"
)~"},
        Complaint{"DurationTooShort", R"~([store]
lease = "0s"
)~",
                  R"~(r.toml:5:9: error: store.lease must be at least 1s
    lease = "0s"
            ^~~~
)~"},
        Complaint{"SizeOfUnknownUnit", R"~([store]
spillMax = "1tb"
)~",
                  R"~(r.toml:5:12: error: '1tb' is no size
    spillMax = "1tb"
               ^~~~~
  write bytes, or a string with a unit: 5242880, "5mb"
)~"},
        Complaint{"SizeNegative", R"~([store]
spillMax = -1
)~",
                  R"~(r.toml:5:12: error: store.spillMax must be at least 0 bytes
    spillMax = -1
               ^~
)~"},
        Complaint{"SizeTooSmall", R"~([http]
maxBody = "1b"
)~",
                  R"~(r.toml:5:11: error: http.maxBody must be at least 1024 bytes
    maxBody = "1b"
              ^~~~
)~"},
        Complaint{"SizeOfOtherType", R"~([store]
spillMax = true
)~",
                  R"~(r.toml:5:12: error: store.spillMax must be a size, not a truth value
    spillMax = true
               ^~~~
  write bytes, or a string with a unit: 5242880, "5mb"
)~"},
        Complaint{"NumberInQuotes", R"~([delivery]
concurrency = "16"
)~",
                  R"~(r.toml:5:15: error: delivery.concurrency must be an integer, not a string
    concurrency = "16"
                  ^~~~
  write it without quotes
)~"},
        Complaint{"NumberTooSmall", R"~([delivery]
concurrency = 0
)~",
                  R"~(r.toml:5:15: error: delivery.concurrency must be at least 1
    concurrency = 0
                  ^
)~"},
        Complaint{"NumberTooLarge", R"~([delivery]
concurrency = 100001
)~",
                  R"~(r.toml:5:15: error: delivery.concurrency must be at most 100000
    concurrency = 100001
                  ^~~~~~
)~"},
        Complaint{"TruthInQuotes", R"~([delivery.https]
verify = "no"
)~",
                  R"~(r.toml:5:10: error: delivery.https.verify must be true or false, not a string
    verify = "no"
             ^~~~
  write it without quotes
)~"},
        Complaint{
            "TruthAsNumber", R"~([delivery.https]
verify = 1
)~",
            R"~(r.toml:5:10: error: delivery.https.verify must be true or false, not an integer
    verify = 1
             ^
)~"},
        Complaint{
            "Choice", R"~([delivery.smtp]
tls = "require"
)~",
            R"~(r.toml:5:7: error: 'require' is no value of delivery.smtp.tls, which takes none, opportunistic, required
    tls = "require"
          ^~~~~~~~~
  did you mean required?
)~"},
        Complaint{
            "ChoiceLikeNothing", R"~([log]
level = "chatty"
)~",
            R"~(r.toml:5:9: error: 'chatty' is no value of log.level, which takes debug, info, warning, error
    level = "chatty"
            ^~~~~~~~
)~"},
        Complaint{
            "ChoiceInArray", R"~([received]
count = ["dkim", "dmarc"]
)~",
            R"~(r.toml:5:18: error: 'dmarc' is no value of received.count, which takes dkim, mta, local, https, unverified
    count = ["dkim", "dmarc"]
                     ^~~~~~~
)~"},
        Complaint{"ArrayWanted", R"~([received]
maildir = "/var/mail"
)~",
                  R"~(r.toml:5:11: error: received.maildir must be an array of strings, not a string
    maildir = "/var/mail"
              ^~~~~~~~~~~
  write it in brackets: ["..."]
)~"},
        Complaint{"PathEmpty", R"~([store]
spill = ""
)~",
                  R"~(r.toml:5:9: error: store.spill must not be empty
    spill = ""
            ^~
)~"},
        Complaint{"ModeAsNumber", R"~([ingest.datagram]
mode = 660
)~",
                  R"~(r.toml:5:8: error: ingest.datagram.mode must be a file mode, not an integer
    mode = 660
           ^~~
  write it as octal digits in quotes: "0660"
)~"},
        Complaint{"ModeOfOtherDigits", R"~([ingest.datagram]
mode = "0680"
)~",
                  R"~(r.toml:5:8: error: '0680' is no file mode
    mode = "0680"
           ^~~~~~
  write it as octal digits in quotes: "0660"
)~"},
        Complaint{"ModeTooLarge", R"~([ingest.datagram]
mode = "1777"
)~",
                  R"~(r.toml:5:8: error: '1777' is no file mode
    mode = "1777"
           ^~~~~~
  write it as octal digits in quotes: "0660"
)~"},
        Complaint{
            "FileMissing", R"~([dns]
trustAnchor = "/nonexistent/root.key"
)~",
            R"~(r.toml:5:15: error: cannot open /nonexistent/root.key: No such file or directory
    trustAnchor = "/nonexistent/root.key"
                  ^~~~~~~~~~~~~~~~~~~~~~~
)~"},
        Complaint{"ListenWithoutPort", R"~([http]
listen = "127.0.0.1"
)~",
                  R"~(r.toml:5:10: error: '127.0.0.1' is no address with a port
    listen = "127.0.0.1"
             ^~~~~~~~~~~
  write it like "127.0.0.1:8460" or "[::1]:8460"
)~"},
        Complaint{"ListenOnName", R"~([http]
listen = "mail.example.org:80"
)~",
                  R"~(r.toml:5:10: error: 'mail.example.org:80' is no address with a port
    listen = "mail.example.org:80"
             ^~~~~~~~~~~~~~~~~~~~~
  write it like "127.0.0.1:8460" or "[::1]:8460"
)~"},
        Complaint{"ListenPortTooLarge", R"~([http]
listen = "127.0.0.1:65536"
)~",
                  R"~(r.toml:5:10: error: '127.0.0.1:65536' is no address with a port
    listen = "127.0.0.1:65536"
             ^~~~~~~~~~~~~~~~~
  write it like "127.0.0.1:8460" or "[::1]:8460"
)~"},
        Complaint{"StoreScheme", R"~([store]
url = "mysql://user@host/db"
)~",
                  R"~(r.toml:5:7: error: 'mysql://user@host/db' names no store
    url = "mysql://user@host/db"
          ^~~~~~~~~~~~~~~~~~~~~~
  write "sqlite:/path/to/file" or "postgresql://user@host/database"
)~"},
        Complaint{"StoreWithoutPath", R"~([store]
url = "sqlite:"
)~",
                  R"~(r.toml:5:7: error: 'sqlite:' names no store
    url = "sqlite:"
          ^~~~~~~~~
  write "sqlite:/path/to/file" or "postgresql://user@host/database"
)~"},
        Complaint{"RelayScheme", R"~([delivery.smtp]
url = "http://127.0.0.1"
)~",
                  R"~(r.toml:5:7: error: 'http://127.0.0.1' is no URL of a relay
    url = "http://127.0.0.1"
          ^~~~~~~~~~~~~~~~~~
  write it like "smtp://127.0.0.1:25" or "smtps://mail.example.org:465"
)~"},
        Complaint{"RelayWithUser", R"~([delivery.smtp]
url = "smtp://me@relay.example"
)~",
                  R"~(r.toml:5:7: error: 'smtp://me@relay.example' is no URL of a relay
    url = "smtp://me@relay.example"
          ^~~~~~~~~~~~~~~~~~~~~~~~~
  the user stands in username, the password in passwordFile
)~"},
        Complaint{"RelayAddress", R"~([delivery.smtp]
url = "smtp://10.1.2:25"
)~",
                  R"~(r.toml:5:7: error: 'smtp://10.1.2:25' is no URL of a relay
    url = "smtp://10.1.2:25"
          ^~~~~~~~~~~~~~~~~~
  write it like "smtp://127.0.0.1:25" or "smtps://mail.example.org:465"
)~"},
        Complaint{"ProxyScheme", R"~([delivery.https]
proxy = "proxy.example:3128"
)~",
                  R"~(r.toml:5:9: error: 'proxy.example:3128' is no URL of a proxy
    proxy = "proxy.example:3128"
            ^~~~~~~~~~~~~~~~~~~~
  write it like "http://proxy.example.org:3128"
)~"},
        Complaint{"ResolverByName", R"~([dns]
servers = ["127.0.0.1", "dns.example"]
)~",
                  R"~(r.toml:5:25: error: 'dns.example' is no address of a resolver
    servers = ["127.0.0.1", "dns.example"]
                            ^~~~~~~~~~~~~
  write it like "127.0.0.1:53" or "[::1]:53"
)~"},
        Complaint{"AllowedNetwork", R"~([delivery.https]
allow = ["reports.lan", "10.1.0.0/33"]
)~",
                  R"~(r.toml:5:25: error: '10.1.0.0/33' is neither a host name nor a network
    allow = ["reports.lan", "10.1.0.0/33"]
                            ^~~~~~~~~~~~~
)~"},
        Complaint{
            "Domains", R"~([received]
domains = ["ok.example", "not ok"]
)~",
            R"~(r.toml:5:26: error: 'not ok' is no host name: it holds a character that none has
    domains = ["ok.example", "not ok"]
                             ^~~~~~~~
)~"},
        Complaint{"Addresses", R"~([ingest]
sendingIp = { "10.0.0.5" = "here", "me" = "192.0.2.1", "10.0.0.6" = 6 }
)~",
                  R"~(r.toml:5:28: error: 'here' is no IP address
    sendingIp = { "10.0.0.5" = "here", "me" = "192.0.2.1", "10.0.0.6" = 6 }
                               ^~~~~~
r.toml:5:36: error: 'me' is no IP address
    sendingIp = { "10.0.0.5" = "here", "me" = "192.0.2.1", "10.0.0.6" = 6 }
                                       ^~~~
r.toml:5:69: error: a value of ingest.sendingIp must be a string, not an integer
    sendingIp = { "10.0.0.5" = "here", "me" = "192.0.2.1", "10.0.0.6" = 6 }
                                                                        ^
  write "6"
)~"},
        Complaint{"AddressTwice", R"~([ingest.sendingIp]
"10.0.0.5" = "192.0.2.1"
"::ffff:10.0.0.5" = "192.0.2.2"
)~",
                  R"~(r.toml:6:1: error: the address 10.0.0.5 stands here twice
    "::ffff:10.0.0.5" = "192.0.2.2"
    ^~~~~~~~~~~~~~~~~
)~"}),
    [](const auto& test) { return test.param.name; });

class ConfigErrorsAboveAllTables : public testing::TestWithParam<Complaint> {};

TEST_P(ConfigErrorsAboveAllTables, AreToldWithTheirPlace) {
  EXPECT_EQ(errors_of(GetParam().text + with_system("")), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OfStructure, ConfigErrorsAboveAllTables,
    testing::Values(Complaint{"KeyOutsideOfTables", R"~(level = "info"
)~",
                              R"~(r.toml:1:1: error: unknown key 'level' outside of any table
    level = "info"
    ^~~~~
  level stands in [log]
)~"},
                    Complaint{"TableThatIsNone", R"~(http = true
)~",
                              R"~(r.toml:1:8: error: http must be a table, not a truth value
    http = true
           ^~~~
)~"},
                    Complaint{"DkimOfOtherThings", R"~(dkim = ["example.org"]
)~",
                              R"~(r.toml:1:9: error: an item of dkim must be a table, not a string
    dkim = ["example.org"]
            ^~~~~~~~~~~~~
)~"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
