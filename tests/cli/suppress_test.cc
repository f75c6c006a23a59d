#include "cli_fixture.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SuppressTest : public CliTest {};

TEST_F(SuppressTest, WhatWasAddedIsListedUntilItIsRemoved) {
  EXPECT_THAT(run({"suppress", "list"}).out, HasSubstr("nothing is suppressed"));
  const auto added =
      run({"suppress", "add", "TLS@B.Example", "--reason", "asked for it", "--json"});
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.json()["pattern"], "tls@b.example");
  EXPECT_EQ(added.json()["state"], "suppressed");
  EXPECT_TRUE(added.json()["until"].is_null());
  EXPECT_EQ(run({"suppress", "add", "@c.example", "--until", "2h"}).code, 0);
  const auto list = run({"suppress", "list", "--json"}).json()["suppressions"];
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0]["pattern"], "@c.example");
  EXPECT_EQ(list[0]["until"], format_rfc3339(clock.now() + std::chrono::hours(2)));
  EXPECT_EQ(list[1]["reason"], "asked for it");
  EXPECT_EQ(list[1]["automatic"], false);
  EXPECT_THAT(run({"suppress", "list"}).out, HasSubstr("it is removed"));

  EXPECT_EQ(run({"suppress", "remove", "tls@b.example"}).code, 0);
  EXPECT_EQ(run({"suppress", "remove", "tls@b.example"}).code, 3);
  EXPECT_EQ(run({"suppress", "list", "--json"}).json()["suppressions"][1]["state"], "lifted");
  EXPECT_EQ(run({"suppress", "remove", "@c.example"}).code, 0);
  EXPECT_EQ(run({"suppress", "list", "--json"}).json()["suppressions"].size(), 1U);
}

TEST_F(SuppressTest, WhatIsNoDestinationIsRefusedWithTheForms) {
  for (const auto* text : {"b.example", "ftp://b.example/", "a b@c.example", "report:"}) {
    const auto outcome = run({"suppress", "add", text});
    EXPECT_EQ(outcome.code, 2) << text;
    EXPECT_THAT(outcome.err, HasSubstr("write an address, @domain"));
  }
  EXPECT_EQ(run({"suppress", "add", "@b.example", "--until", "2020-01-01"}).code, 2);
}

TEST_F(SuppressTest, AnAutomaticOneIsLiftedAndItsFailuresForgotten) {
  ASSERT_TRUE(store()->put_suppression({.pattern = "a@b.example",
                                        .automatic = true,
                                        .since = clock.now(),
                                        .until = clock.now() + std::chrono::hours(1),
                                        .reason = "3 windows failed",
                                        .spells = 2}));
  EXPECT_EQ(run({"suppress", "remove", "a@b.example"}).code, 0);
  const auto list = run({"suppress", "list", "--json"}).json()["suppressions"];
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["state"], "lifted");
  EXPECT_EQ(list[0]["spells"], 0);
  EXPECT_EQ(run({"suppress", "remove", "a@b.example"}).code, 3);
}

class BounceCommandTest : public CliTest {};

TEST_F(BounceCommandTest, WhateverAFileHoldsIsNoFailure) {
  write(folder / "mail.eml", "Subject: hello\r\n\r\nno notice\r\n");
  const auto outcome = run({"bounce", (folder / "mail.eml").string(), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  ASSERT_EQ(outcome.json().size(), 1U);
  EXPECT_EQ(outcome.json()[0]["status"], "ignored");
  EXPECT_TRUE(outcome.json()[0]["delivery"].is_null());
  EXPECT_EQ(outcome.json()[0]["why"], "not a delivery status notification");
}

TEST_F(BounceCommandTest, AFileThatCannotBeReadIsOne) {
  const auto outcome = run({"bounce", (folder / "missing.eml").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("missing.eml"));
}

TEST_F(BounceCommandTest, TroubleOfOurOwnMakesThePipeTryAgain) {
  write(config_path, "[system]\nnonsense = 1\n");
  EXPECT_EQ(run({"bounce", "-"}).code, 75);
}

TEST_F(BounceCommandTest, AMaildirIsEmptied) {
  std::filesystem::create_directories(folder / "bounces" / "new");
  write(folder / "bounces" / "new" / "1", "Subject: hello\r\n\r\nno notice\r\n");
  const auto outcome = run({"bounce", (folder / "bounces").string(), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.json()[0]["taken"], 1);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "bounces" / "new"));
}

}  // namespace
}  // namespace rapporteur
