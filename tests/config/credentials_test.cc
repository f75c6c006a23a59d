#include "config/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/config_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing_support::config_of;
using testing_support::errors_of;
using testing_support::TemporaryFiles;
using testing_support::with_system;

std::string letters(std::size_t count) {
  return std::string(count, 'x');
}

// "name hash" or "name token" of each entry, then "line: problem" of each problem.
std::string shown(const std::string& text) {
  const auto parsed = parse_credentials(text);
  std::string all;
  for (const auto& [name, bearer, hash] : parsed.entries) {
    all += name + (bearer ? " token " : " hash ") + hash + "\n";
  }
  for (const auto& [line, problem, suggestion] : parsed.problems) {
    all += std::to_string(line) + ": " + problem + "\n";
  }
  return all;
}

TEST(Credentials, AreReadLineByLine) {
  const auto yescrypt = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" + letters(43);
  EXPECT_EQ(shown("# comment\n\n  mta:" + yescrypt + " \r\nscript:{bearer}" + std::string(64, 'a') +
                  "\n"),
            "mta hash " + yescrypt + "\nscript token " + std::string(64, 'a') + "\n");
  EXPECT_EQ(shown(""), "");
}

struct Hash {
  const char* name;
  std::string hash;
  bool good;
};
class CredentialsHash : public testing::TestWithParam<Hash> {};

TEST_P(CredentialsHash, IsTakenOrRefused) {
  const auto parsed = parse_credentials("u:" + GetParam().hash + "\n");
  EXPECT_EQ(parsed.entries.size(), GetParam().good ? 1U : 0U);
  EXPECT_EQ(parsed.problems.size(), GetParam().good ? 0U : 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Crypt, CredentialsHash,
    testing::Values(Hash{"Yescrypt", "$y$j9T$salt$" + letters(43), true},
                    Hash{"YescryptTooShort", "$y$j9T$salt$" + letters(42), false},
                    Hash{"Bcrypt", "$2b$10$" + letters(53), true},
                    Hash{"BcryptOfHtpasswd", "$2y$05$" + letters(53), true},
                    Hash{"BcryptTooLong", "$2b$10$" + letters(54), false},
                    Hash{"Sha512", "$6$salt$" + letters(86), true},
                    Hash{"Sha512WithRounds", "$6$rounds=5000$salt$" + letters(86), true},
                    Hash{"Sha512WithMore", "$6$round=5000$salt$" + letters(86), false},
                    Hash{"Sha256", "$5$salt$" + letters(43), true},
                    Hash{"Md5", "$1$salt$" + letters(22), false},
                    Hash{"Apache", "$apr1$salt$" + letters(22), false},
                    Hash{"Sha1", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", false},
                    Hash{"PlainText", "secret", false}, Hash{"Empty", "", false},
                    Hash{"OtherCharacters", "$5$salt$" + letters(42) + "!", false},
                    Hash{"Token", "{bearer}" + std::string(64, '0'), true},
                    Hash{"TokenInUpperCase", "{bearer}" + std::string(64, 'A'), false},
                    Hash{"TokenTooShort", "{bearer}" + std::string(63, '0'), false}),
    [](const auto& test) { return test.param.name; });

TEST(Credentials, SayWhatIsWrongWithoutTellingSecrets) {
  const auto good = "$5$salt$" + letters(43);
  EXPECT_EQ(shown("a:secret\nb\n:x\nc:{bearer}secret\nd:" + good + "\nd:" + good + "\n" +
                  letters(201) + ":" + good + "\n\xFF:" + good + "\n"),
            "d hash " + good +
                "\n1: what follows 'a' is no hash by yescrypt, bcrypt, SHA-512 or SHA-256 of "
                "crypt(5)\n2: the line is not of the form user:hash\n"
                "3: the line is not of the form user:hash\n"
                "4: what follows {bearer} for 'c' is no SHA-256 in hexadecimal digits\n"
                "6: the name 'd' stands here twice\n"
                "7: the name is longer than 200 bytes, or no text\n"
                "8: the name is longer than 200 bytes, or no text\n");
}

TEST(Credentials, AreCheckedWithTheConfiguration) {
  const TemporaryFiles files;
  const auto path = files.write("users", "# who\nmta:secret\n");
  const auto quoted = '"' + path + '"';
  const auto text = with_system("[http]\ncredentials = " + quoted + "\n");
  const auto hint = std::string("                  ^") + std::string(quoted.size() - 1, '~');
  EXPECT_EQ(errors_of(text),
            "r.toml:5:15: error: " + path +
                ":2: what follows 'mta' is no hash by yescrypt, bcrypt, SHA-512 or SHA-256 of "
                "crypt(5)\n    credentials = " +
                quoted + "\n" + hint + "\n  make the hash with: mkpasswd -m yescrypt\n");
  files.write("users", "# nobody\n");
  EXPECT_THAT(errors_of(text), HasSubstr(path + " names nobody: every request would be refused"));
  files.write("users", "mta:$5$salt$" + letters(43) + "\n", 0644);
  EXPECT_THAT(errors_of(text), HasSubstr("every user of this machine may read " + path));
  files.write("users", "mta:$5$salt$" + letters(43) + "\n");
  const auto config = config_of("[http]\ncredentials = " + quoted + "\n");
  ASSERT_EQ(config->http->users.size(), 1U);
  EXPECT_EQ(config->http->users[0].name, "mta");
  EXPECT_THAT(errors_of(with_system("[http]\ncredentials = \"/tmp\"\n")), HasSubstr("/tmp"));
}

TEST(Listeners, NeedAKeyThatIsTheCertificates) {
  const TemporaryFiles files;
  const auto certificate = files.key("listener.pem");
  const auto key = files.key("listener.key");
  const auto other = files.key("ed25519.pem");
  for (const std::string table : {"http", "received"}) {
    const auto text = [&](const std::string& with_key) {
      return with_system("[" + table + "]\nlisten = \"127.0.0.1:1\"\ncertificate = \"" +
                         certificate + "\"\nkey = \"" + with_key + "\"\n");
    };
    EXPECT_EQ(errors_of(text(key)), "");
    EXPECT_THAT(errors_of(text(other)), HasSubstr("r.toml:6:15: error: the key in " + other +
                                                  " is not that of " + certificate))
        << table;
  }
}

}  // namespace
}  // namespace rapporteur
