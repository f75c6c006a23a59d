#include <filesystem>

#include "base/key_generation.h"
#include "cli/check.h"
#include "cli/cli_fixture.h"
#include "dkim/key_record.h"

namespace rapporteur {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kRelay = "[delivery.smtp]\nurl = \"smtp://relay.example:25\"\n";

class CheckTest : public CliTest {
 protected:
  class Relay final : public MailTransport {
   public:
    Relay(const CheckTest& test, ConversationListener listener)
        : test_(test), listener_(std::move(listener)) {}
    Reply send(const std::string&, const std::string&, std::string_view) override {
      ADD_FAILURE() << "a check sends nothing";
      return test_.reply;
    }
    Reply probe() override {
      for (const auto& [speaker, line] : test_.said) listener_(speaker, line);
      return test_.reply;
    }

   private:
    const CheckTest& test_;
    ConversationListener listener_;
  };

  CheckTest() {
    make_transports = [this](const Config&,
                             const ConversationListener& listener) -> Result<Transports> {
      return Transports{
          .mail = [this,
                   listener](const Interrupt&) { return std::make_unique<Relay>(*this, listener); },
          .https = {}};
    };
    add_key("s1", PrivateKey::Type::kRsa);
    use({"s1"});
    publish("s1", "");
    resolver.say("reporter.example", {"v=spf1 ip4:192.0.2.1 -all"});
    resolver.say(DnsType::kMx, "reporter.example", {"mx.reporter.example"});
    said = {{Speaker::kNote, "SSL connection using TLSv1.3 / X"},
            {Speaker::kPeer, "250-relay.example"},
            {Speaker::kPeer, "250 AUTH PLAIN"}};
  }

  void add_key(const std::string& selector, PrivateKey::Type type, int bits = kUsualRsaBits) {
    const auto key = generate_private_key(type, bits);
    ASSERT_TRUE(key);
    const auto path = folder / (selector + ".pem");
    write(path, key->pem());
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    keys.insert_or_assign(selector, *key);
  }

  // Signs with these selectors; `more` follows.
  void use(const std::vector<std::string>& selectors, const std::string& more = kRelay) {
    std::string text =
        "[system]\ndomain = \"reporter.example\"\nhostname = \"mx.reporter.example\"\n[store]\n"
        "url = \"" +
        store_url() + "\"\n";
    for (const auto& selector : selectors) {
      text += "[[dkim]]\ndomain = \"reporter.example\"\nselector = \"" + selector + "\"\nkey = \"" +
              (folder / (selector + ".pem")).string() + "\"\n";
    }
    write(config_path, text + more);
  }

  static std::string name_of(const std::string& selector) {
    return selector + "._domainkey.reporter.example";
  }
  void publish(const std::string& selector, const std::string& service) {
    resolver.say(name_of(selector), {key_record(keys.at(selector), service)});
  }

  // "level: seen; advice" of one check.
  std::string told(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"check", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = run(arguments);
    std::string names;
    const auto json = outcome.json();
    for (const auto& result : json["checks"]) {
      names += result["name"].get<std::string>() + "\n";
      if (result["name"] != name) continue;
      EXPECT_EQ(result["level"] == "ok", result["advice"].is_null()) << result;
      return result["level"].get<std::string>() + ": " + result["seen"].get<std::string>() +
             (result["advice"].is_null() ? "" : "; " + result["advice"].get<std::string>());
    }
    return "no such check among\n" + names + outcome.err;
  }

  std::map<std::string, PrivateKey> keys;
  std::vector<std::pair<Speaker, std::string>> said;
  Reply reply{Reply::Outcome::kAccepted, Stage::kData, 250, "250 ok (NOOP)", {}};
};

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
  EXPECT_EQ(told("key " + name_of("s1")), "fault: there is no TXT record; publish the TXT record " +
                                              key_record(keys.at("s1"), ""));
}

TEST_F(CheckTest, ARecordOfAnotherKeyIsAFault) {
  add_key("s2", PrivateKey::Type::kRsa);
  resolver.say(name_of("s1"), {key_record(keys.at("s2"), "")});
  EXPECT_THAT(told("key " + name_of("s1")),
              StartsWith("fault: the record does not fit: it holds the public half of another key; "
                         "publish the TXT record v=DKIM1"));
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

// ---- Identity

struct Alignment {
  const char* one;
  const char* other;
  bool relaxed;
  bool strict;
};
class Aligned : public testing::TestWithParam<Alignment> {};

TEST_P(Aligned, AsDmarcHasIt) {
  const auto& names = GetParam();
  EXPECT_EQ(is_aligned(names.one, names.other, false), names.relaxed);
  EXPECT_EQ(is_aligned(names.other, names.one, false), names.relaxed);
  EXPECT_EQ(is_aligned(names.one, names.other, true), names.strict);
}

INSTANTIATE_TEST_SUITE_P(Rfc7489Section31, Aligned,
                         testing::Values(Alignment{"a.example", "a.example", true, true},
                                         Alignment{"a.example", "b.a.example", true, false},
                                         Alignment{"b.a.example", "c.a.example", true, false},
                                         Alignment{"a.example", "b.example", false, false},
                                         Alignment{"a.example", "aa.example", false, false},
                                         Alignment{"a", "b", false, false}));

TEST_F(CheckTest, FromMustBeAlignedWithTheSignature) {
  const auto more = kRelay + std::string("[report.tls]\nfromAddress = \"'tls@other.example'\"\n");
  use({"s1"}, more);
  EXPECT_EQ(told("From and DKIM"),
            "warning: From is of other.example, signed by reporter.example: DMARC does not count "
            "that; let dkimSignDomain be the domain of fromAddress, with a [[dkim]] key");
  resolver.say("_dmarc.other.example", {"v=DMARC1; p=reject"});
  EXPECT_THAT(told("From and DKIM"), AllOf(StartsWith("fault: "), HasSubstr("enforced")));
}

TEST_F(CheckTest, TheSigningDomainMustHaveAKey) {
  const std::string sign = "[report.tls]\ndkimSignDomain = \"'sub.reporter.example'\"\n";
  use({"s1"}, kRelay + sign);
  EXPECT_EQ(told("From and DKIM"),
            "fault: dkimSignDomain is sub.reporter.example, for which there is no [[dkim]] key: "
            "reports stay blocked; `rapporteur dkim generate sub.reporter.example SELECTOR`");
  use({"s1"}, kRelay + std::string("relaySigns = true\n") + sign);
  EXPECT_THAT(told("From and DKIM"), StartsWith("ok: "));
}

TEST_F(CheckTest, StrictAlignmentIsKept) {
  use({"s1"}, kRelay + std::string("[report.tls]\nfromAddress = \"'tls@sub.reporter.example'\"\n"));
  EXPECT_THAT(told("From and DKIM"), StartsWith("ok: "));
  EXPECT_EQ(told("DMARC of sub.reporter.example"), "ok: none is published");
  resolver.say("_dmarc.reporter.example", {"v=DMARC1; p=none; adkim=s"});
  EXPECT_THAT(told("From and DKIM"), StartsWith("warning: "));
  EXPECT_EQ(told("DMARC of sub.reporter.example"), "ok: published, not enforced");
}

TEST_F(CheckTest, TheEnvelopeSenderHasSpfAndAPathForBounces) {
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("ok: published"));
  EXPECT_EQ(told("mail to reporter.example"), "ok: bounces go to its MX mx.reporter.example");
  resolver.say("reporter.example", {"v=spf1 -all"});
  EXPECT_THAT(told("SPF of reporter.example"),
              StartsWith("fault: the record says that the domain"));
  resolver.say("reporter.example", {"v=spf1 a -all", "v=SPF1 mx -all"});
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("fault: there are 2 SPF records"));
  resolver.say("reporter.example", {"v=spf10 a"});
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("warning: there is no SPF record"));
  resolver.answers.erase({"reporter.example", DnsType::kMx});
  EXPECT_THAT(told("mail to reporter.example"), StartsWith("fault: the domain of the envelope"));
  resolver.say(DnsType::kIpv6, "reporter.example", {"2001:db8::1"});
  EXPECT_EQ(told("mail to reporter.example"), "ok: bounces go to its address 2001:db8::1");
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
