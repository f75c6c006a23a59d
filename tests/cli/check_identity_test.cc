#include "cli/check.h"
#include "cli/check_fixture.h"

namespace rapporteur {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct Alignment {
  const char* one;
  const char* other;
  bool relaxed;
  bool strict;
};
class Aligned : public testing::TestWithParam<Alignment> {};

TEST_P(Aligned, AsDmarcHasIt) {
  const auto& names = GetParam();
  EXPECT_EQ(is_aligned(names.one, names.other, false), names.relaxed);
  EXPECT_EQ(is_aligned(names.other, names.one, false), names.relaxed);
  EXPECT_EQ(is_aligned(names.one, names.other, true), names.strict);
}

INSTANTIATE_TEST_SUITE_P(Rfc7489Section31, Aligned,
                         testing::Values(Alignment{"a.example", "a.example", true, true},
                                         Alignment{"a.example", "b.a.example", true, false},
                                         Alignment{"b.a.example", "c.a.example", true, false},
                                         Alignment{"a.example", "b.example", false, false},
                                         Alignment{"a.example", "aa.example", false, false},
                                         Alignment{"foo.co.uk", "bar.co.uk", false, false},
                                         Alignment{"a.foo.co.uk", "b.foo.co.uk", true, false},
                                         Alignment{"foo.github.io", "bar.github.io", false, false},
                                         Alignment{"foo.github.io", "github.io", false, false},
                                         Alignment{"a.foo.github.io", "foo.github.io", true, false},
                                         Alignment{"a", "b", false, false}));

TEST_F(CheckTest, FromMustBeAlignedWithTheSignature) {
  const auto more = kRelay + std::string("[report.tls]\nfromAddress = \"'tls@other.example'\"\n");
  use({"s1"}, more);
  EXPECT_EQ(told("From and DKIM"),
            "warning: From is of other.example, signed by reporter.example: DMARC does not count "
            "that; let dkimSignDomain be the domain of fromAddress, with a [[dkim]] key");
  resolver.say("_dmarc.other.example", {"v=DMARC1; p=reject"});
  EXPECT_THAT(told("From and DKIM"), AllOf(StartsWith("fault: "), HasSubstr("enforced")));
}

TEST_F(CheckTest, TheSigningDomainMustHaveAKey) {
  const std::string sign = "[report.tls]\ndkimSignDomain = \"'sub.reporter.example'\"\n";
  use({"s1"}, kRelay + sign);
  EXPECT_EQ(told("From and DKIM"),
            "fault: dkimSignDomain is sub.reporter.example, for which there is no [[dkim]] key: "
            "reports stay blocked; `rapporteur dkim generate sub.reporter.example SELECTOR`");
  use({"s1"}, kRelay + std::string("relaySigns = true\n") + sign);
  EXPECT_THAT(told("From and DKIM"), StartsWith("ok: "));
}

TEST_F(CheckTest, StrictAlignmentIsKept) {
  use({"s1"}, kRelay + std::string("[report.tls]\nfromAddress = \"'tls@sub.reporter.example'\"\n"));
  EXPECT_THAT(told("From and DKIM"), StartsWith("ok: "));
  EXPECT_EQ(told("DMARC of sub.reporter.example"), "ok: none is published");
  resolver.say("_dmarc.reporter.example", {"v=DMARC1; p=none; adkim=s"});
  EXPECT_THAT(told("From and DKIM"), StartsWith("warning: "));
  EXPECT_EQ(told("DMARC of sub.reporter.example"), "ok: published, not enforced");
}

TEST_F(CheckTest, DmarcOfAnOrganisationUnderAPublicSuffixIsItsOwn) {
  use({"s1"}, kRelay + std::string("[report.tls]\nfromAddress = \"'tls@sub.foo.co.uk'\"\n"));
  resolver.say("_dmarc.co.uk", {"v=DMARC1; p=reject"});
  EXPECT_EQ(told("DMARC of sub.foo.co.uk"), "ok: none is published");
  resolver.say("_dmarc.foo.co.uk", {"v=DMARC1; p=none; sp=quarantine"});
  EXPECT_EQ(told("DMARC of sub.foo.co.uk"), "ok: published and enforced");
}

TEST_F(CheckTest, OfSeveralDmarcRecordsAtOneNameNoneApplies) {
  use({"s1"}, kRelay + std::string("[report.tls]\nfromAddress = \"'tls@sub.reporter.example'\"\n"));
  resolver.say("_dmarc.reporter.example", {"v=DMARC1; p=reject"});
  resolver.say("_dmarc.sub.reporter.example",
               {"something else", "v=DMARC1; p=none", "v=DMARC1; p=reject; adkim=s"});
  EXPECT_EQ(told("DMARC of sub.reporter.example"),
            "warning: there are 2 records at _dmarc.sub.reporter.example: receivers apply none of "
            "them; leave one of them (RFC 7489, section 6.6.3)");
  EXPECT_THAT(told("From and DKIM"), StartsWith("ok: "));
  resolver.say("_dmarc.sub.reporter.example", {"something else"});
  EXPECT_EQ(told("DMARC of sub.reporter.example"), "ok: published and enforced");
}

TEST_F(CheckTest, ANullMxTakesNoBounces) {
  resolver.set(DnsType::kMx, "reporter.example",
               {.status = DnsAnswer::Status::kNone, .null_mx = true});
  resolver.say(DnsType::kIpv4, "reporter.example", {"192.0.2.1"});
  EXPECT_EQ(told("mail to reporter.example"),
            "fault: the domain of the envelope sender has a null MX: it takes no mail, so no "
            "bounces and no answers; publish an MX in its place, or let envelopeFrom be in a "
            "domain that takes mail: many servers refuse such a sender (RFC 7505, section 4.2)");
}

TEST_F(CheckTest, TheEnvelopeSenderHasSpfAndAPathForBounces) {
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("ok: published"));
  EXPECT_EQ(told("mail to reporter.example"), "ok: bounces go to its MX mx.reporter.example");
  resolver.say("reporter.example", {"v=spf1 -all"});
  EXPECT_THAT(told("SPF of reporter.example"),
              StartsWith("fault: the record says that the domain"));
  resolver.say("reporter.example", {"v=spf1 a -all", "v=SPF1 mx -all"});
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("fault: there are 2 SPF records"));
  resolver.say("reporter.example", {"v=spf10 a"});
  EXPECT_THAT(told("SPF of reporter.example"), StartsWith("warning: there is no SPF record"));
  resolver.answers.erase({"reporter.example", DnsType::kMx});
  EXPECT_THAT(told("mail to reporter.example"), StartsWith("fault: the domain of the envelope"));
  resolver.say(DnsType::kIpv6, "reporter.example", {"2001:db8::1"});
  EXPECT_EQ(told("mail to reporter.example"), "ok: bounces go to its address 2001:db8::1");
}

}  // namespace
}  // namespace rapporteur
