// Lines that give no session, and why.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "ingest/decoder.h"

namespace rapporteur {
namespace {

using namespace std::string_literals;

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

std::string repeat(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

struct Refusal {
  const char* name;
  std::string line;
  const char* want;
};
class RefusedLine : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedLine, IsRejectedWithAStableReason) {
  const auto decoded = decode(GetParam().line);
  EXPECT_EQ(decoded.verdict, Verdict::kRejected);
  EXPECT_EQ(decoded.reason, GetParam().want);
  EXPECT_EQ(decoded.session, Session());
}

INSTANTIATE_TEST_SUITE_P(
    Anything, RefusedLine,
    testing::Values(
        Refusal{"Garbage", "hello", "not-json"}, Refusal{"Bytes", "\xFF\xFE\x00\x01"s, "not-json"},
        Refusal{"Truncated", R"({"dpv":"1","d":"a.exam)", "not-json"},
        Refusal{"ZeroByteInside", "{\"d\":\0\"a\"}"s, "not-json"},
        Refusal{"RawControlCharacter", "{\"d\":\"a\nb\"}", "not-json"},
        Refusal{"TwoValues", R"({"d":1}{"d":2})", "not-json"},
        Refusal{"Number", "12", "not-an-object"}, Refusal{"Null", "null", "not-an-object"},
        Refusal{"String", R"("{}")", "not-an-object"}, Refusal{"Array", "[]", "not-an-object"},
        Refusal{"EmptyObject", "{}", "unknown-format"},
        Refusal{"OtherObject", R"({"level":"info","msg":"hello"})", "unknown-format"},
        Refusal{"KeysThatAreNull", R"({"dpv":null,"policies":null})", "unknown-format"},
        Refusal{"DeepArray", R"({"d":)" + std::string(100000, '[') + std::string(100000, ']') + "}",
                "too-deep"},
        Refusal{"DeepObject", repeat(R"({"d":)", 10000) + "1" + std::string(10000, '}'),
                "too-deep"},
        Refusal{"HugeInteger", R"({"d":"a.example","x":123456789012345678901234567890})",
                "bad-number"},
        Refusal{"HugeExponent", R"({"d":"a.example","x":1e999999})", "bad-number"},
        Refusal{"BadNumber", R"({"d":"a.example","x":01})", "bad-number"},
        Refusal{"LongLine", "{" + std::string(kMaxLineBytes, ' ') + "}", "line-too-long"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Libtlsrpt, RefusedLine,
    testing::Values(
        Refusal{"NoDomain", R"({"dpv":"1","policies":[{"policy-type":9,"f":0}]})",
                "no-recipient-domain"},
        Refusal{"DomainIsANumber", R"({"dpv":"1","d":7,"policies":[{"policy-type":9,"f":0}]})",
                "no-recipient-domain"},
        Refusal{"DomainIsAnObject", R"({"dpv":"1","d":{},"policies":[{"policy-type":9,"f":0}]})",
                "no-recipient-domain"},
        Refusal{"DomainIsNoName", R"({"dpv":"1","d":"a b","policies":[{"policy-type":9,"f":0}]})",
                "bad-domain"},
        Refusal{"DomainWithAZero",
                R"({"d":"a\u0000.example","policies":[{"policy-type":9,"f":0}]})", "bad-domain"},
        Refusal{"DomainIsTooLong", R"({"d":")" + std::string(300, 'a') + R"(","policies":[{}]})",
                "bad-domain"},
        Refusal{"NoPolicies", R"({"dpv":"1","d":"a.example"})", "no-policies"},
        Refusal{"PoliciesNull", R"({"d":"a.example","policies":null})", "no-policies"},
        Refusal{"EmptyPolicies", datagram(""), "no-policies"},
        Refusal{"PoliciesAreText", R"({"d":"a.example","policies":"x"})", "bad-policies"},
        Refusal{"PolicyIsANumber", datagram("1"), "bad-policies"},
        Refusal{"PolicyIsAnArray", datagram("[]"), "bad-policies"},
        Refusal{"ManyPolicies",
                datagram(R"({"policy-type":9,"f":0})" + repeat(R"(,{"policy-type":9,"f":0})", 100)),
                "too-many-policies"},
        Refusal{"PolicyTypeMissing", datagram(R"({"f":0})"), "unknown-policy-type"},
        Refusal{"PolicyTypeUnknown", datagram(R"({"policy-type":3,"f":0})"), "unknown-policy-type"},
        Refusal{"PolicyTypeIsText", datagram(R"({"policy-type":"sts","f":0})"),
                "unknown-policy-type"},
        Refusal{"PolicyTypeIsAFraction", datagram(R"({"policy-type":2.5,"f":0})"),
                "unknown-policy-type"},
        Refusal{"ResultMissing", datagram(R"({"policy-type":9,"t":0})"), "bad-result"},
        Refusal{"ResultTwo", datagram(R"({"policy-type":9,"f":2})"), "bad-result"},
        Refusal{"ResultIsText", datagram(R"({"policy-type":9,"f":"0"})"), "bad-result"},
        Refusal{"PolicyDomainIsNoName", datagram(R"({"policy-type":1,"policy-domain":"..","f":0})"),
                "bad-policy-domain"},
        Refusal{"DetailsAreText", datagram_with_failures(R"("x")"), "bad-failure-details"},
        Refusal{"DetailIsANumber", datagram_with_failures("[1]"), "bad-failure-details"},
        Refusal{"CodeMissing", datagram_with_failures("[{}]"), "bad-failure-code"},
        Refusal{"CodeIsText", datagram_with_failures(R"([{"c":"201"}])"), "bad-failure-code"},
        Refusal{"CodeIsHuge", datagram_with_failures(R"([{"c":18446744073709551615}])"),
                "bad-failure-code"},
        Refusal{"ManyDetails",
                datagram_with_failures(R"([{"c":201})" + repeat(R"(,{"c":201})", 200) + "]"),
                "too-many-details"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NativeAndMomentum, RefusedLine,
    testing::Values(
        Refusal{"NoPolicyObject", R"({"policies":[{"type":1}]})", "no-policy"},
        Refusal{"PolicyIsText", R"({"epoch":1,"type":1,"policy":"sts"})", "no-policy"},
        Refusal{"EmptyPolicies", R"({"policies":[]})", "no-policies"},
        Refusal{"PoliciesAreANumber", R"({"policies":1})", "bad-policies"},
        Refusal{"UnknownPolicyType", R"({"type":1,"policy":{"policy-type":"dane"}})",
                "unknown-policy-type"},
        Refusal{"PolicyTypeIsANumber", R"({"type":1,"policy":{"policy-type":2}})",
                "unknown-policy-type"},
        Refusal{"NoType", R"({"policy":{"policy-type":"sts","policy-domain":"a.example"}})",
                "bad-result"},
        Refusal{"TypeTwo",
                R"({"type":2,"policy":{"policy-type":"sts","policy-domain":"a.example"}})",
                "bad-result"},
        Refusal{"TypeIsTrue",
                R"({"type":true,"policy":{"policy-type":"sts","policy-domain":"a.example"}})",
                "bad-result"},
        Refusal{"NoDomainAtAll", R"({"type":1,"policy":{"policy-type":"sts"}})",
                "no-recipient-domain"},
        Refusal{"OnlyTlsaWithoutRecipient",
                R"({"policies":[{"policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"},)"
                R"("type":1}]})",
                "no-recipient-domain"},
        Refusal{"RecipientIsANumber",
                R"({"recipient-domain":1,"type":1,"policy":)"
                R"({"policy-type":"sts","policy-domain":"a.example"}})",
                "bad-domain"},
        Refusal{"RecipientIsNoName",
                R"({"recipient-domain":"-","type":1,"policy":)"
                R"({"policy-type":"sts","policy-domain":"a.example"}})",
                "bad-domain"},
        Refusal{"PolicyDomainIsNoName",
                R"({"recipient-domain":"a.example","type":1,"policy":)"
                R"({"policy-type":"sts","policy-domain":"a..example"}})",
                "bad-policy-domain"},
        Refusal{"EpochIsText", R"({"epoch":"yesterday","type":1,"policy":{}})", "bad-time"},
        Refusal{"EpochIsNegative", R"({"epoch":-1,"type":1,"policy":{}})", "bad-time"},
        Refusal{"EpochIsFarAway", R"({"epoch":253402300800,"type":1,"policy":{}})", "bad-time"},
        Refusal{"EpochIsAnArray", R"({"epoch":[1],"type":1,"policy":{}})", "bad-time"},
        Refusal{"DetailsAreANumber",
                R"({"recipient-domain":"a.example","policies":[{"policy":{"policy-type":"sts"},)"
                R"("type":0,"failure-details":1}]})",
                "bad-failure-details"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    NativeExtras, RefusedLine,
    testing::Values(Refusal{"CountZero", native(R"(,"count":0)"), "bad-count"},
                    Refusal{"CountNegative", native(R"(,"count":-5)"), "bad-count"},
                    Refusal{"CountBeyondIJson", native(R"(,"count":9007199254740992)"),
                            "bad-count"},
                    Refusal{"CountFraction", native(R"(,"count":1.5)"), "bad-count"},
                    Refusal{"CountText", native(R"(,"count":"2")"), "bad-count"},
                    Refusal{"OwnReportText", native(R"(,"own-report":"true")"), "bad-own-report"},
                    Refusal{"OwnReportNumber", native(R"(,"own-report":1)"), "bad-own-report"},
                    Refusal{"IdArray", native(R"(,"id":["x"])"), "bad-id"},
                    Refusal{"IdOfControls", native(R"(,"id":"\u0001\u0002")"), "bad-id"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Halon, RefusedLine,
    testing::Values(
        Refusal{"TimeIsText", R"({"timestamp":"x","transactionid":"t","policy-type":"sts"})",
                "bad-time"},
        Refusal{"TimeIsHuge", R"({"timestamp":1e300,"transactionid":"t","policy-type":"sts"})",
                "bad-time"},
        Refusal{"NoDomain", R"({"timestamp":1,"policy-type":"sts","result-type":"success"})",
                "no-recipient-domain"},
        Refusal{"DomainIsNoName",
                R"({"policy-domain":"a@b","policy-type":"sts","result-type":"success"})",
                "bad-domain"},
        Refusal{"NoPolicyType",
                R"({"transactionid":"t","policy-domain":"a.example","result-type":"x"})",
                "unknown-policy-type"},
        Refusal{"PolicyTypeIsANumber",
                R"({"transactionid":"t","policy-domain":"a.example","policy-type":1})",
                "unknown-policy-type"},
        Refusal{"NoResult", R"({"policy-domain":"a.example","policy-type":"sts"})", "bad-result"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
