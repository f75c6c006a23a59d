#include "dkim/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "dkim/signer.h"
#include "dkim/tag_list.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using State = Verification::State;

const Time kDate = *parse_time("2026-11-21T01:02:03Z");

PrivateKey key(const std::string& name) {
  // Not from_file(): who may read the file depends on how the sources were unpacked.
  std::ifstream file(TEST_ROOT "/dkim/keys/" + name + ".pem");
  return *PrivateKey::from_pem(std::string(std::istreambuf_iterator<char>(file), {}));
}

Message message(const std::string& domain = "example.net") {
  ReportMail mail;
  mail.from_name = "Reports";
  mail.from_address = "noreply-tls@" + domain;
  mail.to = "reports@example.org";
  mail.subject = "Report Domain: example.org Submitter: " + domain;
  mail.message_id = "1.example.org.1.t.d7@" + domain;
  mail.report_domain = "example.org";
  mail.submitter = domain;
  mail.summary_text = "A summary.\n";
  mail.file_name = domain + "!example.org!1795132800!1795219199!001t.json.gz";
  mail.gz = "not really";
  mail.date = kDate;
  mail.boundary = boundary_for(mail.message_id);
  return make_message(mail);
}

// A mail from `from` that `domain` signs with a key of the kind named.
std::string signed_mail(const std::string& from, const std::string& domain,
                        const std::string& kind = "rsa2048") {
  const auto made = message(from);
  const auto fields = make_signer({{domain, "s", key(kind)}})->sign(domain, made, kDate);
  return *fields + made.text();
}

class VerifierTest : public testing::Test {
 protected:
  void publish(const std::string& domain, const std::string& tags, const std::string& kind = "") {
    const auto name = kind.empty() ? std::string("rsa2048") : kind;
    const auto type = name.starts_with("rsa") ? "k=rsa; p=" : "k=ed25519; p=";
    keys["s._domainkey." + domain] = {"v=DKIM1; " + tags + type + key(name).dns_public_key()};
  }

  Verification verify(const std::string& text, const std::string& from = "example.net",
                      Time now = kDate) {
    return verifier.verify(
        text,
        [&](std::string_view signer) {
          return from == signer || from.ends_with("." + std::string(signer));
        },
        [&](const std::string& name) {
          asked.push_back(name);
          if (silent) return KeyAnswer{.problem = "no answer"};
          const auto found = keys.find(name);
          return found == keys.end()
                     ? KeyAnswer{.status = KeyAnswer::Status::kNone}
                     : KeyAnswer{.status = KeyAnswer::Status::kFound, .records = found->second};
        },
        now);
  }

  DkimVerifier verifier;
  std::map<std::string, std::vector<std::string>> keys;
  std::vector<std::string> asked;
  bool silent = false;
};

TEST_F(VerifierTest, ASignatureOfTheFromDomainPasses) {
  publish("example.net", "");
  const auto verified = verify(signed_mail("example.net", "example.net"));
  EXPECT_EQ(verified.state, State::kPassed) << verified.why;
  EXPECT_EQ(verified.domain, "example.net");
  EXPECT_FALSE(verified.for_email_only);
}

TEST_F(VerifierTest, AMailWithUnixLineEndsPasses) {
  publish("example.net", "");
  std::string text;
  for (const char c : signed_mail("example.net", "example.net")) {
    if (c != '\r') text += c;
  }
  EXPECT_EQ(verify(text).state, State::kPassed);
  EXPECT_EQ(verify("From MAILER-DAEMON Sat Nov 21 01:02:03 2026\n" + text).state, State::kPassed);
  EXPECT_EQ(verify("Return-Path: <a@example.net>\nDelivered-To: b@example.org\n" + text).state,
            State::kPassed);
}

TEST_F(VerifierTest, AnEd25519SignaturePasses) {
  publish("example.net", "", "ed25519");
  const auto verified = verify(signed_mail("example.net", "example.net", "ed25519"));
  EXPECT_EQ(verified.state, State::kPassed) << verified.why;
}

TEST_F(VerifierTest, ASignatureOfAParentSpeaksForItsSubdomains) {
  publish("example.net", "");
  const auto verified = verify(signed_mail("mail.example.net", "example.net"), "mail.example.net");
  EXPECT_EQ(verified.state, State::kPassed) << verified.why;
  EXPECT_EQ(verified.domain, "example.net");
}

TEST_F(VerifierTest, ASignatureOfSomebodyElseIsNotEvenLookedUp) {
  publish("evil.example", "");
  const auto verified = verify(signed_mail("example.net", "evil.example"));
  EXPECT_EQ(verified.state, State::kNone);
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(VerifierTest, AMailWithoutSignatureHasNone) {
  EXPECT_EQ(verify(message().text()).state, State::kNone);
  EXPECT_EQ(verify("").state, State::kNone);
}

struct ServiceCase {
  const char* name;
  const char* tags;
  State state;
  bool for_email_only;
};

class ServiceTest : public VerifierTest, public testing::WithParamInterface<ServiceCase> {};

TEST_P(ServiceTest, DecidesWhetherAKeyCounts) {
  publish("example.net", GetParam().tags);
  const auto verified = verify(signed_mail("example.net", "example.net"));
  EXPECT_EQ(verified.state, GetParam().state) << verified.why;
  EXPECT_EQ(verified.for_email_only, GetParam().for_email_only);
  EXPECT_EQ(verified.why.find("the key is for") != std::string::npos,
            GetParam().state == State::kFailed);
}

INSTANTIATE_TEST_SUITE_P(
    Service, ServiceTest,
    testing::Values(ServiceCase{"Absent", "", State::kPassed, false},
                    ServiceCase{"Star", "s=*; ", State::kPassed, false},
                    ServiceCase{"Email", "s=email; ", State::kPassed, true},
                    ServiceCase{"Tlsrpt", "s=tlsrpt; ", State::kPassed, false},
                    ServiceCase{"TlsrptEmail", "s=tlsrpt:email; ", State::kPassed, false},
                    ServiceCase{"EmailTlsrpt", "s=email:tlsrpt; ", State::kPassed, false},
                    ServiceCase{"Spaced", "s= email : TLSRPT ; ", State::kPassed, false},
                    ServiceCase{"Other", "s=other; ", State::kFailed, false},
                    ServiceCase{"Empty", "s=; ", State::kFailed, false}),
    [](const auto& test) { return test.param.name; });

TEST_F(VerifierTest, AKeyUnderTestDoesNotCount) {
  publish("example.net", "t=s:y; ");
  EXPECT_THAT(verify(signed_mail("example.net", "example.net")).why, HasSubstr("t=y"));
}

TEST_F(VerifierTest, ARevokedKeyDoesNotCount) {
  keys["s._domainkey.example.net"] = {"v=DKIM1; p="};
  const auto verified = verify(signed_mail("example.net", "example.net"));
  EXPECT_EQ(verified.state, State::kFailed);
  EXPECT_THAT(verified.why, HasSubstr("revoked"));
}

TEST_F(VerifierTest, AMissingKeyAndAForeignOneFail) {
  EXPECT_THAT(verify(signed_mail("example.net", "example.net")).why, HasSubstr("no such key"));
  publish("example.net", "", "rsa4096");
  EXPECT_EQ(verify(signed_mail("example.net", "example.net")).state, State::kFailed);
}

TEST_F(VerifierTest, OfSeveralRecordsOneMayBeTheKey) {
  publish("example.net", "");
  auto& records = keys["s._domainkey.example.net"];
  records.insert(records.begin(), "some other text");
  EXPECT_EQ(verify(signed_mail("example.net", "example.net")).state, State::kPassed);
}

TEST_F(VerifierTest, ADnsThatIsSilentLeavesItOpen) {
  silent = true;
  const auto verified = verify(signed_mail("example.net", "example.net"));
  EXPECT_EQ(verified.state, State::kTemporary);
  EXPECT_THAT(verified.why, HasSubstr("no answer"));
}

TEST_F(VerifierTest, AChangedBodyOrFieldFails) {
  publish("example.net", "");
  auto text = signed_mail("example.net", "example.net");
  auto body = text;
  body.replace(body.find("A summary."), 10, "A forgery.");
  EXPECT_EQ(verify(body).state, State::kFailed);
  EXPECT_EQ(verify(text + "--more\r\n").state, State::kFailed);
  text.replace(text.find("Subject: Report"), 15, "Subject: Other ");
  EXPECT_EQ(verify(text).state, State::kFailed);
}

TEST_F(VerifierTest, ASecondFromFieldFailsBecauseTheFirstIsOversigned) {
  publish("example.net", "");
  EXPECT_EQ(verify("From: a@example.com\r\n" + signed_mail("example.net", "example.net")).state,
            State::kFailed);
}

std::string with_tag(std::string text, const std::string& tag) {
  return text.insert(text.find("v=1;") + 4, " " + tag + ";");
}

TEST_F(VerifierTest, ALengthTagDoesNotCountWhateverItSays) {
  publish("example.net", "");
  const auto text = with_tag(signed_mail("example.net", "example.net"), "l=0");
  const auto verified = verify(text);
  EXPECT_EQ(verified.state, State::kFailed);
  EXPECT_THAT(verified.why, HasSubstr("(l=)"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(VerifierTest, Sha1DoesNotCount) {
  publish("example.net", "");
  auto text = signed_mail("example.net", "example.net");
  text.replace(text.find("rsa-sha256"), 10, "rsa-sha1");
  EXPECT_THAT(verify(text).why, HasSubstr("rsa-sha1"));
}

TEST_F(VerifierTest, AnExpiredSignatureDoesNotCount) {
  publish("example.net", "");
  const auto past = std::to_string(kDate.time_since_epoch().count() - 60);
  const auto text = with_tag(signed_mail("example.net", "example.net"), "x=" + past);
  EXPECT_EQ(verify(text).state, State::kFailed);
}

TEST_F(VerifierTest, AGoodSignaturePassesBesideBadOnes) {
  publish("example.net", "");
  const auto good = signed_mail("example.net", "example.net");
  const std::string bad =
      "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x; h=from; bh=AAAA; b=AAAA\r\n";
  const auto verified = verify(bad + good);
  EXPECT_EQ(verified.state, State::kPassed) << verified.why;
  EXPECT_EQ(verify("DKIM-Signature: rubbish\r\n" + good).state, State::kPassed);
}

// A reader that passes over the zero byte would take what nobody has signed.
TEST_F(VerifierTest, AZeroByteInTheHeaderDoesNotCount) {
  publish("example.net", "");
  const auto verified = verify(std::string("Content-Type: text/plain\0\r\n", 27) +
                               signed_mail("example.net", "example.net"));
  EXPECT_EQ(verified.state, State::kFailed);
  EXPECT_THAT(verified.why, HasSubstr("zero byte"));
}

TEST_F(VerifierTest, ManySignaturesCostAFewLookups) {
  std::string text;
  for (int i = 0; i < 500; ++i) {
    text += "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x" + std::to_string(i) +
            "; h=from; bh=AAAA; b=AAAA\r\n";
  }
  EXPECT_EQ(verify(text + message().text()).state, State::kFailed);
  EXPECT_EQ(asked.size(), DkimVerifier::kMostSignatures);
}

TEST_F(VerifierTest, WhatItSaysIsOneLineOfText) {
  const auto verified = verify(
      "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=\x1b[31m\xff;"
      " h=from; bh=AAAA; b=AAAA\r\n" +
      message().text());
  EXPECT_EQ(verified.why, without_controls(to_valid_utf8(verified.why)));
}

TEST_F(VerifierTest, AHeaderWithoutEndIsRefused) {
  std::string text = "DKIM-Signature: v=1; d=example.net; s=s\r\n";
  for (int i = 0; i < 2000; ++i) text += "X-Field: " + std::string(600, 'x') + "\r\n";
  EXPECT_EQ(verify(text).state, State::kFailed);
}

TEST(TagList, ReadsAndWritesTags) {
  const TagList tags("v=1; d = example.org ;s=a\r\n b; l=;novalue; p=A=B");
  EXPECT_EQ(tags.value("d"), "example.org");
  EXPECT_EQ(tags.value("s"), "a b");
  EXPECT_EQ(tags.value("p"), "A=B");
  EXPECT_TRUE(tags.has("l"));
  EXPECT_FALSE(tags.has("novalue"));
  EXPECT_EQ(tags.without("s"), "v=1; d=example.org; l=; p=A=B");
}

}  // namespace
}  // namespace rapporteur
