// Errors of values that do not fit together, and of lookups, word for word.

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
class ConfigErrorsTogether : public testing::TestWithParam<Complaint> {};

TEST_P(ConfigErrorsTogether, AreToldWithTheirPlace) {
  EXPECT_EQ(errors_of(with_system(GetParam().text)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    OfSeveralValues, ConfigErrorsTogether,
    testing::Values(
        Complaint{"UsernameWithoutPassword", R"~([delivery.smtp]
username = "me"
)~",
                  R"~(r.toml:5:12: error: username needs a passwordFile
    username = "me"
               ^~~~
)~"},
        Complaint{"CommandWithoutPath", R"~([received]
onNewFailure = ["tell", "postmaster"]
)~",
                  R"~(r.toml:5:16: error: 'tell' is no absolute path
    onNewFailure = ["tell", "postmaster"]
                   ^~~~~~~~~~~~~~~~~~~~~~
  the first item is the program, the others are its arguments: ["/usr/local/bin/tell", "postmaster"]
)~"},
        Complaint{"NoTlsWithSmtps", R"~([delivery.smtp]
url = "smtps://relay.example"
tls = "none"
)~",
                  R"~(r.toml:6:7: error: smtps:// begins with TLS, which tls = "none" forbids
    tls = "none"
          ^~~~~~
)~"},
        Complaint{"SendmailWithoutCommand", R"~([delivery.smtp]
transport = "sendmail"
command = " "
)~",
                  R"~(r.toml:5:13: error: transport = "sendmail" needs a command
    transport = "sendmail"
                ^~~~~~~~~~
)~"},
        Complaint{"DirectoryWithoutName", R"~([delivery.smtp]
transport = "directory"
)~",
                  R"~(r.toml:5:13: error: transport = "directory" needs a directory
    transport = "directory"
                ^~~~~~~~~~~
  name one with directory = "/path"
)~"},
        Complaint{
            "HttpForEveryone", R"~([http]
listen = "0.0.0.0:8460"
)~",
            R"~(r.toml:5:10: error: listening on 0.0.0.0:8460 needs certificate, key, credentials
    listen = "0.0.0.0:8460"
             ^~~~~~~~~~~~~~
  only loopback addresses do without
)~"},
        Complaint{"HttpForEveryoneOnV6", R"~([http]
listen = "[::]:8460"
certificate = "/dev/null"
)~",
                  R"~(r.toml:5:10: error: listening on [::]:8460 needs key, credentials
    listen = "[::]:8460"
             ^~~~~~~~~~~
  only loopback addresses do without
)~"},
        Complaint{
            "HttpWithHalfOfTls", R"~([http]
certificate = "/dev/null"
)~",
            R"~(r.toml:5:15: error: certificate and key belong together; one of them is missing
    certificate = "/dev/null"
                  ^~~~~~~~~~~
)~"},
        Complaint{"ReceivedForEveryone", R"~([received]
listen = "192.0.2.1:8461"
)~",
                  R"~(r.toml:5:10: error: listening on 192.0.2.1:8461 needs certificate, key
    listen = "192.0.2.1:8461"
             ^~~~~~~~~~~~~~~~
  only loopback addresses do without
)~"},
        Complaint{"LookupOfOtherType", R"~([lookup]
partners = ["a"]
)~",
                  R"~(r.toml:5:12: error: lookup.partners must be a table, not an array
    partners = ["a"]
               ^~~~~
)~"},
        Complaint{"LookupWithBoth", R"~([lookup.partners]
keys = ["a"]
file = "/dev/null"
)~",
                  R"~(r.toml:6:1: error: lookup.partners has both keys and a file
    file = "/dev/null"
    ^~~~
)~"},
        Complaint{"LookupEmpty", R"~([lookup.partners]
)~",
                  R"~(r.toml:4:9: error: lookup.partners needs keys or a file
    [lookup.partners]
            ^~~~~~~~
)~"},
        Complaint{"LookupUnknownKey", R"~([lookup.partners]
keys = []
flie = "/dev/null"
)~",
                  R"~(r.toml:6:1: error: unknown key 'flie' in [lookup.partners]
    flie = "/dev/null"
    ^~~~
  did you mean file?
)~"},
        Complaint{
            "LookupFileMissing", R"~([lookup.partners]
file = "/nonexistent/partners"
)~",
            R"~(r.toml:5:8: error: cannot open /nonexistent/partners: No such file or directory
    file = "/nonexistent/partners"
           ^~~~~~~~~~~~~~~~~~~~~~~
)~"},
        Complaint{
            "LookupKeysOfOtherType", R"~([lookup.partners]
keys = "a"
)~",
            R"~(r.toml:5:8: error: lookup.partners.keys must be an array of strings, or a table of them by keys, not a string
    keys = "a"
           ^~~
)~"},
        Complaint{
            "LookupLocalOfOtherThings", R"~([lookup.local]
keys = ["ok.example", "not ok", 5]
)~",
            R"~(r.toml:5:23: error: 'not ok' is no host name: it holds a character that none has
    keys = ["ok.example", "not ok", 5]
                          ^~~~~~~~
r.toml:5:33: error: an item of lookup.local.keys must be a string, not an integer
    keys = ["ok.example", "not ok", 5]
                                    ^
  write "5"
)~"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
