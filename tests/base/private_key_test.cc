#include "base/private_key.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;

std::string pem(const std::string& name) {
  const auto text = read_file(TEST_ROOT "/base/data/" + name);
  EXPECT_TRUE(text) << name;
  return text ? *text : std::string();
}

TEST(PrivateKey, ReadsTheKeyOfRfc8463) {
  const auto key = PrivateKey::from_pem(pem("ed25519.pem"));
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->type(), PrivateKey::Type::kEd25519);
  EXPECT_EQ(key->bits(), 256);
  EXPECT_EQ(key->pem(), pem("ed25519.pem"));
  EXPECT_EQ(key->dns_public_key(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
}

TEST(PrivateKey, SignsAsRfc8032) {
  const auto key = PrivateKey::from_pem(pem("ed25519.pem"));
  ASSERT_TRUE(key);
  EXPECT_EQ(hex(key->sign_ed25519("")),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST(PrivateKey, ReadsRsaInBothPemForms) {
  const auto key = PrivateKey::from_pem(pem("rsa1024.pem"));
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->type(), PrivateKey::Type::kRsa);
  EXPECT_EQ(key->bits(), 1024);
  EXPECT_TRUE(PrivateKey::from_pem(pem("rsa1024_pkcs1.pem")));
  std::string published;
  const auto file = pem("rsa1024_public.pem");
  for (std::size_t i = file.find('\n') + 1; i < file.rfind("\n-----END"); ++i) {
    if (file[i] != '\n') published += file[i];
  }
  EXPECT_EQ(key->dns_public_key(), published);
}

struct Refusal {
  const char* file;
  const char* want;
};
class RefusedKey : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedKey, SaysWhy) {
  const auto key = PrivateKey::from_pem(pem(GetParam().file));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().fault, Fault::kConfig);
  EXPECT_EQ(key.error().text, GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Files, RefusedKey,
    testing::Values(
        Refusal{"rsa1016.pem",
                "an RSA key of 1016 bits; 1024 are the least that verifiers accept (RFC 8301)"},
        Refusal{"ec.pem", "neither an RSA nor an Ed25519 key"},
        Refusal{"rsa1024_encrypted.pem", "not an unencrypted private key in PEM form"},
        Refusal{"rsa1024_public.pem", "not an unencrypted private key in PEM form"},
        Refusal{"README.md", "not an unencrypted private key in PEM form"}));

TEST(PrivateKeyFile, IsRefusedWhenEveryoneMayReadIt) {
  std::string path = testing::TempDir() + "key.XXXXXX";
  close(mkstemp(path.data()));
  ASSERT_TRUE(write_file(path, pem("ed25519.pem"), 0640));
  EXPECT_TRUE(PrivateKey::from_file(path));
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  const auto key = PrivateKey::from_file(path);
  unlink(path.c_str());
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().fault, Fault::kConfig);
  EXPECT_THAT(key.error().text, HasSubstr("chmod o-rwx " + path));
}

TEST(PrivateKeyFile, SaysWhyItCannotBeRead) {
  const auto key = PrivateKey::from_file("/nonexistent/key.pem");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().fault, Fault::kConfig);
  EXPECT_EQ(key.error().text, "cannot open /nonexistent/key.pem: No such file or directory");
}

}  // namespace
}  // namespace rapporteur
