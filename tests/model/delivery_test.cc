#include "model/delivery.h"

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

TEST(MailAddress, IsTheDestinationWithoutItsSchemeAndEscapes) {
  EXPECT_EQ(mail_address("mailto:tls@a.example"), "tls@a.example");
  EXPECT_EQ(mail_address("mailto:a%25b%3Fc@a.example"), "a%b?c@a.example");
  EXPECT_EQ(mail_address("mailto:100%@a.example"), "100%@a.example");
}

TEST(DeliveryState, EveryNameIsReadBack) {
  for (const auto state :
       {DeliveryState::kPending, DeliveryState::kDelivered, DeliveryState::kBounced,
        DeliveryState::kFailed, DeliveryState::kSuppressed, DeliveryState::kAbandoned,
        DeliveryState::kUncertain}) {
    EXPECT_EQ(parse_delivery_state(to_string(state)), state);
    EXPECT_EQ(is_final(state),
              state != DeliveryState::kPending && state != DeliveryState::kUncertain);
  }
  EXPECT_FALSE(parse_delivery_state("lost"));
}

}  // namespace
}  // namespace rapporteur
