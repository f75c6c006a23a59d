#pragma once
// A delivery that the relay has accepted, and notices about it.

#include <memory>
#include <optional>
#include <string>

#include "deliver/bounce.h"
#include "deliver/courier_setup.h"

namespace rapporteur::testing_support {

inline constexpr const char* kDestination = "mailto:tls@b.example";

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
    ASSERT_TRUE(real->conclude(assembly));
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

}  // namespace rapporteur::testing_support
