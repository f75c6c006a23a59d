// Lines and datagrams in the four formats of ingest: docs/formats.md.

#include "hostile/rows.h"

namespace rapporteur::hostile {

namespace {

using namespace std::string_literals;

const std::string kMore = "\xE2\x80\xA6";         // "…"
const std::string kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// A datagram whose only policy is `policy`, and one with one failure detail.
std::string datagram(const std::string& policy) {
  return R"({"dpv":"1","d":"a.example","policies":[)" + policy + "]}";
}
std::string failure(const std::string& fields) {
  return datagram(R"({"policy-type":9,"f":1,"failure-details":[{"c":205)" + fields + "}]}");
}
// What comes of failure(), but for the fields of the detail.
std::string failed(const std::string& fields) {
  return "tlsrpt a.example\n- no-policy-found a.example\n  validation-failure" + fields;
}

// A Momentum data point for an MTA-STS policy of a.example with more fields.
std::string momentum(const std::string& fields, const std::string& policy = "") {
  return R"({"epoch":1795176000,"type":0,"policy":{"policy-type":"sts","policy-domain":"a.example")" +
         policy + "}" + fields + "}";
}

std::string halon(const std::string& fields) {
  return R"({"timestamp":1795176000123,"transactionid":"t:1","policy-domain":"a.example")" +
         fields + "}";
}

std::string native(const std::string& fields) {
  return R"({"recipient-domain":"a.example","policies":[{"policy":{"policy-type":)"
         R"("no-policy-found"},"type":1}])" +
         fields + "}";
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::string kSuccess = R"({"policy-type":9,"f":0})";
const std::string kCounted = "tlsrpt a.example\n+ no-policy-found a.example";

const std::vector<EventRow> kFrame = {
    {"Nothing", "", "ignored auto blank"},
    {"BlanksAndZeroBytes", " \t\r\n\0\0"s, "ignored auto blank"},
    {"ByteOrderMarkOnly", "\xEF\xBB\xBF", "ignored auto blank"},
    {"OtherLogLine", "1746712864:scriptlet: started", "ignored auto log-line"},
    {"Text", "hello", "rejected auto not-json"},
    {"Bytes", "\xFF\xFE\x00\x01"s, "rejected auto not-json"},
    {"Number", "12", "rejected auto not-an-object"},
    {"Array", "[" + datagram(kSuccess) + "]", "rejected auto not-an-object"},
    {"EmptyObject", "{}", "rejected auto unknown-format"},
    {"ForeignObject", R"({"level":"error","message":"x"})", "rejected auto unknown-format"},
    {"CutOff", datagram(kSuccess).substr(0, 30), "rejected auto not-json"},
    {"InnerObjectOfACutOffOne", R"({"x":)" + datagram(kSuccess), "rejected auto not-json"},
    {"TwoObjects", datagram(kSuccess) + datagram(kSuccess), "rejected auto not-json"},
    {"TextBehind", datagram(kSuccess) + " trailing", kCounted},
    {"LogPrefix", "Nov 20 mail tlsrpt[7]: tls report: " + datagram(kSuccess), kCounted},
    {"LogPrefixWithQuotes", R"(msg="x { y" tls report: )" + datagram(kSuccess),
     "rejected auto not-json"},
    {"LogPrefixWithManyBraces", repeated("{x} ", 9) + datagram(kSuccess), "rejected auto not-json"},
    {"ZeroByteInside", "{\"d\":\"a\0b\"}"s, "rejected auto not-json"},
    {"RawLineFeedInAText", "{\"d\":\"a\nb\"}", "rejected auto not-json"},
    {"SingleQuotes", "{'d':'a.example'}", "rejected auto not-json"},
    {"CommaTooMany", R"({"d":"a.example",})", "rejected auto not-json"},
    {"NotANumber", R"({"d":"a.example","x":NaN})", "rejected auto not-json"},
    {"NumberBeyond64Bits", R"({"d":"a.example","x":99999999999999999999})",
     "rejected auto bad-number"},
    {"DeepArrays", R"({"d":)" + std::string(50000, '[') + std::string(50000, ']') + "}",
     "rejected auto too-deep"},
    {"DeepObjects", repeated(R"({"d":)", 20000) + "1" + std::string(20000, '}'),
     "rejected auto too-deep"},
    {"LongerThanAMegabyte", datagram(kSuccess) + std::string(1 << 20, ' '),
     "rejected auto line-too-long"},
    {"KeyTwice", R"({"d":"a.example","d":"b.example","policies":[)" + kSuccess + "]}", kCounted},
    {"KeyInOtherCase", R"({"D":"a.example","Policies":[)" + kSuccess + "]}",
     "rejected auto unknown-format"},
    {"KeyWithEscapes", R"({"\u0064":"a.example","policies":[)" + kSuccess + "]}", kCounted},
};

const std::vector<EventRow> kLibtlsrpt = {
    {"NoDomain", R"({"dpv":"1","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt no-recipient-domain"},
    {"DomainOfBlanks", R"({"d":" ","policies":[)" + kSuccess + "]}", "rejected tlsrpt bad-domain"},
    {"DomainWithLineEnd", R"({"d":"a.example\r\nX: y","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"DomainWithSlash", R"({"d":"../../etc/passwd","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"DomainWithExclamationMark", R"({"d":"a!b.example","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"DomainWithAt", R"({"d":"x@a.example","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"DomainLiteral", R"({"d":"[192.0.2.1]","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"DomainInULabels", R"({"d":"B\u00dcCHER.example.","policies":[)" + kSuccess + "]}",
     "tlsrpt xn--bcher-kva.example\n+ no-policy-found xn--bcher-kva.example"},
    {"DomainOfALoneSurrogate", R"({"d":"a\ud800.example","policies":[)" + kSuccess + "]}",
     "rejected tlsrpt bad-domain"},
    {"NoPolicies", R"({"d":"a.example","policies":[]})", "rejected tlsrpt no-policies"},
    {"PoliciesOfText", R"({"d":"a.example","policies":"sts"})", "rejected tlsrpt bad-policies"},
    {"PolicyTypeUnknown", datagram(R"({"policy-type":4,"f":0})"),
     "rejected tlsrpt unknown-policy-type"},
    {"ResultTwo", datagram(R"({"policy-type":9,"f":2})"), "rejected tlsrpt bad-result"},
    {"ResultTrue", datagram(R"({"policy-type":9,"f":true})"), "rejected tlsrpt bad-result"},
    {"HundredAndOnePolicies", datagram(kSuccess + repeated("," + kSuccess, 100)),
     "rejected tlsrpt too-many-policies"},
    {"TwoHundredAndOneDetails",
     datagram(R"({"policy-type":9,"f":1,"failure-details":[{"c":201})" +
              repeated(R"(,{"c":201})", 200) + "]}"),
     "rejected tlsrpt too-many-details"},
    {"DetailsOfNumbers", datagram(R"({"policy-type":9,"f":1,"failure-details":[7]})"),
     "rejected tlsrpt bad-failure-details"},
    {"CodeUnknown", datagram(R"({"policy-type":9,"f":1,"failure-details":[{"c":901}]})"),
     failed(" f=901")},
    {"WholeEhloReply", failure(R"(,"h":"250-mx.a.example\r\n250-SIZE 1\r\n250 X")"),
     failed(" h=mx.a.example")},
    {"EhloWithMarkup", failure(R"(,"h":"250 <script>alert(1)</script>")"),
     failed(" h=<script>alert(1)</script>")},
    {"EhloWithEscapeSequence", failure(R"(,"h":"250 mx\u001b[2J\u0000.a.example")"),
     failed(" h=mx[2J.a.example")},
    {"EhloOf256", failure(R"(,"h":"250 )" + std::string(256, 'h') + "\""),
     failed(" h=" + std::string(252, 'h') + kMore)},
    {"AddressesThatAreNone", failure(R"(,"s":"1.2.3.4.5","r":"mx.a.example","n":"a b")"),
     failed("")},
    {"AddressesInOtherForms",
     failure(R"(,"s":"::FFFF:192.0.2.1","r":"fe80::1%eth0","n":"MX.A.Example.")"),
     failed(" s=192.0.2.1 n=mx.a.example r=fe80::1")},
    {"ReasonWithJsonInIt", failure(R"(,"f":"\",\"c\":201,\"x\":\"")"),
     failed(R"( f=","c":201,"x":")")},
    {"ReasonWithControls", failure(R"(,"f":"a\u0000b\r\nc\u0085d\u007fe")"), failed(" f=abcde")},
    {"ReasonOfBrokenUtf8", failure(",\"f\":\"caf\xE9\xF0\x9F\""),
     failed(" f=caf" + kReplacement + kReplacement)},
    {"ReasonOfOverlongUtf8", failure(",\"f\":\"\xC0\xAF\""),
     failed(" f=" + kReplacement + kReplacement)},
    {"ReasonOfLoneSurrogates", failure(R"(,"f":"\udc00x\ud83d")"),
     failed(" f=" + kReplacement + "x" + kReplacement)},
    {"ReasonOfASurrogateBeforeALetter", failure(R"(,"f":"\ud83d\u0041")"),
     failed(" f=" + kReplacement + "A")},
    {"ReasonOf513", failure(R"(,"f":")" + std::string(513, 'f') + "\""),
     failed(" f=" + std::string(509, 'f') + kMore)},
    {"ReasonCutAtACharacter", failure(R"(,"f":"x)" + repeated("\xC3\xA9", 256) + "\""),
     failed(" f=x" + repeated("\xC3\xA9", 254) + kMore)},
    {"InformationThatIsNoUri", failure(R"(,"f":"why","a":"see the log")"),
     failed(" f=why; see the log")},
    {"InformationThatIsAUri", failure(R"(,"a":"https://a.example/?x=%20")"),
     failed(" a=https://a.example/?x=%20")},
    {"InformationWithABrokenEscape", failure(R"(,"a":"https://a.example/%2")"),
     failed(" f=https://a.example/%2")},
    {"RecordOf4097",
     R"({"d":"a.example","pr":")" + std::string(4097, 'v') + R"(","policies":[)" + kSuccess + "]}",
     kCounted},
    {"PolicyLinesWithControls",
     datagram(R"({"policy-type":2,"f":0,"policy-string":["version: STSv1\r\nmode: \u0007none",)"
              R"("mx: *.A.Example","mx: bad host","",5]})"),
     "tlsrpt a.example\n+ sts a.example [version: STSv1|mode: none|mx: *.A.Example|mx: bad host] "
     "mx *.a.example"},
    {"PolicyLineOf513",
     datagram(R"({"policy-type":2,"f":0,"policy-string":[")" + std::string(513, 'l') + R"("]})"),
     "tlsrpt a.example\n+ sts a.example [" + std::string(509, 'l') + kMore + "]"},
    {"TlsaRecordsInOtherForms",
     datagram(R"({"policy-type":1,"f":0,"policy-string":["3 1 1 FF","03 1 1 ff",)"
              R"("3 1 1 \u0001FF","300 1 1 ff","<b>"]})"),
     "tlsrpt a.example\n+ tlsa a.example [3 1 1 ff|300 1 1 ff|<b>]"},
    {"PatternsForDane", datagram(R"({"policy-type":1,"f":0,"mx-host":["mx.a.example"]})"),
     "tlsrpt a.example\n+ tlsa a.example"},
    {"PolicyDomainWithBlank", datagram(R"({"policy-type":1,"f":0,"policy-domain":"a b"})"),
     "rejected tlsrpt bad-policy-domain"},
};

const std::string kMomentumHead = "momentum a.example at=1795176000\n- sts a.example";
const std::vector<EventRow> kMomentum = {
    {"Plain", momentum(""), kMomentumHead},
    {"EpochOfText", R"({"epoch":"1","type":1,"policy":{}})", "rejected momentum bad-time"},
    {"EpochNegative", R"({"epoch":-1,"type":1,"policy":{}})", "rejected momentum bad-time"},
    {"EpochInMilliseconds", R"({"epoch":1795176000000,"type":1,"policy":{}})",
     "rejected momentum bad-time"},
    {"EpochHuge", R"({"epoch":1e308,"type":1,"policy":{}})", "rejected momentum bad-time"},
    {"PolicyNull", R"({"type":1,"policy":null,"policies":null,"timestamp":1})",
     "ignored halon no-tls-event"},
    {"PolicyOfText", R"({"type":1,"policy":"sts"})", "rejected momentum no-policy"},
    {"PolicyTypeUnknown", R"({"type":1,"policy":{"policy-type":"dane"}})",
     "rejected momentum unknown-policy-type"},
    {"PolicyTypeInUpperCase",
     R"({"type":1,"policy":{"policy-type":" STS ","policy-domain":"a.example"}})",
     "momentum a.example\n+ sts a.example"},
    {"TypeMissing", R"({"policy":{"policy-type":"sts","policy-domain":"a.example"}})",
     "rejected momentum bad-result"},
    {"TypeOfText", R"({"type":"1","policy":{"policy-type":"sts","policy-domain":"a.example"}})",
     "rejected momentum bad-result"},
    {"NoDomain", R"({"type":1,"policy":{"policy-type":"sts"}})",
     "rejected momentum no-recipient-domain"},
    {"GuessedFromDane",
     R"({"type":1,"policy":{"policy-type":"tlsa","policy-domain":"MX.a.example"}})",
     "momentum mx.a.example guessed\n+ tlsa mx.a.example"},
    {"RecipientOfANumber", momentum(R"(,"recipient-domain":7)"), "rejected momentum bad-domain"},
    {"ResultTypeUnknown", momentum(R"(,"result-type":"tls-odd","failure-reason-code":"why")"),
     kMomentumHead + "\n  validation-failure f=tls-odd; why"},
    {"ResultTypeOfMarkup", momentum(R"(,"result-type":"<x>\u0007\n")"),
     kMomentumHead + "\n  validation-failure f=<x>"},
    {"ResultTypeSuccess", momentum(R"(,"result-type":"Success")"), kMomentumHead},
    {"ReasonOfANumber", momentum(R"(,"result-type":"dane-required","failure-reason-code":18)"),
     kMomentumHead + "\n  dane-required f=18"},
    {"ReasonOfAnObject",
     momentum(R"(,"result-type":"dane-required","failure-reason-code":{"x":1})"),
     kMomentumHead + "\n  dane-required"},
    {"PatternsOfNoUse",
     momentum("", R"(,"mx-host":["*.*.a.example","*","*a.example","MX.a.example","mx.a.example"])"),
     kMomentumHead + " mx mx.a.example"},
};

const std::string kHalonHead = "halon a.example at=1795176000 id=halon:t:1/1795176000123/";
const std::vector<EventRow> kHalon = {
    {"NoTlsEvent", R"({"timestamp":1795176000123,"transactionid":"t:1"})",
     "ignored halon no-tls-event"},
    {"Success", halon(R"(,"policy-type":"sts","result-type":"success")"),
     kHalonHead + "success\n+ sts a.example"},
    {"NoPolicyType", halon(R"(,"result-type":"success")"), "rejected halon unknown-policy-type"},
    {"NoResultType", halon(R"(,"policy-type":"sts")"), "rejected halon bad-result"},
    {"NoDomain", R"({"timestamp":1,"policy-type":"sts","result-type":"success"})",
     "rejected halon no-recipient-domain"},
    {"DomainWithAt",
     R"({"policy-domain":"x@a.example","policy-type":"sts","result-type":"success"})",
     "rejected halon bad-domain"},
    {"TimeOfText", R"({"timestamp":"now","policy-type":"sts"})", "rejected halon bad-time"},
    {"TimeNegative", R"({"timestamp":-1,"policy-type":"sts"})", "rejected halon bad-time"},
    {"DaneNamesItsMx",
     halon(
         R"(,"policy-type":"tlsa","result-type":"success","receiving-mx-hostname":"MX.A.Example")"),
     kHalonHead + "success\n+ tlsa mx.a.example"},
    {"DaneWithAnErrorOnly",
     halon(R"(,"policy-type":"tlsa","result-type":"dnssec-invalid","failure-reason-code":18)"),
     kHalonHead + "dnssec-invalid\n- tlsa a.example\n  dnssec-invalid f=18"},
    {"EmptyPolicyText",
     halon(R"(,"policy-type":"sts","result-type":"sts-policy-fetch-error","policy-string":[""],)"
           R"("mx-host":[])"),
     kHalonHead + "sts-policy-fetch-error\n- sts a.example\n  sts-policy-fetch-error"},
    {"ResultTypeOfControls", halon(R"(,"policy-type":"sts","result-type":"\u0001")"),
     kHalonHead + "\n- sts a.example\n  validation-failure"},
    {"TransactionOf300",
     R"({"timestamp":1,"transactionid":")" + std::string(300, 't') +
         R"(","policy-domain":"a.example","policy-type":"sts","result-type":"success"})",
     "halon a.example at=0 id=halon:"
     "a6ad83f9968155b3a6b45db284c439af9be7f7f3048a0aa0e1e2db128886e15e\n+ sts a.example"},
};

const std::string kNativeCounted = "\n+ no-policy-found a.example";
const std::vector<EventRow> kNative = {
    {"Plain", native(""), "native a.example" + kNativeCounted},
    {"CountZero", native(R"(,"count":0)"), "rejected native bad-count"},
    {"CountNegative", native(R"(,"count":-1)"), "rejected native bad-count"},
    {"CountFraction", native(R"(,"count":1.5)"), "rejected native bad-count"},
    {"CountOfText", native(R"(,"count":"2")"), "rejected native bad-count"},
    {"CountOf64Bits", native(R"(,"count":18446744073709551615)"), "rejected native bad-count"},
    {"CountOfTwoToThe53", native(R"(,"count":9007199254740992)"), "rejected native bad-count"},
    {"CountAsGreatAsIJsonHasThem", native(R"(,"count":9007199254740991)"),
     "native a.example count=9007199254740991" + kNativeCounted},
    {"OwnReport", native(R"(,"own-report":true)"), "native a.example own" + kNativeCounted},
    {"OwnReportOfText", native(R"(,"own-report":"yes")"), "rejected native bad-own-report"},
    {"IdWithControls", native(R"(,"id":"a\u0000\nb")"),
     "native a.example id=native:ab" + kNativeCounted},
    {"IdOfControls", native(R"(,"id":"\u0001")"), "rejected native bad-id"},
    {"IdOfAnObject", native(R"(,"id":{})"), "rejected native bad-id"},
    {"EpochFraction", native(R"(,"epoch":1795176000.999)"),
     "native a.example at=1795176000" + kNativeCounted},
    {"EpochAfter9999", native(R"(,"epoch":253402300800)"), "rejected native bad-time"},
    {"RecordWithControls", native(R"(,"tlsrpt-record":" v=TLSRPTv1;\u001brua=x\r\n")"),
     "native a.example record=v=TLSRPTv1;rua=x" + kNativeCounted},
    {"NoPolicies", R"({"recipient-domain":"a.example","policies":[]})",
     "rejected native no-policies"},
    {"PoliciesOfOneObject",
     R"({"recipient-domain":"a.example","policies":{"policy":{"policy-type":"sts"},"type":1}})",
     "native a.example\n+ sts a.example"},
    {"PolicyMissing", R"({"recipient-domain":"a.example","policies":[{"type":1}]})",
     "rejected native no-policy"},
    {"DaneWithoutRecipient",
     R"({"policies":[{"policy":{"policy-type":"tlsa","policy-domain":"mx.a.example"},"type":1}]})",
     "rejected native no-recipient-domain"},
    {"DetailsNull",
     R"({"recipient-domain":"a.example","policies":[{"policy":{"policy-type":"sts"},"type":0,)"
     R"("failure-details":null}],"result-type":"certificate-expired"})",
     "native a.example\n- sts a.example\n  certificate-expired"},
    {"DetailsOfText",
     R"({"recipient-domain":"a.example","policies":[{"policy":{"policy-type":"sts"},"type":0,)"
     R"("failure-details":"x"}]})",
     "rejected native bad-failure-details"},
    {"TheSamePolicyTwice",
     R"({"recipient-domain":"a.example","policies":[{"policy":{"policy-type":"sts"},"type":1},)"
     R"({"policy":{"policy-type":"sts","policy-domain":"A.EXAMPLE."},"type":0}]})",
     "native a.example\n- sts a.example"},
};

}  // namespace

std::vector<EventRow> frame_rows() {
  return kFrame;
}

std::vector<EventRow> libtlsrpt_rows() {
  return kLibtlsrpt;
}

std::vector<EventRow> momentum_rows() {
  return kMomentum;
}

std::vector<EventRow> halon_rows() {
  return kHalon;
}

std::vector<EventRow> native_rows() {
  return kNative;
}

}  // namespace rapporteur::hostile
