// The sample files of tests/ingest/data, decoded completely.

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/decoder.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

std::vector<Decoded> decode_file(const std::string& name, Format format = Format::kAuto) {
  std::ifstream file(TEST_ROOT "/ingest/data/" + name);
  EXPECT_TRUE(file) << name;
  Decoder decoder(format);
  std::vector<Decoded> all;
  for (std::string line; std::getline(file, line);) all.push_back(decoder.decode(line));
  return all;
}

int count(const std::vector<Decoded>& all, Verdict verdict) {
  int result = 0;
  for (const auto& one : all) result += one.verdict == verdict ? 1 : 0;
  return result;
}

Time at(long long seconds) {
  return Time(Seconds(seconds));
}

constexpr std::string_view kRecord = "v=TLSRPTv1; rua=mailto:tlsrpt@example.com";

Policy example_com_policy() {
  return {PolicyType::kSts,
          "example.com",
          {"version: STSv1", "mode: enforce", "mx: mail.example.com", "mx: *.example.net",
           "max_age: 604800"},
          {"mail.example.com", "*.example.net"}};
}

Policy example_org_policy() {
  return {PolicyType::kTlsa,
          "mx1.example.org",
          {"2 1 1 12350a337e6db9c6123522d136a475638cc43e1ed424f8eec8513d747d1d1234",
           "3 1 1 1f850a337e6db9c609c522d136a475638cc43e1ed424f8eec8513d747d1d085d"},
          {}};
}

FailureDetail example_com_detail(ResultType type) {
  FailureDetail detail;
  detail.result_type = type;
  detail.sending_mta_ip = "192.0.2.10";
  detail.receiving_mx_hostname = "mail.example.com";
  detail.receiving_mx_helo = "mail.example.com";
  detail.receiving_ip = "198.51.100.7";
  return detail;
}

class LibtlsrptSample : public testing::Test {
 protected:
  std::vector<Decoded> lines = decode_file("libtlsrpt.jsonl");
};

TEST_F(LibtlsrptSample, HoldsEighteenSessionsAndOneOfAnUnknownPolicyType) {
  ASSERT_THAT(lines, SizeIs(19));
  EXPECT_EQ(count(lines, Verdict::kSession), 18);
  EXPECT_EQ(lines[16].verdict, Verdict::kRejected);
  EXPECT_EQ(lines[16].reason, "unknown-policy-type");
  for (const auto& line : lines) EXPECT_EQ(line.format, Format::kTlsrpt);
}

TEST_F(LibtlsrptSample, ReadsAnStsSuccess) {
  Session want;
  want.recipient_domain = "example.com";
  want.tlsrpt_record = kRecord;
  want.outcomes = {{example_com_policy(), true, {}}};
  EXPECT_EQ(lines[0].session, want);
}

TEST_F(LibtlsrptSample, ReadsATlsaSuccessWithSortedRecords) {
  Session want;
  want.recipient_domain = "example.org";
  want.tlsrpt_record = "v=TLSRPTv1;rua=mailto:r@example.org,https://reports.example.org/tls";
  want.outcomes = {{example_org_policy(), true, {}}};
  EXPECT_EQ(lines[1].session, want);
}

TEST_F(LibtlsrptSample, ReadsASuccessWithoutPolicy) {
  Session want;
  want.recipient_domain = "plain.example";
  want.tlsrpt_record = "v=TLSRPTv1; rua=https://plain.example/v1/tlsrpt";
  want.outcomes = {{{PolicyType::kNoPolicyFound, "plain.example", {}, {}}, true, {}}};
  EXPECT_EQ(lines[2].session, want);
}

TEST_F(LibtlsrptSample, ReadsFailuresOfTheStsPolicy) {
  const std::vector<std::pair<std::size_t, ResultType>> wanted = {
      {3, ResultType::kStarttlsNotSupported}, {5, ResultType::kCertificateNotTrusted},
      {6, ResultType::kCertificateExpired},   {10, ResultType::kStsPolicyInvalid},
      {11, ResultType::kStsWebpkiInvalid},
  };
  for (const auto& [index, type] : wanted) {
    Session want;
    want.recipient_domain = "example.com";
    want.tlsrpt_record = kRecord;
    want.outcomes = {{example_com_policy(), false, {example_com_detail(type)}}};
    EXPECT_EQ(lines[index].session, want) << "line " << index + 1;
  }
}

TEST_F(LibtlsrptSample, ReadsIpv6Addresses) {
  auto detail = example_com_detail(ResultType::kCertificateHostMismatch);
  detail.sending_mta_ip = "2001:db8::10";
  detail.receiving_ip = "2001:db8:1::25";
  EXPECT_THAT(lines[4].session.outcomes.at(0).failure_details, ElementsAre(detail));
}

TEST_F(LibtlsrptSample, ReadsTheReasonOfAFailure) {
  auto detail = example_com_detail(ResultType::kValidationFailure);
  detail.failure_reason_code = "self-signed_certificate";
  EXPECT_THAT(lines[7].session.outcomes.at(0).failure_details, ElementsAre(detail));

  FailureDetail plain;
  plain.result_type = ResultType::kValidationFailure;
  plain.sending_mta_ip = "192.0.2.10";
  plain.receiving_mx_hostname = "plain.example";
  plain.receiving_mx_helo = "plain.example";
  plain.receiving_ip = "198.51.100.9";
  plain.failure_reason_code = "tls-handshake-failure";
  EXPECT_THAT(lines[8].session.outcomes.at(0).failure_details, ElementsAre(plain));
}

TEST_F(LibtlsrptSample, ReadsAFetchErrorWithoutPolicyText) {
  const auto& outcome = lines[9].session.outcomes.at(0);
  EXPECT_EQ(outcome.policy, (Policy{PolicyType::kSts, "example.com", {}, {}}));
  EXPECT_THAT(outcome.failure_details,
              ElementsAre(example_com_detail(ResultType::kStsPolicyFetchError)));
}

TEST_F(LibtlsrptSample, ReadsTlsaFailures) {
  FailureDetail detail;
  detail.result_type = ResultType::kTlsaInvalid;
  detail.sending_mta_ip = "192.0.2.10";
  detail.receiving_mx_hostname = "mx1.example.org";
  detail.receiving_mx_helo = "mx1.example.org";
  detail.receiving_ip = "198.51.100.8";
  detail.failure_reason_code = "all-TLSA-records-unusable";
  EXPECT_EQ(lines[12].session.outcomes.at(0),
            (PolicyOutcome{example_org_policy(), false, {detail}}));

  detail.receiving_mx_helo.clear();
  detail.failure_reason_code.clear();
  detail.result_type = ResultType::kDnssecInvalid;
  EXPECT_THAT(lines[13].session.outcomes.at(0).failure_details, ElementsAre(detail));
  detail.result_type = ResultType::kDaneRequired;
  EXPECT_THAT(lines[14].session.outcomes.at(0).failure_details, ElementsAre(detail));
}

TEST_F(LibtlsrptSample, CountsAnUnknownCodeAsValidationFailure) {
  FailureDetail detail;
  detail.result_type = ResultType::kValidationFailure;
  detail.failure_reason_code = "901";
  EXPECT_THAT(lines[15].session.outcomes.at(0).failure_details, ElementsAre(detail));
}

TEST_F(LibtlsrptSample, MovesAdditionalInformationThatIsNoUriIntoTheReason) {
  Session want;
  want.recipient_domain = "example.com";
  want.tlsrpt_record = "v=TLSRPTv1;rua=mailto:reports@example.com";
  FailureDetail first;
  first.result_type = ResultType::kStsPolicyInvalid;
  first.sending_mta_ip = "1.2.3.4";
  first.receiving_mx_hostname = "mailin.example.com";
  first.receiving_mx_helo = "test-ehlo.example.com";
  first.receiving_ip = "11.22.33.44";
  first.failure_reason_code = "999 TEST REASON CODE; This is additional information";
  FailureDetail second = first;
  second.result_type = ResultType::kStsWebpkiInvalid;
  second.sending_mta_ip = "1.2.3.5";
  second.receiving_ip = "11.22.33.55";
  second.failure_reason_code = "123 ANOTHER TEST REASON CODE; This is additional information";
  want.outcomes = {
      {{PolicyType::kSts,
        "company-y.example",
        {"version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"},
        {"*.mail.company-y.example"}},
       false,
       {first, second}}};
  EXPECT_EQ(lines[17].session, want);
}

TEST_F(LibtlsrptSample, KeepsTwoPoliciesOfOneSession) {
  Session want;
  want.recipient_domain = "example.com";
  want.tlsrpt_record = kRecord;
  FailureDetail detail;
  detail.result_type = ResultType::kStsWebpkiInvalid;
  detail.sending_mta_ip = "1.2.3.5";
  detail.receiving_mx_hostname = "mailin.example.com";
  detail.receiving_ip = "11.22.33.55";
  want.outcomes = {
      {{PolicyType::kSts, "company-y.example", {"version: STSv1"}, {"*.mail.company-y.example"}},
       false,
       {detail}},
      {{PolicyType::kTlsa,
        "mx.company-y.example",
        {"3 1 1 1f850a337e6db9c609c522d136a475638cc43e1ed424f8eec8513d747d1d085d"},
        {}},
       true,
       {}}};
  EXPECT_EQ(lines[18].session, want);
}

class HalonSample : public testing::Test {
 protected:
  std::vector<Decoded> lines = decode_file("halon.jsonl");
};

TEST_F(HalonSample, HoldsFiveSessionsAndOneDocumentWithoutTlsEvent) {
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(count(lines, Verdict::kSession), 5);
  EXPECT_EQ(lines[5].verdict, Verdict::kIgnored);
  EXPECT_EQ(lines[5].reason, "no-tls-event");
  for (const auto& line : lines) EXPECT_EQ(line.format, Format::kHalon);
}

TEST_F(HalonSample, ReadsASuccess) {
  Session want;
  want.time = at(1768392000);
  want.recipient_domain = "sts.example";
  want.id = "halon:5f0a7c1e-f1a2-11f0-9b1c-005056a1b2c3:1/1768392000123/success";
  want.outcomes = {{{PolicyType::kSts,
                     "sts.example",
                     {"version: STSv1", "mode: enforce", "mx: mx1.sts.example",
                      "mx: *.backup.sts.example", "max_age: 604800"},
                     {"mx1.sts.example", "*.backup.sts.example"}},
                    true,
                    {}}};
  EXPECT_EQ(lines[0].session, want);
}

TEST_F(HalonSample, ReadsAFailureWithItsReason) {
  FailureDetail detail;
  detail.result_type = ResultType::kCertificateExpired;
  detail.sending_mta_ip = "192.0.2.10";
  detail.receiving_mx_hostname = "mx1.sts.example";
  detail.receiving_ip = "198.51.100.25";
  detail.failure_reason_code = "certificate has expired";
  ASSERT_THAT(lines[1].session.outcomes, SizeIs(1));
  EXPECT_FALSE(lines[1].session.outcomes[0].success);
  EXPECT_EQ(lines[1].session.outcomes[0].policy, lines[0].session.outcomes.at(0).policy);
  EXPECT_THAT(lines[1].session.outcomes[0].failure_details, ElementsAre(detail));
}

TEST_F(HalonSample, NamesTheMxAsPolicyDomainOfTlsa) {
  Session want;
  want.time = at(1768392120);
  want.recipient_domain = "dane.example";
  want.id = "halon:7b2c9e30-f1a2-11f0-9b1c-005056a1b2c3:1/1768392120789/validation-failure";
  FailureDetail detail;
  detail.result_type = ResultType::kValidationFailure;
  detail.sending_mta_ip = "2001:db8::10";
  detail.receiving_mx_hostname = "mx.dane.example";
  detail.receiving_ip = "2001:db8:1::25";
  detail.failure_reason_code = "no matching DANE TLSA records";
  want.outcomes = {{{PolicyType::kTlsa,
                     "mx.dane.example",
                     {"3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"},
                     {}},
                    false,
                    {detail}}};
  EXPECT_EQ(lines[2].session, want);
}

TEST_F(HalonSample, ReadsAFailureWithoutPolicy) {
  const auto& outcome = lines[3].session.outcomes.at(0);
  EXPECT_EQ(outcome.policy, (Policy{PolicyType::kNoPolicyFound, "nopolicy.example", {}, {}}));
  FailureDetail detail;
  detail.result_type = ResultType::kStarttlsNotSupported;
  detail.sending_mta_ip = "192.0.2.10";
  detail.receiving_mx_hostname = "mail.nopolicy.example";
  detail.receiving_ip = "203.0.113.7";
  EXPECT_THAT(outcome.failure_details, ElementsAre(detail));
}

TEST_F(HalonSample, TakesAnArrayOfOneEmptyStringAsAbsent) {
  const auto& outcome = lines[4].session.outcomes.at(0);
  EXPECT_EQ(outcome.policy, (Policy{PolicyType::kSts, "badsts.example", {}, {}}));
  FailureDetail detail;
  detail.result_type = ResultType::kStsPolicyFetchError;
  EXPECT_THAT(outcome.failure_details, ElementsAre(detail));
}

TEST(MomentumSample, HoldsASuccessAndAFailure) {
  const auto lines = decode_file("momentum.jsonl");
  ASSERT_THAT(lines, SizeIs(2));
  Session success;
  success.time = at(1746712864);
  success.recipient_domain = "test.bird.com";
  success.outcomes = {{{PolicyType::kSts,
                        "test.bird.com",
                        {"version: STSv1", "mode: enforce", "mx: mx.bird.com",
                         "mx: server.ectest.OMNITI.com", "max_age: 604800"},
                        {"mx.bird.com", "server.ectest.omniti.com"}},
                       true,
                       {}}};
  EXPECT_EQ(lines[0].verdict, Verdict::kSession);
  EXPECT_EQ(lines[0].format, Format::kMomentum);
  EXPECT_EQ(lines[0].session, success);

  FailureDetail detail;
  detail.result_type = ResultType::kCertificateHostMismatch;
  detail.sending_mta_ip = "127.0.0.1";
  detail.receiving_mx_hostname = "test.bird.com";
  detail.receiving_ip = "127.0.0.1";
  detail.failure_reason_code = "4.7.5 [internal] SSL certificate subject does not match host";
  Session failure;
  failure.time = at(1746629177);
  failure.recipient_domain = "mismatch.cert.com";
  failure.outcomes = {{{PolicyType::kSts,
                        "mismatch.cert.com",
                        {"version: STSv1", "mode: enforce", "mx: test.bird.com", "max_age: 86400"},
                        {"test.bird.com"}},
                       false,
                       {detail}}};
  EXPECT_EQ(lines[1].session, failure);
}

TEST(Samples, DecodeTheSameWhenTheirFormatIsGiven) {
  const std::vector<std::pair<std::string, Format>> files = {{"libtlsrpt.jsonl", Format::kTlsrpt},
                                                             {"halon.jsonl", Format::kHalon},
                                                             {"momentum.jsonl", Format::kMomentum}};
  for (const auto& [name, format] : files) {
    const auto guessed = decode_file(name);
    const auto given = decode_file(name, format);
    ASSERT_EQ(guessed.size(), given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      EXPECT_EQ(guessed[i].session, given[i].session) << name << " line " << i + 1;
      EXPECT_EQ(guessed[i].reason, given[i].reason);
    }
  }
}

TEST(Samples, AreRejectedWhenReadAsAnotherFormat) {
  EXPECT_EQ(count(decode_file("libtlsrpt.jsonl", Format::kMomentum), Verdict::kSession), 0);
  EXPECT_EQ(count(decode_file("momentum.jsonl", Format::kTlsrpt), Verdict::kSession), 0);
  EXPECT_EQ(count(decode_file("halon.jsonl", Format::kNative), Verdict::kSession), 0);
}

}  // namespace
}  // namespace rapporteur
