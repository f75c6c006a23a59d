#include "received/authentication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rapporteur {
namespace {

const std::vector<std::string> kTrusted = {"mx.a.example", "Other.A.Example"};

AuthenticationResult read(const std::vector<std::string>& fields,
                          const std::string& from = "b.example") {
  return read_authentication_results(fields, kTrusted, from);
}

struct FieldCase {
  const char* name;
  const char* field;
  bool passed;
};

class FieldTest : public testing::TestWithParam<FieldCase> {};

TEST_P(FieldTest, IsUnderstood) {
  EXPECT_EQ(read({GetParam().field}).passed, GetParam().passed) << GetParam().field;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, FieldTest,
    testing::Values(
        FieldCase{"Plain", "mx.a.example; dkim=pass header.d=b.example", true},
        FieldCase{"OthersBeforeIt",
                  "mx.a.example; iprev=pass policy.iprev=2001:db8::1; spf=pass "
                  "smtp.mailfrom=b.example; dkim=pass (1024 bit rsa) header.d=b.example "
                  "header.s=s; dmarc=pass header.from=b.example",
                  true},
        FieldCase{"IdentityAlone", "mx.a.example; dkim=pass header.i=@b.example", true},
        FieldCase{"OfAParent", "mx.a.example; dkim=pass header.d=example", false},
        FieldCase{"CaseAndVersion", "MX.A.EXAMPLE 1; DKIM/1=PASS Header.D=B.Example", true},
        FieldCase{"Blanks", "mx.a.example; dkim = pass header.d = b.example", true},
        FieldCase{"SecondOfTwo",
                  "mx.a.example; dkim=fail header.d=b.example; dkim=pass header.d=b.example", true},
        FieldCase{"Failed", "mx.a.example; dkim=fail header.d=b.example", false},
        FieldCase{"None", "mx.a.example; none", false},
        FieldCase{"DmarcAlone", "mx.a.example; dmarc=pass header.from=b.example", false},
        FieldCase{"OfSomebodyElse", "mx.a.example; dkim=pass header.d=evil.example", false},
        FieldCase{"WithoutDomain", "mx.a.example; dkim=pass", false},
        FieldCase{"PassInAComment",
                  "mx.a.example; dkim=fail (dkim=pass header.d=b.example; dkim=pass)", false},
        FieldCase{"PassInAReason",
                  "mx.a.example; dkim=fail reason=\"x; dkim=pass header.d=b.example\"", false},
        FieldCase{"PassInAQuotedLocalPart",
                  "mx.a.example; spf=pass smtp.mailfrom=\"\\\"; dkim=pass header.d=b.example; "
                  "x=\\\"\"@evil.example",
                  false},
        FieldCase{"NotBelieved", "mx.evil.example; dkim=pass header.d=b.example", false},
        FieldCase{"IdAsPrefix", "mx.a.example.evil; dkim=pass header.d=b.example", false},
        FieldCase{"Empty", "", false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AuthenticationResults, TheTopmostBelievedFieldDecides) {
  const std::string good = "mx.a.example; dkim=pass header.d=b.example";
  const std::string bad = "mx.a.example; dkim=none";
  EXPECT_TRUE(read({good, bad}).passed);
  EXPECT_FALSE(read({bad, good}).passed) << "what stands below may be the sender's own";
  EXPECT_EQ(read({bad, good}).authserv_id, "mx.a.example");
  EXPECT_TRUE(read({"mx.elsewhere.example; dkim=fail header.d=b.example", good}).passed);
  EXPECT_FALSE(read({"other.a.example; dkim=none", good}).passed);
  EXPECT_FALSE(read({}).passed);
}

TEST(AuthenticationResults, TellWhoSigned) {
  const auto result = read({"mx.a.example; dkim=pass header.d=b.example"}, "mail.b.example");
  EXPECT_TRUE(result.passed);
  EXPECT_EQ(result.domain, "b.example");
  EXPECT_FALSE(read({"mx.a.example; dkim=pass header.d=mail.b.example"}, "b.example").passed);
}

TEST(SpeaksFor, IsTheDomainOrAParentOfTwoLabels) {
  EXPECT_TRUE(speaks_for("b.example", "b.example"));
  EXPECT_TRUE(speaks_for("b.example", "mail.b.example"));
  EXPECT_FALSE(speaks_for("example", "b.example"));
  EXPECT_FALSE(speaks_for("mail.b.example", "b.example"));
  EXPECT_FALSE(speaks_for("xb.example", "b.example"));
  EXPECT_FALSE(speaks_for("", "b.example"));
  EXPECT_FALSE(speaks_for("b.example", ""));
}

}  // namespace
}  // namespace rapporteur
