// Notices about our own mails, found and recorded. How notices are read is tested in tests/mime.

#include "deliver/bounce.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "deliver/courier_setup.h"

namespace rapporteur::testing_support {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

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
  const auto streak = real->failure_streak(kDestination, {});
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

TEST_F(BounceTest, BouncesOfThreeWindowsSuppressADestination) {
  // Two earlier windows of the same destination, accepted and then bounced.
  deliver();
  take({.message_id = ours()});
  for (int day = 1; day <= 2; ++day) {
    clock.advance(40h);
    CountBatch batch;
    batch.now = clock.now();
    WindowDelta delta;
    delta.domain = "about" + std::to_string(day) + ".example";
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
    part.report_id = std::to_string(day);
    assembly.parts = {part};
    Delivery made;
    made.id = "k3x9a0bq1c" + std::string(2, static_cast<char>('0' + day));
    made.destination = kDestination;
    made.next_attempt = clock.now();
    assembly.deliveries = {made};
    ASSERT_TRUE(real->assemble(assembly));
    settle();
    take({.message_id = made.id + "." + real->token() + "@example.org"});
    EXPECT_EQ(state(made.id), DeliveryState::kBounced);
  }
  const std::string pattern = "tls@b.example";
  const auto entries = real->suppressions({&pattern, 1});
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_THAT(entries->front().reason, HasSubstr("3 windows"));
}

class BounceMaildirTest : public BounceTest {
 protected:
  BounceMaildirTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bouncesXXXXXX").string();
    path = mkdtemp(pattern.data());
    std::filesystem::create_directory(path / "new");
  }
  ~BounceMaildirTest() override { std::filesystem::remove_all(path); }

  void put(const std::string& name, const std::string& text) {
    std::ofstream(path / "new" / name, std::ios::binary) << text;
  }
  Result<std::size_t> take_all(Store& from) {
    Suppressor suppressor(from, log);
    return take_bounces(from, suppressor, log, Maildir(path.string()), clock.now());
  }

  std::filesystem::path path;
};

TEST_F(BounceMaildirTest, EveryMessageIsTakenAndMovedAway) {
  deliver();
  put("1", "no notice");
  put("2", text_of({.message_id = ours()}));
  const auto taken = take_all(*real);
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(*taken, 2U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
  EXPECT_TRUE(std::filesystem::is_empty(path / "new"));
  EXPECT_EQ(log.count("bounce-ignored"), 1U);
  EXPECT_EQ(*take_all(*real), 0U);
}

TEST_F(BounceMaildirTest, WhatTheStoreCouldNotTakeStaysInPlace) {
  deliver();
  put("1", text_of({.message_id = ours()}));
  store->failures["deliveries"] = 1;
  EXPECT_FALSE(take_all(*store));
  EXPECT_FALSE(std::filesystem::is_empty(path / "new"));
  EXPECT_EQ(*take_all(*real), 1U);
  EXPECT_EQ(state(kId), DeliveryState::kBounced);
}

}  // namespace
}  // namespace rapporteur::testing_support
