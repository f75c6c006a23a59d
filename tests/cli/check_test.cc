#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/check.h"
#include "cli/check_fixture.h"
#include "schedule/keeping.h"

namespace rapporteur {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(CheckTest, WhereNothingIsWrongItEndsWithZeroAndChangesNothing) {
  use({"s1"}, kRelay + std::string("tls = \"required\"\n"));
  std::vector<std::string> before;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    before.push_back(entry.path().string());
  }
  const auto outcome = run({"check"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\n0 faults, "));
  EXPECT_THAT(outcome.out,
              HasSubstr("ok       key s1._domainkey.reporter.example: published and matching (RSA, "
                        "2048 bits)\n"));
  std::vector<std::string> after;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    after.push_back(entry.path().string());
  }
  EXPECT_EQ(after, before);
}

TEST_F(CheckTest, AFaultIsTheExitCodeAndTheSum) {
  resolver.answers.erase({name_of("s1"), DnsType::kTxt});
  const auto outcome = run({"check", "--json"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.json()["faults"], 1);
  EXPECT_EQ(outcome.json()["domain"], "reporter.example");
  EXPECT_THAT(run({"check"}).out, HasSubstr("\n1 fault, "));
}

// ---- Keys

TEST_F(CheckTest, AKeyThatIsNotPublishedIsToldWithItsRecord) {
  resolver.answers.erase({name_of("s1"), DnsType::kTxt});
  const auto strings = character_strings(key_record(keys.at("s1"), ""));
  ASSERT_EQ(strings.size(), 2U);
  EXPECT_EQ(told("key " + name_of("s1")), "fault: there is no TXT record; publish the TXT record " +
                                              name_of("s1") + ". IN TXT \"" + strings[0] + "\" \"" +
                                              strings[1] + "\"");
}

TEST_F(CheckTest, ARecordOfAnotherKeyIsAFault) {
  add_key("s2", PrivateKey::Type::kRsa);
  resolver.say(name_of("s1"), {key_record(keys.at("s2"), "")});
  EXPECT_THAT(told("key " + name_of("s1")),
              StartsWith("fault: the record does not fit: it holds the public half of another key; "
                         "publish the TXT record " +
                         name_of("s1") + ". IN TXT \"v=DKIM1"));
}

TEST_F(CheckTest, OtherRecordsAreToldForWhatTheyAre) {
  const auto record = key_record(keys.at("s1"), "");
  const auto check = "key " + name_of("s1");
  resolver.say(name_of("s1"), {record, "v=DKIM1; p="});
  EXPECT_THAT(told(check), StartsWith("fault: there are 2 TXT records"));
  resolver.say(name_of("s1"), {"v=DKIM1; p="});
  EXPECT_THAT(told(check), StartsWith("fault: the key is revoked"));
  resolver.say(name_of("s1"), {"v=DKIM1; t=y; p=" + keys.at("s1").dns_public_key()});
  EXPECT_THAT(told(check), StartsWith("warning: the record says t=y"));
  publish("s1", "email");
  EXPECT_THAT(told(check), StartsWith("warning: the s= tag of the record allows email, but not"));
  publish("s1", "web");
  EXPECT_THAT(told(check), StartsWith("fault: the s= tag of the record allows neither"));
  resolver.fail(name_of("s1"), "SERVFAIL");
  EXPECT_EQ(told(check), "fault: could not be looked up: SERVFAIL; try again later");
}

TEST_F(CheckTest, ALoneKeyForTlsrptWantsASecondSelector) {
  publish("s1", "tlsrpt");
  EXPECT_THAT(told("keys of reporter.example"),
              AllOf(StartsWith("warning: ordinary verifiers do not count keys with s=tlsrpt"),
                    HasSubstr("sign by a second selector without s=: `rapporteur dkim generate "
                              "reporter.example NEW-SELECTOR`")));
  add_key("s2", PrivateKey::Type::kRsa);
  use({"s1", "s2"});
  publish("s2", "");
  EXPECT_THAT(told("keys of reporter.example"), StartsWith("no such check"));
}

TEST_F(CheckTest, ShortKeysAndEd25519AloneAreWarnedOf) {
  add_key("short", PrivateKey::Type::kRsa, 1024);
  add_key("ed", PrivateKey::Type::kEd25519);
  use({"short", "ed"});
  publish("short", "");
  publish("ed", "");
  EXPECT_THAT(told("key " + name_of("short")),
              StartsWith("warning: published and matching, but of 1024 bits only"));
  EXPECT_EQ(told("key " + name_of("ed")), "ok: published and matching (Ed25519)");
  use({"ed"});
  EXPECT_THAT(told("keys of reporter.example"), StartsWith("warning: they are all Ed25519"));
}

TEST_F(CheckTest, WithoutKeysTheRelayMustSign) {
  use({});
  EXPECT_EQ(
      told("keys"),
      "fault: there is no [[dkim]] table: no report is sent by mail; `rapporteur dkim generate "
      "reporter.example SELECTOR`");
  use({}, kRelay + std::string("relaySigns = true\n"));
  EXPECT_EQ(told("keys"), "ok: none; relaySigns says that the relay signs");
}

// ---- Relay

TEST_F(CheckTest, TheRelayIsToldWithTlsAndAuth) {
  use({"s1"}, kRelay + std::string("tls = \"required\"\n"));
  EXPECT_EQ(told("relay smtp://relay.example:25"), "ok: answers, TLSv1.3 / X, offers AUTH");
  said.emplace_back(Speaker::kPeer, "235 2.7.0 welcome");
  EXPECT_EQ(told("relay smtp://relay.example:25"), "ok: answers, TLSv1.3 / X, authenticated");
}

TEST_F(CheckTest, MailInClearAndUnverifiedCertificatesAreWarnedOf) {
  EXPECT_THAT(told("relay smtp://relay.example:25"),
              AllOf(StartsWith("warning: "), HasSubstr("certificate not verified")));
  said.clear();
  EXPECT_EQ(told("relay smtp://relay.example:25"),
            "warning: answers, without TLS, no AUTH: mail goes there in clear; let the relay offer "
            "STARTTLS, and set tls = \"required\"");
  use({"s1"}, "[delivery.smtp]\nurl = \"smtp://127.0.0.1:25\"\n");
  EXPECT_EQ(told("relay smtp://127.0.0.1:25"), "ok: answers, without TLS, no AUTH");
}

TEST_F(CheckTest, ARelayThatDoesNotAnswerIsAFault) {
  reply = {Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, "Connection refused (connect)", {}};
  EXPECT_THAT(told("relay smtp://relay.example:25"),
              StartsWith("fault: Connection refused (connect); look at url"));
}

TEST_F(CheckTest, ADryRunIsToldToBeOne) {
  use({"s1"},
      "[delivery.smtp]\ntransport = \"directory\"\ndirectory = \"" + folder.string() + "\"\n");
  EXPECT_THAT(told("directory"), HasSubstr("mail is written there, and not sent"));
}

// ---- Resolver and record

TEST_F(CheckTest, AResolverThatDoesNotAnswerIsAFault) {
  resolver.fail("_smtp._tls.reporter.example", "no answer in time");
  EXPECT_EQ(told("resolver"),
            "fault: no answer about _smtp._tls.reporter.example: no answer in time; look at [dns] "
            "servers, or at /etc/resolv.conf without them");
}

TEST_F(CheckTest, TheRecordOfADomainThatWasNamedIsTold) {
  const std::vector<std::string> named = {"--domain", "A.Example"};
  const auto check = "record _smtp._tls.a.example";
  EXPECT_THAT(told(check, named), StartsWith("warning: there is none"));
  resolver.say("_smtp._tls.a.example", {"v=TLSRPTv1; rua=mailto:tls@a.example"});
  EXPECT_EQ(told(check, named), "ok: asks for reports to mailto:tls@a.example");
  EXPECT_EQ(told("reportTo for a.example", named), "ok: ['mailto:tls@a.example']");
  EXPECT_THAT(told("record _smtp._tls.reporter.example"), StartsWith("no such check"));
}

// ---- Settings

TEST_F(CheckTest, ASettingThatFailsIsAFaultOfItsPlace) {
  use({"s1"}, kRelay + std::string("[report.tls.domain.\"a.example\"]\n"
                                   "orgName = \"'x' + (1 / (successful_sessions - 1))\"\n"));
  EXPECT_THAT(told("orgName for a.example", {"--domain", "a.example"}),
              AllOf(StartsWith("fault: "), HasSubstr(config_path.string() + ":"),
                    HasSubstr("`rapporteur schedule explain a.example`")));
  EXPECT_EQ(told("orgName for b.example", {"--domain", "b.example"}), "ok: reporter.example");
}

TEST_F(CheckTest, SettingsAreTriedWithAndWithoutFailures) {
  const auto check = "orgName for a.example";
  const std::vector<std::string> named = {"--domain", "a.example"};
  const auto org_name = [&](const std::string& expression) {
    use({"s1"}, kRelay + ("[report.tls]\norgName = \"" + expression + "\"\n"));
    return told(check, named);
  };
  EXPECT_THAT(org_name("'x' + 1 / failed_sessions"),
              StartsWith("fault: without failures: failed: division by zero"));
  EXPECT_THAT(org_name("'x' + 1 / (failed_sessions - 1)"),
              StartsWith("fault: with a failure: failed: division by zero"));
  EXPECT_THAT(org_name("'x' + 1 / (successful_sessions - 1)"),
              StartsWith("fault: failed: division by zero"));
  EXPECT_EQ(org_name("'n' + failed_sessions"), "ok: n1, without failures n0");
}

TEST_F(CheckTest, ADestinationThatCannotBeUsedIsAFault) {
  use({"s1"}, kRelay + std::string("[report.tls]\nreportTo = \"['mailto:' + rcpt_domain]\"\n"));
  EXPECT_THAT(told("reportTo for reporter.example"),
              StartsWith("fault: yields 'mailto:reporter.example', which is neither"));
}

// ---- Machine

TEST_F(CheckTest, TheClockIsKept) {
  EXPECT_EQ(told("clock"), "ok: 2026-11-20T12:00:00Z");
  clock_is_kept = false;
  EXPECT_THAT(told("clock"), StartsWith("warning: 2026-11-20T12:00:00Z, and no time service"));
}

TEST_F(CheckTest, TheDatabaseIsLookedAtAndNotMade) {
  const auto check = "database " + store_url();
  EXPECT_EQ(told(check), "ok: there is none yet; the daemon makes it");
  EXPECT_FALSE(std::filesystem::exists(folder / "store.db"));
  ASSERT_TRUE(store());
  EXPECT_THAT(told(check), StartsWith("ok: tables of version "));
  write(folder / "store.db", std::string(5'000, 'x'));
  EXPECT_THAT(told(check), AllOf(StartsWith("fault: "), HasSubstr("; restore it from a backup")));
}

TEST_F(CheckTest, TheDaemonOfThisConfigurationIsToldByItsBeats) {
  const auto with_node = [&](const std::string& name) {
    write(config_path, "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"" + store_url() +
                           "\"\nnode = \"" + name + "\"\n" + kRelay);
    return told("daemon " + name);
  };
  const std::string start = "; start the daemon, and check again";
  EXPECT_EQ(with_node("n1"), "warning: none of this name has worked on the database" + start);
  NodeBeat beat;
  beat.name = "n1";
  beat.host = host_name();
  beat.process = getpid();
  const auto process = "process " + std::to_string(getpid()) + " on " + host_name();
  ASSERT_TRUE(store()->beat(beat, clock.now()));
  clock.advance(Seconds(3));
  EXPECT_EQ(with_node("n1"), "ok: " + process + " lives, heard of 3s ago");
  EXPECT_EQ(with_node("n2"),
            "warning: none of this name has worked on the database, but these live: n1" + start);
  clock.advance(Seconds(3'600));
  EXPECT_EQ(with_node("n1"), "warning: " + process +
                                 " has been silent for 1h3s; start the daemon, "
                                 "or look at its log if it runs, and check again");
}

TEST_F(CheckTest, ADaemonWhoseProcessHasEndedIsGone) {
  const auto child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  NodeBeat beat;
  beat.name = host_name();
  beat.host = host_name();
  beat.process = child;
  ASSERT_TRUE(store()->beat(beat, clock.now()));
  EXPECT_EQ(told("daemon " + host_name()), "warning: process " + std::to_string(child) + " on " +
                                               host_name() +
                                               " has ended; start the daemon, and check again");
  beat.host = "another." + host_name();
  ASSERT_TRUE(store()->beat(beat, clock.now()));
  EXPECT_THAT(told("daemon " + host_name()), StartsWith("ok: "));
}

TEST_F(CheckTest, AStoreThatCannotBeReadWhileItIsWrittenIsNoneToRestore) {
  write(folder / "store.db", std::string(5'000, 'x'));
  std::filesystem::create_directory(folder / "store.db-wal");
  std::filesystem::create_directory(folder / "store.db-shm");
  EXPECT_THAT(
      told("database " + store_url()),
      AllOf(StartsWith("fault: "), HasSubstr("somebody may be writing to it; check again")));
}

TEST_F(CheckTest, AFolderThatIsMissingIsAFault) {
  write(config_path, "[system]\ndomain = \"reporter.example\"\n[store]\nurl = \"sqlite:" +
                         (folder / "none" / "store.db").string() + "\"\n" + kRelay);
  EXPECT_THAT(told("permissions of " + (folder / "none").string()),
              AllOf(StartsWith("fault: No such file or directory; make it"),
                    HasSubstr("install -d -m 0750")));
}

TEST_F(CheckTest, AKeyThatOthersMayWriteIsWarnedOf) {
  const auto path = folder / "s1.pem";
  using enum std::filesystem::perms;
  EXPECT_EQ(told("permissions of " + path.string()), "ok: mode 0400");
  std::filesystem::permissions(path, owner_read | group_write);
  EXPECT_THAT(told("permissions of " + path.string()),
              StartsWith("warning: others than its owner may write it; chmod go-w"));
}

TEST_F(CheckTest, APathIsOneWordOfTheAdvisedCommand) {
  const auto path = folder / "it's.pem";
  write(path, keys.at("s1").pem());
  using enum std::filesystem::perms;
  std::filesystem::permissions(path, owner_read | group_write);
  use({}, "[[dkim]]\ndomain = \"reporter.example\"\nselector = \"s1\"\nkey = \"" + path.string() +
              "\"\n" + kRelay);
  EXPECT_THAT(told("permissions of " + path.string()),
              HasSubstr("; chmod go-w '" + (folder / "it").string() + "'\\''s.pem'"));
}

TEST_F(CheckTest, ASocketWhoseDaemonIsGoneIsAWarning) {
  const auto path = (folder / "tlsrpt.sock").string();
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::copy(path.begin(), path.end(), address.sun_path);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  use({"s1"}, kRelay + ("[ingest.datagram]\npath = \"" + path + "\"\n"));
  EXPECT_THAT(told("socket " + path), StartsWith("ok: somebody receives"));
  close(fd);
  EXPECT_EQ(told("socket " + path),
            "warning: nobody receives: its daemon is gone, and has left it behind; start the "
            "daemon, which puts its own in the place, and check again");
}

TEST_F(CheckTest, ASocketThatNobodyHasMadeIsAWarning) {
  const auto path = (folder / "tlsrpt.sock").string();
  use({"s1"}, kRelay + ("[ingest.datagram]\npath = \"" + path + "\"\n"));
  EXPECT_THAT(told("socket " + path), StartsWith("warning: the daemon has not made it: No such"));
  write(path, "");
  EXPECT_THAT(told("socket " + path), StartsWith("fault: something else stands there"));
}

TEST_F(CheckTest, AConfigurationWithErrorsIsToldFirst) {
  write(config_path, "[system]\n");
  EXPECT_EQ(run({"check"}).code, kExitConfig);
  EXPECT_EQ(run({"check", "--domain", "a b"}).code, kExitConfig);
  use({"s1"});
  EXPECT_EQ(run({"check", "--domain", "a b"}).code, kExitUsage);
}

}  // namespace
}  // namespace rapporteur
