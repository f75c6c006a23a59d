#pragma once
// `rapporteur check` of a sender that has published all it should, with one key.

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/key_generation.h"
#include "cli/cli_fixture.h"
#include "dkim/key_record.h"

namespace rapporteur {

inline constexpr const char* kRelay = "[delivery.smtp]\nurl = \"smtp://relay.example:25\"\n";

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

}  // namespace rapporteur
