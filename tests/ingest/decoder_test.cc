#include "ingest/decoder.h"

#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Decoded decode(std::string_view line, Format format = Format::kAuto) {
  return Decoder(format).decode(line);
}

// A datagram whose only policy is `policy`.
std::string datagram(const std::string& policy) {
  return R"({"dpv":"1","d":"a.example","pr":"v=TLSRPTv1;rua=mailto:r@a.example","policies":[)" +
         policy + "]}";
}

std::string datagram_with_failures(const std::string& failures) {
  return datagram(R"({"policy-type":9,"f":1,"failure-details":)" + failures + "}");
}

std::string native(const std::string& more) {
  return R"({"epoch":1768392000,"recipient-domain":"a.example","policies":[{"policy":)"
         R"({"policy-type":"no-policy-found"},"type":1}])" +
         more + "}";
}

// Recognition.

struct Recognition {
  const char* name;
  std::string line;
  Format want;
};
class RecognisedLine : public testing::TestWithParam<Recognition> {};

TEST_P(RecognisedLine, IsASessionOfItsFormat) {
  const auto decoded = decode(GetParam().line);
  EXPECT_EQ(decoded.verdict, Verdict::kSession) << decoded.reason;
  EXPECT_EQ(decoded.reason, "");
  EXPECT_EQ(decoded.format, GetParam().want);
  EXPECT_EQ(decoded.session.recipient_domain, "a.example");
}

const std::string momentum_line =
    R"({"epoch":1746712864,"type":1,"policy":{"policy-type":"sts","policy-domain":"a.example"}})";
const std::string halon_line =
    R"({"timestamp":1768392000123,"transactionid":"t:1","policy-domain":"a.example",)"
    R"("policy-type":"no-policy-found","result-type":"success"})";

INSTANTIATE_TEST_SUITE_P(
    Recognition, RecognisedLine,
    testing::Values(
        Recognition{"Datagram", datagram(R"({"policy-type":9,"f":0})"), Format::kTlsrpt},
        Recognition{"DatagramOfTheOldDraft",
                    R"({"d":"a.example","policies":[{"policy-type":9,"f":0}]})", Format::kTlsrpt},
        Recognition{"DatagramOfALaterProtocol",
                    R"({"dpv":"2","d":"a.example","policies":[{"policy-type":9,"f":0}]})",
                    Format::kTlsrpt},
        Recognition{
            "DatagramWithItsKeysReversed",
            R"({"policies":[{"f":0,"t":0,"policy-type":9}],"pr":"","d":"a.example","dpv":"1"})",
            Format::kTlsrpt},
        Recognition{"Momentum", momentum_line, Format::kMomentum},
        Recognition{"Halon", halon_line, Format::kHalon},
        Recognition{"Native", native(""), Format::kNative},
        Recognition{"LogPrefix", "1746712864:scriptlet: tls report:   " + momentum_line,
                    Format::kMomentum},
        Recognition{"LogPrefixWithBraces", "x {y} [z]: tls report: " + momentum_line,
                    Format::kMomentum},
        Recognition{"LogPrefixWithAnObject", R"({"level":"info"} tls report: )" + momentum_line,
                    Format::kMomentum},
        Recognition{"LogPrefixInBrackets", "[2026-11-20] tls report: " + momentum_line,
                    Format::kMomentum},
        Recognition{"DumpOfAnIndex",
                    R"({"_index":"tlsrpt","_id":"x","_score":1,"_source":)" + halon_line + "}",
                    Format::kHalon},
        Recognition{"TextBehindTheObject", "tls report: " + halon_line + " (end)", Format::kHalon},
        Recognition{"ByteOrderMark", "\xEF\xBB\xBF" + momentum_line, Format::kMomentum},
        Recognition{"CarriageReturn", momentum_line + "\r", Format::kMomentum},
        Recognition{"ZeroBytesAtTheEnd", momentum_line + "\0\0"s, Format::kMomentum},
        Recognition{"SpacesAndLines",
                    "  {\n\t\"epoch\" : 1 , \"type\":1,\"policy\":{\"policy-type\":"
                    "\"sts\",\"policy-domain\":\"a.example\"}\n}  ",
                    Format::kMomentum}),
    [](const auto& test) { return test.param.name; });

TEST(Decoder, IgnoresBlankLinesAndOtherLinesOfALog) {
  for (const std::string line : {"", " \t\r\n", "\0"}) {
    EXPECT_EQ(decode(line).verdict, Verdict::kIgnored);
    EXPECT_EQ(decode(line).reason, "blank");
  }
  const auto other = decode("1746712864:scriptlet: TLSRPT: test.bird.com@sts@OK");
  EXPECT_EQ(other.verdict, Verdict::kIgnored);
  EXPECT_EQ(other.reason, "log-line");
}

TEST(Decoder, NeverTakesAPieceOfABrokenObjectForASession) {
  const auto whole = native("");
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(decode(whole.substr(0, size)).verdict, Verdict::kRejected) << size;
    EXPECT_EQ(decode("tls report: " + whole.substr(0, size)).verdict, Verdict::kRejected) << size;
  }
  EXPECT_EQ(decode("[" + momentum_line + "," + momentum_line).reason, "not-json");
  EXPECT_EQ(decode("[" + momentum_line + "," + momentum_line + "]").reason, "not-an-object");
}

TEST(Decoder, ReusesItsBuffersWithoutMixingLines) {
  Decoder decoder;
  const auto first = decoder.decode(momentum_line).session;
  EXPECT_EQ(decoder.decode("{" + std::string(100000, 'x')).verdict, Verdict::kRejected);
  EXPECT_EQ(decoder.decode(halon_line).session.id, "halon:t:1/1768392000123/success");
  EXPECT_EQ(decoder.decode(momentum_line).session, first);
}

TEST(Decoder, FormatsHaveNames) {
  for (const auto format :
       {Format::kAuto, Format::kTlsrpt, Format::kMomentum, Format::kHalon, Format::kNative}) {
    EXPECT_EQ(parse_format(to_string(format)), format);
  }
  EXPECT_EQ(parse_format("json"), std::nullopt);
}

// What is wrong in a field that a session can do without costs that field only.

TEST(Decoder, DropsOptionalFieldsOfAWrongTypeOrValue) {
  const auto decoded =
      decode(R"({"dpv":1,"d":"a.example","pr":5,"policies":[{"policy-type":2,"policy-domain":[1],)"
             R"("policy-string":{"a":1},"mx-host":7,"t":"many","f":1,"failure-details":)"
             R"([{"c":202,"s":"300.1.1.1","n":"not a host","h":[],"r":{},"a":false,"f":null}]}]})");
  Session want;
  want.recipient_domain = "a.example";
  FailureDetail detail;
  detail.result_type = ResultType::kCertificateHostMismatch;
  want.outcomes = {{{PolicyType::kSts, "a.example", {}, {}}, false, {detail}}};
  EXPECT_EQ(decoded.verdict, Verdict::kSession) << decoded.reason;
  EXPECT_EQ(decoded.session, want);
}

TEST(Decoder, LeavesOutElementsThatAreNoStrings) {
  const auto decoded = decode(datagram(
      R"({"policy-type":2,"f":0,"policy-string":["version: STSv1",1,null,["x"],{"y":1},"mode: none"],)"
      R"("mx-host":[true,"MX.a.example","*",".a.example"]})"));
  const auto& policy = decoded.session.outcomes.at(0).policy;
  EXPECT_THAT(policy.strings, ElementsAre("version: STSv1", "mode: none"));
  EXPECT_THAT(policy.mx_hosts, ElementsAre("mx.a.example"));
}

TEST(Decoder, TakesASingleValueForAnArrayOfOne) {
  const auto decoded = decode(
      R"({"d":"a.example","policies":{"policy-type":2,"f":1,"policy-string":"version: STSv1",)"
      R"("mx-host":"*.a.example","failure-details":{"c":201}}})");
  const auto& outcome = decoded.session.outcomes.at(0);
  EXPECT_THAT(outcome.policy.strings, ElementsAre("version: STSv1"));
  EXPECT_THAT(outcome.policy.mx_hosts, ElementsAre("*.a.example"));
  EXPECT_THAT(outcome.failure_details, SizeIs(1));
}

TEST(Decoder, CutsGiantArrays) {
  std::string lines = R"("version: STSv1")";
  std::string hosts = R"("mx0.a.example")";
  std::string records = R"("3 1 1 000000")";
  for (int i = 1; i < 20000; ++i) {
    lines += ",\"x" + std::to_string(i) + ": y\"";
    hosts += ",\"mx" + std::to_string(i) + ".a.example\"";
    records += ",\"3 1 1 " + std::to_string(100000 + i) + "\"";
  }
  const auto sts = decode(datagram(R"({"policy-type":2,"f":0,"policy-string":[)" + lines +
                                   R"(],"mx-host":[)" + hosts + "]}"))
                       .session.outcomes.at(0)
                       .policy;
  EXPECT_THAT(sts.strings, SizeIs(200));
  EXPECT_THAT(sts.mx_hosts, SizeIs(100));
  const auto tlsa = decode(datagram(R"({"policy-type":1,"f":0,"policy-string":[)" + records + "]}"))
                        .session.outcomes.at(0)
                        .policy;
  ASSERT_THAT(tlsa.strings, SizeIs(50));
  EXPECT_EQ(tlsa.strings.back(), "3 1 1 100049");
}

TEST(Decoder, AcceptsTheDeepestNestingAndRefusesOneMore) {
  const auto nested = [](std::size_t depth) {
    return datagram(R"({"policy-type":9,"f":0,"x":)" + std::string(depth, '[') +
                    std::string(depth, ']') + "}");
  };
  std::size_t deepest = 0;
  while (decode(nested(deepest + 1)).verdict == Verdict::kSession) ++deepest;
  EXPECT_EQ(deepest, 29U);  // 32 with the datagram, its policies and the policy
  EXPECT_EQ(decode(nested(deepest + 1)).reason, "too-deep");
}

TEST(Decoder, AcceptsTheLongestLine) {
  auto line = datagram(R"({"policy-type":9,"f":0})");
  line.insert(1, kMaxLineBytes - line.size(), ' ');
  EXPECT_EQ(decode(line).verdict, Verdict::kSession);
  EXPECT_EQ(decode(line + " ").reason, "line-too-long");
}

TEST(Decoder, TakesTheFirstOfRepeatedKeys) {
  const auto decoded = decode(
      R"({"d":"a.example","d":"b.example","policies":[{"policy-type":9,"policy-type":3,"f":0,"f":9}],)"
      R"("policies":1})");
  EXPECT_EQ(decoded.verdict, Verdict::kSession);
  EXPECT_EQ(decoded.session.recipient_domain, "a.example");
}

TEST(Decoder, ReplacesInvalidUtf8) {
  const auto decoded =
      decode(datagram_with_failures("[{\"c\":205,\"h\":\"250 mx\xE9.a.example\","
                                    "\"f\":\"caf\xE9 \xF0\x9F\x92 \xC3\xA9\"}]"));
  const auto& detail = decoded.session.outcomes.at(0).failure_details.at(0);
  EXPECT_EQ(detail.receiving_mx_helo, "mx\xEF\xBF\xBD.a.example");
  EXPECT_EQ(detail.failure_reason_code, "caf\xEF\xBF\xBD \xEF\xBF\xBD \xC3\xA9");
}

TEST(Decoder, ReplacesSurrogatesWithoutTheirPair) {
  const auto reason = [](const std::string& text) {
    const auto decoded = decode(datagram_with_failures(R"([{"c":205,"f":")" + text + R"("}])"));
    EXPECT_EQ(decoded.verdict, Verdict::kSession) << decoded.reason;
    return decoded.session.outcomes.at(0).failure_details.at(0).failure_reason_code;
  };
  EXPECT_EQ(reason(R"(a\ud83db)"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(reason(R"(\udcff\ud83d\ude00)"), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  EXPECT_EQ(reason(R"(\ud83d\ud83d\ude00)"), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
  EXPECT_EQ(reason(R"(\\ud83d\ud83d)"), "\\ud83d\xEF\xBF\xBD");
}

TEST(Decoder, RemovesControlCharacters) {
  const auto decoded = decode(datagram_with_failures(
      R"([{"c":205,"n":"mx.a.example","f":"a\u0000b\u001bc\u007fd\u0085e\tf"}])"));
  EXPECT_EQ(decoded.session.outcomes.at(0).failure_details.at(0).failure_reason_code, "abcdef");
}

// The formats beyond their samples.

TEST(Libtlsrpt, FallsBackToTheRecipientDomainForThePolicyDomain) {
  for (const std::string domain : {"", R"("policy-domain":"",)", R"("policy-domain":null,)"}) {
    const auto decoded = decode(R"({"d":"B\u00fccher.Example.","policies":[{"policy-type":9,)" +
                                domain + R"("f":0}]})");
    EXPECT_EQ(decoded.session.recipient_domain, "xn--bcher-kva.example");
    EXPECT_EQ(decoded.session.outcomes.at(0).policy.domain, "xn--bcher-kva.example");
  }
}

TEST(Libtlsrpt, NamesAnUnknownCodeInFrontOfTheReason) {
  const auto decoded =
      decode(datagram_with_failures(R"([{"c":777,"f":"why","a":"more"},{"c":-1}])"));
  const auto& details = decoded.session.outcomes.at(0).failure_details;
  ASSERT_THAT(details, SizeIs(2));
  EXPECT_EQ(details[0].failure_reason_code, "777; why; more");
  EXPECT_EQ(details[1].failure_reason_code, "-1");
}

TEST(Libtlsrpt, KeepsTheDetailsOfASuccess) {
  const auto decoded = decode(datagram(R"({"policy-type":9,"f":0,"failure-details":[{"c":203}]})"));
  EXPECT_TRUE(decoded.session.outcomes.at(0).success);
  EXPECT_THAT(decoded.session.outcomes.at(0).failure_details, SizeIs(1));
}

TEST(Session, CountsARepeatedDetailOnce) {
  const auto decoded = decode(datagram_with_failures(
      R"([{"c":201,"s":"::ffff:192.0.2.1"},{"c":201,"s":"192.0.2.1"},{"c":202}])"));
  EXPECT_THAT(decoded.session.outcomes.at(0).failure_details, SizeIs(2));
}

TEST(Session, MergesEqualPoliciesAndTheFailureWins) {
  const auto decoded = decode(datagram(
      R"({"policy-type":1,"policy-string":["3 1 1 AA","2 1 1 bb"],"f":0},)"
      R"({"policy-type":1,"policy-string":["2 1 1 BB","3 1 1 aa"],"f":1,"failure-details":[{"c":205}]},)"
      R"({"policy-type":1,"policy-string":["2 1 1 BB","3 1 1 aa"],"f":0,"failure-details":)"
      R"([{"c":205},{"c":204}]})"));
  ASSERT_THAT(decoded.session.outcomes, SizeIs(1));
  EXPECT_FALSE(decoded.session.outcomes[0].success);
  EXPECT_THAT(decoded.session.outcomes[0].failure_details, SizeIs(2));
}

TEST(Momentum, GuessesTheRecipientOfATlsaDataPoint) {
  const auto guessed = decode(
      R"({"epoch":1,"type":1,"policy":{"policy-type":"tlsa","policy-domain":"MX.a.example"}})");
  EXPECT_EQ(guessed.format, Format::kMomentum);
  EXPECT_EQ(guessed.session.recipient_domain, "mx.a.example");
  EXPECT_TRUE(guessed.session.recipient_domain_guessed);

  const auto told = decode(R"({"epoch":1,"type":1,"recipient-domain":"a.example",)"
                           R"("policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"}})");
  EXPECT_EQ(told.session.recipient_domain, "a.example");
  EXPECT_EQ(told.session.outcomes.at(0).policy.domain, "mx.a.example");
  EXPECT_FALSE(told.session.recipient_domain_guessed);
}

TEST(Momentum, ReadsAFailureWithoutResultTypeAsOneWithoutDetail) {
  const auto decoded =
      decode(R"({"type":0,"policy":{"policy-type":"sts","policy-domain":"a.example"}})");
  EXPECT_EQ(decoded.session.time, std::nullopt);
  EXPECT_FALSE(decoded.session.outcomes.at(0).success);
  EXPECT_THAT(decoded.session.outcomes.at(0).failure_details, IsEmpty());
}

TEST(Momentum, KeepsAnUnknownResultTypeInTheReason) {
  const auto decoded =
      decode(R"({"type":0,"policy":{"policy-type":"sts","policy-domain":"a.example"},)"
             R"("result-type":"tls-weird","failure-reason-code":"why",)"
             R"("additional-information":"https://a.example/x?y=%20"})");
  const auto& detail = decoded.session.outcomes.at(0).failure_details.at(0);
  EXPECT_EQ(detail.result_type, ResultType::kValidationFailure);
  EXPECT_EQ(detail.failure_reason_code, "tls-weird; why");
  EXPECT_EQ(detail.additional_information, "https://a.example/x?y=%20");
}

TEST(Native, ReadsEveryField) {
  const auto decoded = decode(
      R"({"epoch":1768392000.75,"recipient-domain":"A.Example","tlsrpt-record":"v=TLSRPTv1; rua=x",)"
      R"("id":"q-1","count":3,"own-report":true,"sending-mta-ip":"192.0.2.1",)"
      R"("receiving-mx-hostname":"MX.A.Example.","receiving-mx-helo":"220 mx.a.example ESMTP",)"
      R"("receiving-ip":"2001:DB8:0:0::1","policies":[)"
      R"({"policy":{"policy-type":"sts","policy-domain":"a.example","policy-string":)"
      R"(["version: STSv1","mx: *.A.example"],"mx-host":[""]},"type":0,"failure-details":[)"
      R"({"result-type":"certificate-expired"},)"
      R"({"result-type":"sts-webpki-invalid","receiving-ip":"2001:db8::2","failure-reason-code":42}]},)"
      R"({"policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"},"type":1}]})");
  EXPECT_EQ(decoded.format, Format::kNative);

  Session want;
  want.time = Time(Seconds(1768392000));
  want.recipient_domain = "a.example";
  want.tlsrpt_record = "v=TLSRPTv1; rua=x";
  want.count = 3;
  want.id = "native:q-1";
  want.own_report = true;
  FailureDetail first;
  first.result_type = ResultType::kCertificateExpired;
  first.sending_mta_ip = "192.0.2.1";
  first.receiving_mx_hostname = "mx.a.example";
  first.receiving_mx_helo = "mx.a.example";
  first.receiving_ip = "2001:db8::1";
  FailureDetail second = first;
  second.result_type = ResultType::kStsWebpkiInvalid;
  second.receiving_ip = "2001:db8::2";
  second.failure_reason_code = "42";
  want.outcomes = {
      {{PolicyType::kSts, "a.example", {"version: STSv1", "mx: *.A.example"}, {"*.a.example"}},
       false,
       {first, second}},
      {{PolicyType::kTlsa, "mx.a.example", {}, {}}, true, {}}};
  EXPECT_EQ(decoded.session, want);
}

TEST(Native, TakesTheRecipientFromTheFirstPolicyThatIsNotTlsa) {
  const auto decoded = decode(
      R"({"policies":[{"policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"},"type":1},)"
      R"({"policy":{"policy-type":"no-policy-found"},"type":1},)"
      R"({"policy":{"policy-type":"sts","policy-domain":"a.example"},"type":1}]})");
  EXPECT_EQ(decoded.session.recipient_domain, "a.example");
  EXPECT_FALSE(decoded.session.recipient_domain_guessed);
  EXPECT_EQ(decoded.session.outcomes.at(1).policy.domain, "a.example");
}

TEST(Native, UsesTheDetailAtTheTopForAFailedPolicyWithoutItsOwn) {
  const auto decoded = decode(
      R"({"recipient-domain":"a.example","result-type":"starttls-not-supported","policies":[)"
      R"({"policy":{"policy-type":"sts"},"type":0},{"policy":{"policy-type":"tlsa"},"type":1},)"
      R"({"policy":{"policy-type":"no-policy-found"},"type":0,"failure-details":[]}]})");
  const auto& outcomes = decoded.session.outcomes;
  ASSERT_THAT(outcomes, SizeIs(3));
  EXPECT_THAT(outcomes[0].failure_details, SizeIs(1));
  EXPECT_THAT(outcomes[1].failure_details, IsEmpty());
  EXPECT_THAT(outcomes[2].failure_details, IsEmpty());
}

TEST(Native, TakesNullAndEmptyExtrasAsAbsent) {
  const auto decoded =
      decode(native(R"(,"id":"","count":null,"own-report":null,"tlsrpt-record":null)"));
  EXPECT_EQ(decoded.session.id, "");
  EXPECT_EQ(decoded.session.count, 1U);
  EXPECT_FALSE(decoded.session.own_report);
}

TEST(Native, AcceptsTheLargestCountAndNumbersAsIds) {
  const auto decoded = decode(native(R"(,"id":18446744073709551615,"count":9007199254740991)"));
  EXPECT_EQ(decoded.session.count, (std::uint64_t{1} << 53) - 1);
  EXPECT_EQ(decoded.session.id, "native:18446744073709551615");
}

TEST(Native, ShortensLongIdsToADigest) {
  const auto one = decode(native(R"(,"id":")" + std::string(201, 'x') + R"(")")).session.id;
  const auto two = decode(native(R"(,"id":")" + std::string(202, 'x') + R"(")")).session.id;
  EXPECT_EQ(one.size(), std::string("native:").size() + 64);
  EXPECT_NE(one, two);
  EXPECT_EQ(decode(native(R"(,"id":")" + std::string(200, 'x') + R"(")")).session.id,
            "native:" + std::string(200, 'x'));
}

TEST(Halon, UsesTheRecipientAsPolicyDomainOfTlsaWithoutMx) {
  const auto decoded =
      decode(R"({"timestamp":1768392000999,"transactionid":"t","policy-domain":"A.Example",)"
             R"("policy-type":"tlsa","result-type":"dnssec-invalid","failure-reason-code":18})");
  EXPECT_EQ(decoded.session.time, Time(Seconds(1768392000)));
  const auto& outcome = decoded.session.outcomes.at(0);
  EXPECT_EQ(outcome.policy, (Policy{PolicyType::kTlsa, "a.example", {}, {}}));
  EXPECT_EQ(outcome.failure_details.at(0).failure_reason_code, "18");
}

TEST(Halon, HasNoIdWithoutItsTransaction) {
  const auto decoded = decode(
      R"({"timestamp":1,"policy-domain":"a.example","policy-type":"sts","result-type":"success"})");
  EXPECT_EQ(decoded.verdict, Verdict::kSession);
  EXPECT_EQ(decoded.session.id, "");
}

TEST(Halon, TellsResultsOfOneTransactionApart) {
  const auto id = [](const std::string& result) {
    return decode(R"({"timestamp":5,"transactionid":"t","policy-domain":"a.example",)"
                  R"("policy-type":"sts","result-type":")" +
                  result + R"("})")
        .session.id;
  };
  EXPECT_EQ(id("success"), "halon:t/5/success");
  EXPECT_NE(id("success"), id("certificate-expired"));
}

// Every line that mutates a valid one gives a verdict; sanitizers watch.
TEST(Decoder, GivesAVerdictForEveryMutationOfALine) {
  Decoder decoder;
  const auto line =
      datagram_with_failures(R"([{"c":205,"s":"192.0.2.1","h":"250 \u00e9\r\n","f":"x"}])");
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (const char byte :
         {'\0', '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '\xFF', '\xC3'}) {
      auto mutated = line;
      mutated[i] = byte;
      const auto decoded = decoder.decode(mutated);
      EXPECT_EQ(decoded.verdict == Verdict::kSession, decoded.reason.empty()) << mutated;
      if (decoded.verdict == Verdict::kSession) {
        EXPECT_THAT(decoded.session.outcomes, testing::Not(IsEmpty())) << mutated;
      }
    }
  }
}

}  // namespace
}  // namespace rapporteur
