#include "daemon/http_credentials.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "support/fixed_random.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing_support::FixedRandom;

// "secret" by each method.
constexpr const char* kYescrypt =
    "$y$j75$51o8Bd/voIWymM.CtwFVm0$QZVp8jFwZY8yf1TxCS6qaJ5uRdTrpuCmLnrpS5FVsU2";

std::string basic(const std::string& user, const std::string& password) {
  return "Basic " + base64(user + ":" + password);
}

class HttpCredentialsTest : public testing::Test {
 protected:
  FixedRandom random;
  std::atomic<int> computed = 0;
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  HttpCredentials::Instant now{};
  // Instead of a slow hash: "hash of PASSWORD".
  HttpCredentials credentials{random, [this](const std::string& password, const std::string&) {
                                opened.wait();
                                ++computed;
                                return "hash of " + password;
                              }};

  void SetUp() override {
    credentials.use({{"mta", false, "hash of secret"},
                     {"other", false, "hash of word"},
                     {"script", true, sha256_hex("token")}});
  }

  std::future<AccessDecision> ask(const std::string& authorization,
                                  const std::string& peer = "127.0.0.1") {
    auto promise = std::make_shared<std::promise<AccessDecision>>();
    credentials.check(authorization, peer, now,
                      [promise](AccessDecision decision) { promise->set_value(decision); });
    return promise->get_future();
  }
  std::string decide(const std::string& authorization, const std::string& peer = "127.0.0.1") {
    static constexpr const char* kNames[] = {"granted", "missing", "wrong", "busy"};
    const auto decision = ask(authorization, peer).get();
    return std::string(kNames[static_cast<int>(decision.access)]) + " " + decision.user;
  }
};

TEST_F(HttpCredentialsTest, LetInWhoIsKnown) {
  gate.set_value();
  EXPECT_EQ(decide(basic("mta", "secret")), "granted mta");
  EXPECT_EQ(decide("basic   " + base64("mta:secret")), "granted mta");
  EXPECT_EQ(decide("Bearer token"), "granted script");
  EXPECT_EQ(decide("bearer token"), "granted script");
}

TEST_F(HttpCredentialsTest, RefuseAllOthers) {
  gate.set_value();
  EXPECT_EQ(decide(""), "missing ");
  EXPECT_EQ(decide("ApiKey abc"), "missing ");
  EXPECT_EQ(decide(basic("mta", "word")), "wrong mta");
  EXPECT_EQ(decide(basic("nobody", "secret")), "wrong nobody");
  EXPECT_EQ(decide(basic("script", "token")), "wrong script");
  EXPECT_EQ(decide(basic("mta", "")), "wrong mta");
  EXPECT_EQ(decide(basic("mta", std::string("secret\0", 7))), "wrong ");
  EXPECT_EQ(decide(basic("mta", std::string(600, 'x'))), "wrong mta");
  EXPECT_EQ(decide("Basic " + base64("no colon")), "wrong ");
  EXPECT_EQ(decide("Basic !!!!"), "wrong ");
  EXPECT_EQ(decide("Bearer other"), "wrong ");
  EXPECT_EQ(decide("Bearer"), "wrong ");
  EXPECT_EQ(decide("Bearer " + sha256_hex("token")), "wrong ");
}

TEST_F(HttpCredentialsTest, LetEverybodyInWithoutUsers) {
  credentials.use({});
  EXPECT_EQ(decide(""), "granted ");
}

TEST_F(HttpCredentialsTest, ComputeAPasswordOnce) {
  auto first = ask(basic("mta", "secret"));
  auto second = ask(basic("mta", "secret"));
  gate.set_value();
  EXPECT_EQ(first.get().access, Access::kGranted);
  EXPECT_EQ(second.get().access, Access::kGranted);
  EXPECT_EQ(decide(basic("mta", "secret")), "granted mta");
  EXPECT_EQ(decide(basic("mta", "wrong")), "wrong mta");
  EXPECT_EQ(decide(basic("mta", "wrong")), "wrong mta");
  EXPECT_EQ(computed, 2);
}

TEST_F(HttpCredentialsTest, ComputeAlsoForNamesThatNobodyHas) {
  gate.set_value();
  EXPECT_EQ(decide(basic("nobody", "secret")), "wrong nobody");
  EXPECT_EQ(computed, 1);
}

TEST_F(HttpCredentialsTest, ForgetEverythingWithNewUsers) {
  gate.set_value();
  EXPECT_EQ(decide(basic("mta", "secret")), "granted mta");
  credentials.use({{"mta", false, "hash of changed"}});
  EXPECT_EQ(decide(basic("mta", "secret")), "wrong mta");
  EXPECT_EQ(decide(basic("mta", "changed")), "granted mta");
  EXPECT_EQ(decide("Bearer token"), "wrong ");
}

TEST_F(HttpCredentialsTest, ComputeOnlyAFewWrongPasswordsOfOnePeer) {
  gate.set_value();
  EXPECT_EQ(decide(basic("other", "word"), "192.0.2.1"), "granted other");
  for (int i = 0; i < HttpCredentials::kMostFailures; ++i) {
    EXPECT_EQ(decide(basic("mta", "guess" + std::to_string(i)), "192.0.2.1"), "wrong mta");
  }
  EXPECT_EQ(decide(basic("mta", "another"), "192.0.2.1"), "busy mta");
  EXPECT_EQ(decide(basic("mta", "guess0"), "192.0.2.1"), "wrong mta");      // it is known
  EXPECT_EQ(decide(basic("other", "word"), "192.0.2.1"), "granted other");  // and so is this
  EXPECT_EQ(decide(basic("mta", "another"), "192.0.2.2"), "wrong mta");
  EXPECT_EQ(computed, HttpCredentials::kMostFailures + 2);
  now += HttpCredentials::kSpan;
  EXPECT_EQ(decide(basic("mta", "secret"), "192.0.2.1"), "granted mta");
}

TEST_F(HttpCredentialsTest, LetOnlySomeWait) {
  std::vector<std::future<AccessDecision>> waiting;
  std::size_t busy = 0;
  for (std::size_t i = 0; i < HttpCredentials::kMostWaiting + 10; ++i) {
    waiting.push_back(ask(basic("mta", "guess" + std::to_string(i)), std::to_string(i)));
  }
  gate.set_value();
  for (auto& one : waiting) busy += one.get().access == Access::kBusy ? 1U : 0U;
  EXPECT_GE(busy, 9U);  // one may be under way beside those that wait
  EXPECT_LE(busy, 10U);
}

struct Hash {
  const char* name;
  std::string hash;
};
class PasswordHash : public testing::TestWithParam<Hash> {};

TEST_P(PasswordHash, IsThatOfThePassword) {
  FixedRandom random;
  HttpCredentials credentials(random);
  credentials.use({{"u", false, GetParam().hash}});
  const auto decide = [&](const std::string& password) {
    std::promise<AccessDecision> promise;
    credentials.check(basic("u", password), "::1", {},
                      [&](AccessDecision decision) { promise.set_value(decision); });
    return promise.get_future().get().access;
  };
  EXPECT_EQ(decide("secret"), Access::kGranted);
  EXPECT_EQ(decide("Secret"), Access::kWrong);
}

INSTANTIATE_TEST_SUITE_P(
    Crypt, PasswordHash,
    testing::Values(
        Hash{"Yescrypt", kYescrypt},
        Hash{"Bcrypt", "$2b$04$IRKgzkznvNuRT9uMUNlimeGF6W5mVS.4DeQ98zGMB9G9f2OAtOPM."},
        Hash{"BcryptOfHtpasswd", "$2y$04$My108gCtFNjdtKqLJPSQFe59oDmDh2mW9yfXQolsMmyFaPt25Asj6"},
        Hash{"Sha512",
             "$6$rounds=1000$rD/0KzlyfsQBa75x$IyD9pohqmIV7KsdeD04vkPDhNu3JkGHGZyZk5opan4G4mVU/"
             "Dw09ggO1e8IXER9RX49mmzfxac60umrc3ZG9X."},
        Hash{"Sha256",
             "$5$rounds=1000$oxMv6rkjy3gVdgWs$VSV8Y1AysIqQ7i/DUFUrbyX2WF5HLiGEdM4BE3F4jGD"}),
    [](const auto& test) { return test.param.name; });

TEST(Base64, IsDecoded) {
  for (const std::string text : {"", "a", "ab", "abc", "abcd", "\xFF\x00\x10"}) {
    EXPECT_EQ(base64_decoded(base64(text)), text);
  }
  for (const auto* broken : {"a", "abc", "a===", "====", "ab=c", "ab c", "ab-_", "=abc"}) {
    EXPECT_EQ(base64_decoded(broken), std::nullopt) << broken;
  }
}

}  // namespace
}  // namespace rapporteur
