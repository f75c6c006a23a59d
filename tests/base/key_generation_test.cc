#include "base/key_generation.h"

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

TEST(KeyGeneration, RsaKeysHaveTheSizeThatWasAskedFor) {
  for (const int bits : {kLeastRsaBits, kUsualRsaBits}) {
    const auto key = generate_private_key(PrivateKey::Type::kRsa, bits);
    ASSERT_TRUE(key) << key.error().text;
    EXPECT_EQ(key->type(), PrivateKey::Type::kRsa);
    EXPECT_EQ(key->bits(), bits);
  }
}

TEST(KeyGeneration, Ed25519KeysSign) {
  const auto key = generate_private_key(PrivateKey::Type::kEd25519);
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->type(), PrivateKey::Type::kEd25519);
  EXPECT_EQ(key->sign_ed25519("text").size(), 64U);
}

TEST(KeyGeneration, ThePemIsPkcs8AndReadsAsTheSameKey) {
  for (const auto type : {PrivateKey::Type::kRsa, PrivateKey::Type::kEd25519}) {
    const auto key = generate_private_key(type, kLeastRsaBits);
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->pem().starts_with("-----BEGIN PRIVATE KEY-----\n")) << key->pem();
    const auto again = PrivateKey::from_pem(key->pem());
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->dns_public_key(), key->dns_public_key());
  }
}

TEST(KeyGeneration, NoTwoKeysAreTheSame) {
  const auto one = generate_private_key(PrivateKey::Type::kEd25519);
  const auto other = generate_private_key(PrivateKey::Type::kEd25519);
  ASSERT_TRUE(one && other);
  EXPECT_NE(one->dns_public_key(), other->dns_public_key());
}

}  // namespace
}  // namespace rapporteur
