// Notices about our own mails, found and recorded. How notices are read is tested in tests/mime.

#include "deliver/bounce.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "deliver/courier_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::HasSubstr;

constexpr const char* kDestination = "mailto:tls@b.example";

class BounceTest : public CourierTest {
 protected:
  // One delivery, accepted by the relay.
  void SetUp() override {
    CourierTest::SetUp();
    Assembly assembly;
    assembly.window = window;
    assembly.now = clock.now();
    Part part;
    part.report_id = "r@example.org";
    part.mail_body = "body\r\n";
    assembly.parts = {part};
    Delivery made;
    made.id = kId;
    made.domain = "about.example";
    made.report_id = part.report_id;
    made.destination = kDestination;
    made.envelope_from = "tlsrpt+" + std::string(kId) + "@example.org";
    made.next_attempt = clock.now();
    assembly.deliveries = {made};
    ASSERT_TRUE(real->assemble(assembly));
    courier = std::make_unique<Courier>(*store, clock, random, log, options);
  }
  void deliver() {
    settle();
    ASSERT_EQ(state(kId), DeliveryState::kDelivered);
  }

  struct Notice {
    std::string to = "postmaster@example.org";
    std::string message_id;  // of the returned mail
    std::string action = "failed";
    std::string status = "5.1.1";
    std::string diagnostic = "smtp; 550 5.1.1 no such user";
    std::string recipient = "tls@b.example";
  };
  std::string ours() const { return std::string(kId) + "." + real->token() + "@example.org"; }

  static std::string text_of(const Notice& notice) {
    return "From: MAILER-DAEMON@relay.example\r\nTo: " + notice.to +
           "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
           "report-type=delivery-status; boundary=\"b\"\r\n\r\n"
           "--b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n"
           "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
           "Reporting-MTA: dns; relay.example\r\n\r\nFinal-Recipient: rfc822; " +
           notice.recipient + "\r\nAction: " + notice.action + "\r\nStatus: " + notice.status +
           "\r\nDiagnostic-Code: " + notice.diagnostic +
           "\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <" + notice.message_id +
           ">\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n";
  }

  BounceOutcome take(const Notice& notice) { return take_text(text_of(notice)); }
  BounceOutcome take_text(const std::string& message) {
    Suppressor suppressor(*real, log);
    auto outcome = take_bounce(*real, suppressor, log, message, clock.now());
    EXPECT_TRUE(outcome) << outcome.error().text;
    return outcome ? *std::move(outcome) : BounceOutcome{};
  }

  static constexpr const char* kId = "k3x9a0bq1c2d";
};

using Kind = BounceOutcome::Kind;

TEST_F(BounceTest, TheMessageIdOfTheReturnedMailNamesTheDelivery) {
  deliver();
  const auto outcome = take({.message_id = ours()});
  EXPECT_EQ(outcome.kind, Kind::kRecorded);
  EXPECT_EQ(outcome.delivery, kId);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_EQ(delivery(kId).last_response, "550 5.1.1 no such user (bounce)");
  EXPECT_EQ(log.count("delivery-bounced"), 1U);
}

TEST_F(BounceTest, SoDoesTheEnvelopeAddress) {
  deliver();
  const auto outcome = take({.to = "TLSRPT+" + std::string(kId) + "@Example.org"});
  EXPECT_EQ(outcome.kind, Kind::kRecorded);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceTest, AnAddressThatOnlyHoldsTheIdDoesNot) {
  deliver();
  EXPECT_EQ(take({.to = std::string(kId) + "@example.org"}).kind, Kind::kIgnored);
  EXPECT_EQ(take({.to = "tlsrpt+" + std::string(kId) + "@b.example"}).kind, Kind::kIgnored);
  EXPECT_EQ(state(kId), DeliveryState::kDelivered);
}

TEST_F(BounceTest, ANoticeAboutAnotherStoresMailIsIgnored) {
  deliver();
  const auto outcome = take({.message_id = std::string(kId) + ".zzzzzzzz@example.org"});
  EXPECT_EQ(outcome.kind, Kind::kIgnored);
  EXPECT_EQ(outcome.why, "it is about no mail of this store");
  EXPECT_EQ(state(kId), DeliveryState::kDelivered);
}

TEST_F(BounceTest, OnlyAFailureBounces) {
  deliver();
  for (const auto* action : {"delayed", "delivered", "relayed", "expanded"}) {
    const auto outcome =
        take({.message_id = ours(), .action = action, .status = "4.4.1", .diagnostic = "smtp; x"});
    EXPECT_EQ(outcome.kind, Kind::kIgnored) << action;
    EXPECT_THAT(outcome.why, HasSubstr(action));
    EXPECT_EQ(outcome.delivery, kId);
  }
  EXPECT_EQ(state(kId), DeliveryState::kDelivered);
}

TEST_F(BounceTest, ARepeatedNoticeChangesNothing) {
  deliver();
  take({.message_id = ours()});
  const auto ended = delivery(kId).ended;
  clock.advance(1h);
  EXPECT_EQ(take({.message_id = ours(), .diagnostic = "smtp; 550 5.7.1 other"}).kind,
            Kind::kRepeated);
  EXPECT_EQ(delivery(kId).ended, ended);
  EXPECT_EQ(delivery(kId).last_response, "550 5.1.1 no such user (bounce)");
}

TEST_F(BounceTest, WhatWasNeverTriedCannotBounce) {
  const auto outcome = take({.message_id = ours()});
  EXPECT_EQ(outcome.kind, Kind::kIgnored);
  EXPECT_EQ(state(kId), DeliveryState::kPending);
}

// The final reply is here, and the store was away when it was to be recorded.
TEST_F(BounceTest, WhileAnAttemptIsUnderWayANoticeIsToBeTakenAgain) {
  for (const bool is_first : {true, false}) {
    if (!is_first) {
      ASSERT_TRUE(*real->retry_delivery(kId, clock.now()));
    }
    store->failures["record_attempt"] = 1;
    ASSERT_TRUE(courier->step(true, true));
    courier->wait(10s);
    ASSERT_FALSE(courier->step(true, true));
    Suppressor suppressor(*real, log);
    const auto text = text_of({.message_id = ours()});
    const auto early = take_bounce(*real, suppressor, log, text, clock.now());
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().fault, Fault::kTransient);
    EXPECT_EQ(early.error().text, "an attempt of the delivery is under way");
    settle();
    EXPECT_EQ(state(kId), DeliveryState::kDelivered);
    EXPECT_EQ(take_text(text).kind, Kind::kRecorded);
    EXPECT_EQ(state(kId), DeliveryState::kBounced);
  }
}

TEST_F(BounceTest, WhatWasSentBeforeTheProgramDiedCanBounce) {
  const std::vector<std::string> begun = {kId};
  ASSERT_TRUE(real->begin_attempts(begun, clock.now()));
  ASSERT_EQ(*real->recover_interrupted(clock.now()), 1U);
  EXPECT_EQ(take({.message_id = ours()}).kind, Kind::kRecorded);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

// Another recipient of the notice, before ours or behind it.
TEST_F(BounceTest, WhatIsSaidOfOurAddressCounts) {
  deliver();
  const auto two = [&](const std::string& action, bool ours_first) {
    auto text = text_of({.message_id = ours(),
                         .action = ours_first ? "failed" : action,
                         .recipient = ours_first ? "bob@b.example" : "TLS@b.example"});
    const auto group = "Final-Recipient: rfc822; " +
                       std::string(ours_first ? "tls@b.example" : "bob@b.example") +
                       "\r\nAction: " + (ours_first ? action : "failed") + "\r\n\r\n";
    return text.insert(text.find("Final-Recipient"), group);
  };
  for (const auto* action : {"expanded", "relayed", "delivered", "delayed"}) {
    for (const bool ours_first : {true, false}) {
      const auto outcome = take_text(two(action, ours_first));
      EXPECT_EQ(outcome.kind, Kind::kIgnored) << action;
      EXPECT_THAT(outcome.why, HasSubstr(action));
    }
  }
  EXPECT_EQ(state(kId), DeliveryState::kDelivered);
  EXPECT_EQ(take_text(two("failed", true)).kind, Kind::kRecorded);
}

TEST_F(BounceTest, AFailureOfAnAddressThatOursWasRewrittenToIsOurs) {
  deliver();
  EXPECT_EQ(take({.message_id = ours(), .recipient = "bob@b.example"}).kind, Kind::kRecorded);
}

TEST_F(BounceTest, AnUncertainDeliveryThatBouncesIsNotSentAgain) {
  wire.reply_otherwise(make_reply(Reply::Outcome::kUncertain, Stage::kFinal, 0, "no reply"));
  settle();
  ASSERT_EQ(state(kId), DeliveryState::kUncertain);
  EXPECT_EQ(take({.message_id = ours()}).kind, Kind::kRecorded);
  const auto sent = wire.sent().size();
  pass(2h, 5min);
  EXPECT_EQ(wire.sent().size(), sent);
}

TEST_F(BounceTest, AnythingElseIsIgnoredWithAReason) {
  deliver();
  for (const auto* text : {"", "hello", "Subject: hi\r\n\r\nI am on holiday\r\n"}) {
    const auto outcome = take_text(text);
    EXPECT_EQ(outcome.kind, Kind::kIgnored);
    EXPECT_EQ(outcome.why, "not a delivery status notification");
  }
}

struct ResponseCase {
  const char* name;
  const char* status;
  const char* diagnostic;
  const char* want;
  bool blamed;
};

class BounceResponseTest : public BounceTest, public testing::WithParamInterface<ResponseCase> {};

TEST_P(BounceResponseTest, TellsStatusAndDiagnosticOnce) {
  const auto& [name, status, diagnostic, want, blamed] = GetParam();
  deliver();
  take({.message_id = ours(), .status = status, .diagnostic = diagnostic});
  EXPECT_EQ(delivery(kId).last_response, want);
  const auto streak = real->failure_streak(kDestination, {}, clock.now());
  ASSERT_TRUE(streak);
  EXPECT_EQ(streak->windows, blamed ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Bounce, BounceResponseTest,
                         testing::Values(ResponseCase{"Both", "5.1.1", "smtp; 550 5.1.1 unknown",
                                                      "550 5.1.1 unknown (bounce)", true},
                                         ResponseCase{"Different", "5.0.0", "smtp; 550 no",
                                                      "5.0.0 550 no (bounce)", true},
                                         ResponseCase{"StatusAlone", "5.2.2", "", "5.2.2 (bounce)",
                                                      true},
                                         ResponseCase{"Expired", "4.4.7", "smtp; 451 later",
                                                      "4.4.7 451 later (bounce)", false}),
                         [](const auto& tested) { return std::string(tested.param.name); });

// Three windows of one destination, accepted and then bounced.
class BouncesOfThreeWindowsTest : public BounceTest {
 protected:
  static constexpr const char* kPattern = "tls@b.example";

  // The first two have bounced, the third is delivered; its notice.
  std::string await_the_third() {
    deliver();
    take({.message_id = ours()});
    deliver_another(1);
    take({.message_id = third()});
    deliver_another(2);
    return text_of({.message_id = third()});
  }
  void deliver_another(int number) {
    clock.advance(40h);
    CountBatch batch;
    batch.now = clock.now();
    WindowDelta delta;
    delta.domain = "about" + std::to_string(number) + ".example";
    delta.period = {clock.now() - 1h, clock.now()};
    delta.first = delta.last = clock.now() - 1s;
    delta.due = delta.supplement_due = clock.now();
    delta.counts = {{{PolicyType::kSts, delta.domain, {}, {}}, 1, 0, {}}};
    batch.windows = {delta};
    ASSERT_TRUE(real->add(batch));
    Assembly assembly;
    assembly.window = real->claim_due(clock.now(), 9, std::nullopt)->front().id;
    assembly.now = clock.now();
    Part part;
    part.report_id = std::to_string(number);
    assembly.parts = {part};
    Delivery made;
    made.id = id = "k3x9a0bq1c" + std::string(2, static_cast<char>('0' + number));
    made.destination = kDestination;
    made.next_attempt = clock.now();
    assembly.deliveries = {made};
    ASSERT_TRUE(real->assemble(assembly));
    settle();
    ASSERT_EQ(state(id), DeliveryState::kDelivered);
  }
  std::string third() const { return id + "." + real->token() + "@example.org"; }

  std::optional<Suppression> entry() {
    const std::string pattern = kPattern;
    const auto entries = real->suppressions({&pattern, 1});
    EXPECT_TRUE(entries);
    return entries->empty() ? std::nullopt : std::optional(entries->front());
  }

  std::string id;  // of the latest
};

TEST_F(BouncesOfThreeWindowsTest, SuppressTheDestination) {
  const auto notice = await_the_third();
  EXPECT_FALSE(entry());
  EXPECT_EQ(take_text(notice).kind, Kind::kRecorded);
  ASSERT_TRUE(entry());
  EXPECT_THAT(entry()->reason, HasSubstr("3 windows"));
}

TEST_F(BouncesOfThreeWindowsTest, SuppressItAlsoWhereTheStoreFailedBehindTheThird) {
  const auto notice = await_the_third();
  for (const auto* method : {"suppressions", "failure_streak", "put_suppression"}) {
    store->failures[method] = 1;
    Suppressor suppressor(*store, log);
    EXPECT_FALSE(take_bounce(*store, suppressor, log, notice, clock.now())) << method;
    EXPECT_EQ(state(id), DeliveryState::kBounced);
    EXPECT_FALSE(entry());
  }
  EXPECT_EQ(take_text(notice).kind, Kind::kRepeated);
  ASSERT_TRUE(entry());
  EXPECT_THAT(entry()->reason, HasSubstr("550 5.1.1 no such user (bounce)"));
}

TEST_F(BouncesOfThreeWindowsTest, AreNotCountedAgainWhenTheirNoticesRepeatMonthsLater) {
  const auto notice = await_the_third();
  // Accepted before the destination was suppressed, bounced while it is.
  deliver_another(3);
  const auto late = text_of({.message_id = third()});
  take_text(notice);
  ASSERT_TRUE(entry());
  take_text(late);
  const auto until = *entry()->until;
  clock.advance(61 * 24h);
  for (const auto& text : {notice, late, text_of({.message_id = ours()})}) {
    EXPECT_EQ(take_text(text).kind, Kind::kRepeated);
    EXPECT_EQ(entry()->spells, 1);
    EXPECT_EQ(entry()->until, until);
  }
}

TEST_F(BouncesOfThreeWindowsTest, OfWhichOneWasOnlyPutOffDoNot) {
  await_the_third();
  const auto notice = text_of({.message_id = third(), .status = "4.4.7"});
  EXPECT_EQ(take_text(notice).kind, Kind::kRecorded);
  EXPECT_EQ(take_text(notice).kind, Kind::kRepeated);
  EXPECT_FALSE(entry());
}

class BounceMaildirTest : public BounceTest {
 protected:
  BounceMaildirTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bouncesXXXXXX").string();
    path = mkdtemp(pattern.data());
    std::filesystem::create_directory(path / "new");
    maildir = std::make_unique<BounceMaildir>(path.string());
  }
  ~BounceMaildirTest() override { std::filesystem::remove_all(path); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(path / "new" / name, std::ios::binary) << text;
  }
  BounceMaildir::Round take_some(Store& from, std::size_t most = 1000) {
    Suppressor suppressor(from, log);
    return maildir->take(from, suppressor, log, most, clock.now());
  }
  bool is_waiting(const std::string& name) { return std::filesystem::exists(path / "new" / name); }

  std::filesystem::path path;
  std::unique_ptr<BounceMaildir> maildir;
};

TEST_F(BounceMaildirTest, EveryMessageIsTakenAndMovedAway) {
  deliver();
  put("1", "no notice");
  put("2", text_of({.message_id = ours()}));
  const auto round = take_some(*real);
  EXPECT_FALSE(round.problem) << round.problem->text;
  EXPECT_EQ(round.taken, 2U);
  EXPECT_FALSE(maildir->has_more());
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_TRUE(std::filesystem::is_empty(path / "new"));
  EXPECT_EQ(log.count("bounce-ignored"), 1U);
  EXPECT_EQ(take_some(*real).taken, 0U);
}

TEST_F(BounceMaildirTest, WhatTheStoreCouldNotTakeStaysInPlace) {
  deliver();
  put("1", text_of({.message_id = ours()}));
  put("2", text_of({.message_id = ours()}));
  store->failures["deliveries"] = 1;
  const auto failed = take_some(*store);
  EXPECT_EQ(failed.taken, 0U);
  ASSERT_TRUE(failed.problem);
  EXPECT_EQ(failed.problem->text, "the store is away");
  EXPECT_FALSE(maildir->has_more()) << "the store is not asked again at once";
  EXPECT_TRUE(is_waiting("1") && is_waiting("2"));
  EXPECT_EQ(take_some(*real).taken, 2U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, WhatCannotBeReadKeepsNothingElse) {
  deliver();
  put("1", "x");
  std::filesystem::permissions(path / "new" / "1", std::filesystem::perms::none);
  std::filesystem::last_write_time(path / "new" / "1",
                                   std::filesystem::file_time_type::clock::now() - 1h);
  put("2", text_of({.message_id = ours()}));
  std::filesystem::create_directory(path / "cur");
  for (const auto& folder : {path, path / "new", path / "cur"}) {
    std::filesystem::permissions(folder, std::filesystem::perms::all);
  }
  // The superuser reads everything.
  constexpr uid_t kNobody = 65534;
  const bool root = geteuid() == 0;
  ASSERT_TRUE(!root || seteuid(kNobody) == 0);
  const auto round = take_some(*real);
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_EQ(round.taken, 1U);
  ASSERT_TRUE(round.problem);
  EXPECT_THAT(round.problem->text, HasSubstr("new/1: Permission denied"));
  EXPECT_TRUE(is_waiting("1"));
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, WhatCannotBeMovedKeepsNothingElse) {
  deliver();
  put("1", "no notice");
  std::filesystem::last_write_time(path / "new" / "1",
                                   std::filesystem::file_time_type::clock::now() - 1h);
  put("2", text_of({.message_id = ours()}));
  std::filesystem::create_directory(path / "cur");
  for (int i = 0; i < 100; ++i) {
    const auto name = i == 0 ? std::string("1:2,S") : "1." + std::to_string(i) + ":2,S";
    std::ofstream(path / "cur" / name) << "taken";
  }
  const auto first = take_some(*real, 1);
  EXPECT_EQ(first.taken, 0U);
  EXPECT_FALSE(first.problem) << "it is told at the end of the listing";
  EXPECT_TRUE(maildir->has_more());
  const auto second = take_some(*real, 1);
  EXPECT_EQ(second.taken, 1U);
  ASSERT_TRUE(second.problem);
  EXPECT_THAT(second.problem->text, HasSubstr("cannot move"));
  EXPECT_FALSE(maildir->has_more());
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_TRUE(take_some(*real).problem) << "it is tried again";
}

TEST_F(BounceMaildirTest, WhatComesTooEarlyStaysAndIsNoProblem) {
  put("1", text_of({.message_id = ours()}));
  const std::vector<std::string> begun = {kId};
  ASSERT_TRUE(real->begin_attempts(begun, clock.now()));
  put("2", "no notice");
  const auto round = take_some(*real);
  EXPECT_EQ(round.taken, 1U);
  EXPECT_EQ(round.early, 1U);
  EXPECT_FALSE(round.problem);
  EXPECT_TRUE(is_waiting("1"));
  ASSERT_TRUE(real->record_attempt(
      {.delivery = kId, .state = DeliveryState::kDelivered, .now = clock.now()}));
  EXPECT_EQ(take_some(*real).taken, 1U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

TEST_F(BounceMaildirTest, AFloodIsTakenInRounds) {
  for (int i = 0; i < 1050; ++i) put(std::to_string(i), "no notice");
  std::size_t taken = 0;
  std::size_t rounds = 0;
  do {
    const auto round = take_some(*real, 20);
    EXPECT_LE(round.taken, 20U);
    taken += round.taken;
    ++rounds;
  } while (maildir->has_more());
  EXPECT_EQ(taken, 1050U);
  EXPECT_EQ(rounds, 53U);
}

TEST_F(BounceMaildirTest, WhatAllStaysIsNotListedAgainAtOnce) {
  const std::vector<std::string> begun = {kId};
  ASSERT_TRUE(real->begin_attempts(begun, clock.now()));
  for (int i = 0; i < 1000; ++i) put(std::to_string(i), text_of({.message_id = ours()}));
  const auto round = take_some(*real);
  EXPECT_EQ(round.early, 1000U);
  EXPECT_FALSE(maildir->has_more());
}

TEST_F(BounceMaildirTest, OfALongNoticeTheStartCounts) {
  deliver();
  const auto notice = text_of({.message_id = ours()});
  put("1", notice + std::string(2 << 20, 'x'));
  put("2", notice);
  std::filesystem::resize_file(path / "new" / "2", kLargestNotice + 1);
  EXPECT_EQ(take_some(*real).taken, 2U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_EQ(log.count("bounce-ignored"), 1U);
}

}  // namespace
}  // namespace rapporteur::testing_support
