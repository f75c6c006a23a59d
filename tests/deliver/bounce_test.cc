// Notices about our own mails, found and recorded. How notices are read is tested in tests/mime.

#include "deliver/bounce_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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
    store->failures["record_attempts"] = 1;
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
    delta.due = clock.now();
    delta.supplement_due = delta.due;
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
    ASSERT_TRUE(real->conclude(assembly));
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

}  // namespace
}  // namespace rapporteur::testing_support
