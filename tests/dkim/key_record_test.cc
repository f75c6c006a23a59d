#include "dkim/key_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace rapporteur {
namespace {

using State = KeyVerdict::State;

PrivateKey key(const std::string& name) {
  std::ifstream file(TEST_ROOT "/dkim/keys/" + name + ".pem");
  return *PrivateKey::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST(KeyRecord, NamesWhereItIsPublished) {
  EXPECT_EQ(*key_record_name("s1", "example.org"), "s1._domainkey.example.org");
  const std::string label(60, 'a');
  const auto domain = label + "." + label + "." + label + "." + label;
  const auto too_long = key_record_name("selector", domain);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().fault, Fault::kInput);
}

TEST(KeyRecord, HoldsTypeServiceAndKey) {
  const auto ed = key("ed25519");
  EXPECT_EQ(key_record(ed, ""), "v=DKIM1; k=ed25519; p=" + ed.dns_public_key());
  const auto rsa = key("rsa2048");
  EXPECT_EQ(key_record(rsa, "tlsrpt"), "v=DKIM1; k=rsa; s=tlsrpt; p=" + rsa.dns_public_key());
}

TEST(KeyRecord, IsSplitAtTheLengthOfACharacterString) {
  EXPECT_THAT(character_strings(""), testing::ElementsAre(""));
  const std::string full(kMostStringBytes, 'a');
  EXPECT_THAT(character_strings(full), testing::ElementsAre(full));
  EXPECT_THAT(character_strings(full + "b"), testing::ElementsAre(full, "b"));
  const auto record = key_record(key("rsa4096"), "");
  std::string joined;
  for (const auto& piece : character_strings(record)) {
    EXPECT_LE(piece.size(), kMostStringBytes);
    joined += piece;
  }
  EXPECT_EQ(joined, record);
  EXPECT_EQ(character_strings(record).size(), 3U);
}

TEST(KeyRecord, StandsInAZoneAsQuotedStrings) {
  const std::string full(kMostStringBytes, 'a');
  EXPECT_EQ(zone_entry("s1._domainkey.example.org", full + "b\"\\"),
            "s1._domainkey.example.org. IN TXT (\n  \"" + full + "\"\n  \"b\\\"\\\\\" )\n");
}

TEST(KeyRecord, StandsOnOneLineOfAZone) {
  const std::string full(kMostStringBytes, 'a');
  EXPECT_EQ(zone_line("s1._domainkey.example.org", full + "b\"\\"),
            "s1._domainkey.example.org. IN TXT \"" + full + "\" \"b\\\"\\\\\"");
}

struct Published {
  const char* name;
  std::vector<std::string> records;  // KEY stands for the public half of ed25519.pem
  State want;
  const char* why = "";
  bool for_email = false;
  KeyService service = KeyService::kTlsrpt;
  bool under_test = false;
};
class JudgedKey : public testing::TestWithParam<Published> {};

TEST_P(JudgedKey, IsWhatTheRecordSays) {
  const auto mine = key("ed25519");
  auto records = GetParam().records;
  for (auto& record : records) {
    const auto place = record.find("KEY");
    if (place != record.npos) record.replace(place, 3, mine.dns_public_key());
  }
  const auto verdict = judge_key_records(records, mine);
  EXPECT_EQ(verdict.state, GetParam().want);
  EXPECT_EQ(verdict.why, GetParam().why);
  EXPECT_EQ(verdict.for_email, GetParam().for_email);
  EXPECT_EQ(verdict.service, GetParam().service);
  EXPECT_EQ(verdict.under_test, GetParam().under_test);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc6376Section361, JudgedKey,
    testing::Values(
        Published{"Matching", {"v=DKIM1; k=ed25519; p=KEY"}, State::kMatches, "", true},
        Published{"WithoutVersion", {"k=ed25519;p=KEY;"}, State::kMatches, "", true},
        Published{"EveryService", {"v=DKIM1; k=ed25519; s=*; p=KEY"}, State::kMatches, "", true},
        Published{"TlsrptAlone", {"v=DKIM1; k=ed25519; s=tlsrpt; p=KEY"}, State::kMatches},
        Published{"Both", {"v=DKIM1; k=ed25519; s=email:tlsrpt; p=KEY"}, State::kMatches, "", true},
        Published{"EmailAlone",
                  {"v=DKIM1; k=ed25519; s=email; p=KEY"},
                  State::kMatches,
                  "",
                  true,
                  KeyService::kEmailOnly},
        Published{"AnotherService",
                  {"v=DKIM1; k=ed25519; s=web; p=KEY"},
                  State::kMatches,
                  "",
                  false,
                  KeyService::kOther},
        Published{"UnderTest",
                  {"v=DKIM1; k=ed25519; t=s:y; p=KEY"},
                  State::kMatches,
                  "",
                  true,
                  KeyService::kTlsrpt,
                  true},
        Published{"Missing", {}, State::kNone},
        Published{"Twice", {"v=DKIM1; k=ed25519; p=KEY", "v=DKIM1; p="}, State::kSeveral},
        Published{"Revoked", {"v=DKIM1; k=ed25519; p="}, State::kRevoked},
        Published{"OtherKey",
                  {"v=DKIM1; k=ed25519; p=AAAA"},
                  State::kOther,
                  "it holds the public half of another key"},
        Published{"OtherType",
                  {"v=DKIM1; p=KEY"},
                  State::kOther,
                  "it holds a key of type rsa, the private key is of type ed25519"},
        Published{"NoKeyTag", {"v=DKIM1; k=ed25519"}, State::kUnusable, "it has no p= tag"},
        Published{"OtherVersion", {"v=DKIM2; p=KEY"}, State::kUnusable, "its version is not DKIM1"},
        Published{"OldHash",
                  {"v=DKIM1; k=ed25519; h=sha1; p=KEY"},
                  State::kUnusable,
                  "its h= tag does not allow sha256"}),
    [](const auto& test) { return test.param.name; });

TEST(KeyRecord, WhatIsWrittenIsWhatIsAccepted) {
  for (const char* name : {"ed25519", "rsa2048", "rsa4096"}) {
    const auto mine = key(name);
    const std::vector<std::string> records = {key_record(mine, "")};
    EXPECT_EQ(judge_key_records(records, mine).state, State::kMatches) << name;
  }
}

TEST(KeyRecord, BlanksWithinTheKeyDoNotCount) {
  const auto mine = key("ed25519");
  auto text = mine.dns_public_key();
  text.insert(10, " \t ");
  const std::vector<std::string> records = {"v=DKIM1; k=ed25519; p=" + text};
  EXPECT_EQ(judge_key_records(records, mine).state, State::kMatches);
}

}  // namespace
}  // namespace rapporteur
