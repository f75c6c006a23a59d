#include <sys/stat.h>

#include "base/private_key.h"
#include "cli/cli_fixture.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::Not;

class DkimGenerateTest : public CliTest {
 protected:
  std::string file(const std::string& name) const { return (folder / name).string(); }
};

TEST_F(DkimGenerateTest, TheKeyIsItsOwnersAloneAndFitsTheRecord) {
  const auto outcome = run({"dkim", "generate", "Reporter.Example.", "TlsRpt", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = outcome.json();
  const auto path = file("tlsrpt.reporter.example.pem");
  EXPECT_EQ(json["file"], path);
  EXPECT_EQ(json["type"], "rsa");
  EXPECT_EQ(json["name"], "tlsrpt._domainkey.reporter.example");
  EXPECT_TRUE(json["caution"].is_null());
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  const auto key = PrivateKey::from_file(path);
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->bits(), 2048);
  EXPECT_EQ(json["record"], "v=DKIM1; k=rsa; p=" + key->dns_public_key());
  std::string joined;
  for (const auto& piece : json["strings"]) {
    EXPECT_LE(piece.get<std::string>().size(), 255U);
    joined += piece;
  }
  EXPECT_EQ(joined, json["record"]);
  EXPECT_EQ(json["strings"].size(), 2U);
}

TEST_F(DkimGenerateTest, TheConfigurationTakesTheLinesAsTheyArePrinted) {
  const auto made =
      run({"dkim", "generate", "reporter.example", "s1", "--type", "ed25519", "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  configure(made.json()["toml"].get<std::string>());
  const auto checked = run({"config", "check"});
  EXPECT_EQ(checked.code, 0) << checked.err;
}

TEST_F(DkimGenerateTest, PeopleAreToldWhatToDoNext) {
  const auto outcome = run({"dkim", "generate", "reporter.example", "s1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              HasSubstr(": a new RSA key of 2048 bits, which its owner alone may read"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\ns1._domainkey.reporter.example. IN TXT (\n  \"v=DKIM1; k=rsa"));
  EXPECT_THAT(outcome.out,
              HasSubstr("[[dkim]]\ndomain = \"reporter.example\"\nselector = \"s1\"\n"));
  EXPECT_THAT(outcome.out, HasSubstr("`rapporteur check`"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("PRIVATE KEY")));
}

TEST_F(DkimGenerateTest, AKeyThatAloneWouldNotDoIsSaidToBeOne) {
  const auto service = run({"dkim", "generate", "a.example", "s1", "--service", "tlsrpt"});
  EXPECT_THAT(service.out, HasSubstr("k=rsa; s=tlsrpt; p="));
  EXPECT_THAT(service.out,
              HasSubstr("With s=tlsrpt ordinary verifiers, and so DMARC, do not count"));
  const auto ed = run({"dkim", "generate", "a.example", "s2", "--type", "ed25519"});
  EXPECT_THAT(ed.out, HasSubstr("Many verifiers do not know Ed25519."));
}

TEST_F(DkimGenerateTest, NothingIsOverwritten) {
  const auto path = file("mine.pem");
  write(path, "precious");
  const auto outcome = run({"dkim", "generate", "a.example", "s1", "--out", path});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "rapporteur: " + path +
                             " exists already; nothing is overwritten; --out FILE names another "
                             "file\n");
  std::ifstream kept(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "precious");
}

TEST_F(DkimGenerateTest, NeedsNoConfiguration) {
  const auto path = file("new.pem");
  const auto outcome = run_bare({"dkim", "generate", "a.example", "s1", "--bits", "1024", "--out",
                                 path, "--config", "/nowhere/rapporteur.toml"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(PrivateKey::from_file(path)->bits(), 1024);
}

TEST_F(DkimGenerateTest, BitsAreForRsaKeysAlone) {
  const auto outcome =
      run({"dkim", "generate", "a.example", "s1", "--type", "ed25519", "--bits", "2048"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.err,
            "rapporteur: --bits is for RSA keys: one of type ed25519 has a single size\n");
  EXPECT_FALSE(std::filesystem::exists(file("s1.a.example.pem")));
  EXPECT_EQ(run({"dkim", "generate", "a.example", "s1", "--type", "rsa", "--bits", "2048"}).code,
            0);
}

TEST_F(DkimGenerateTest, WhatIsNoNameIsRefused) {
  EXPECT_EQ(run({"dkim", "generate", "a..example", "s1"}).code, kExitUsage);
  EXPECT_EQ(run({"dkim", "generate", "a.example", "s 1"}).code, kExitUsage);
  EXPECT_EQ(run({"dkim", "generate", "a.example", "s1", "--bits", "512"}).code, kExitUsage);
  EXPECT_EQ(run({"dkim", "generate", "a.example", "s1", "--type", "dsa"}).code, kExitUsage);
  const std::string label(60, 'a');
  EXPECT_EQ(run({"dkim", "generate", label + "." + label + "." + label + "." + label, "s1"}).code,
            kExitUsage);
}

}  // namespace
}  // namespace rapporteur
