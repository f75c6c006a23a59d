#include "base/certificate.h"

#include <gtest/gtest.h>

#include <string>

namespace rapporteur {
namespace {

const std::string kData = std::string(TEST_ROOT) + "/base/data/";

std::string problem(const std::string& certificate, const std::string& key) {
  const auto checked = check_certificate(certificate, key);
  if (checked) return "";
  EXPECT_EQ(checked.error().fault, Fault::kConfig);
  return checked.error().text;
}

TEST(Certificate, IsTakenWithItsKey) {
  EXPECT_EQ(problem(kData + "listener.pem", kData + "listener.key"), "");
}

TEST(Certificate, IsRefusedWithAnyOther) {
  const auto certificate = kData + "listener.pem";
  const auto key = kData + "listener.key";
  const auto other = kData + "other-listener.key";
  const auto encrypted = kData + "encrypted-listener.key";
  EXPECT_EQ(problem(certificate, other), "the key in " + other + " is not that of " + certificate);
  EXPECT_EQ(problem(key, key), key + " holds no certificate in PEM form");
  for (const auto& none : {certificate, encrypted}) {
    EXPECT_EQ(problem(certificate, none), none + " holds no unencrypted private key in PEM form");
  }
  EXPECT_EQ(problem("/nowhere", key), "cannot open /nowhere: No such file or directory");
  EXPECT_EQ(problem(certificate, "/nowhere"), "cannot open /nowhere: No such file or directory");
}

}  // namespace
}  // namespace rapporteur
