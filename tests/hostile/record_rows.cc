// TXT answers: RFC 8460, section 3, and what is found in the DNS.

#include "hostile/rows.h"

namespace rapporteur::hostile {

namespace {

const std::string kA = "v=TLSRPTv1;rua=mailto:a@x.example";
const std::string kOkA = "ok\n+ mailto:a@x.example";

std::string with_rua(const std::string& rua) {
  return "v=TLSRPTv1;rua=" + rua;
}

// Which of the answers counts.
const std::vector<RecordRow> kAnswers = {
    {"NoAnswer", {}, "none"},
    {"EmptyAnswer", {{""}}, "none"},
    {"One", {{kA}}, kOkA},
    {"OneAmongForeign", {{"v=spf1 -all"}, {kA}, {"google-site-verification=x"}}, kOkA},
    {"ForeignOnly", {{"v=spf1 -all"}, {"v=DMARC1;rua=mailto:a@x.example"}}, "none"},
    {"StsRecordInItsPlace", {{"v=STSv1; id=20160831085700Z;"}}, "none"},
    {"TheSameTwice",
     {{kA}, {kA}},
     "several: there are 2 TLSRPT records; exactly one asks for reports"},
    {"TwoDifferent",
     {{kA}, {"v=TLSRPTv1;rua=mailto:b@x.example"}},
     "several: there are 2 TLSRPT records; exactly one asks for reports"},
    {"OneGoodOneEmpty",
     {{kA}, {"v=TLSRPTv1;"}},
     "several: there are 2 TLSRPT records; exactly one asks for reports"},
    {"OneOfALaterVersion", {{kA}, {"v=TLSRPTv2;rua=mailto:b@x.example"}}, kOkA},
    {"LaterVersionOnly", {{"v=TLSRPTv2;rua=mailto:b@x.example"}}, "none"},
    {"VersionTen", {{"v=TLSRPTv10;rua=mailto:b@x.example"}}, "none"},
    {"VersionInLowerCase", {{"v=tlsrptv1;rua=mailto:a@x.example"}}, "none"},
    {"TagInUpperCase", {{"V=TLSRPTv1;rua=mailto:a@x.example"}}, "none"},
    {"BlanksAroundEquals", {{"v = TLSRPTv1; rua = mailto:a@x.example"}}, "none"},
    {"BlankFirst", {{" v=TLSRPTv1;rua=mailto:a@x.example"}}, "none"},
    {"QuotesOfAZoneFile", {{"\"v=TLSRPTv1;rua=mailto:a@x.example\""}}, "none"},
    {"ByteOrderMark", {{"\xEF\xBB\xBFv=TLSRPTv1;rua=mailto:a@x.example"}}, "none"},
    {"RuaFirst", {{"rua=mailto:a@x.example;v=TLSRPTv1"}}, "none"},
    {"BlankBeforeSemicolon", {{"v=TLSRPTv1 ;rua=mailto:a@x.example"}}, kOkA},
    {"BlankBeforeSemicolonBesideAnExactOne", {{"v=TLSRPTv1 ;rua=mailto:b@x.example"}, {kA}}, kOkA},
    {"TwoWithBlankBeforeSemicolon",
     {{"v=TLSRPTv1 ;rua=mailto:a@x.example"}, {"v=TLSRPTv1\t;rua=mailto:b@x.example"}},
     "several: there are 2 TLSRPT records; exactly one asks for reports"},
    {"CommaInsteadOfSemicolon", {{"v=TLSRPTv1,rua=mailto:a@x.example"}}, "none"},
    {"SeveralStrings", {{"v=TLSRPTv1;rua=mai", "lto:a@x.", "example"}}, kOkA},
    {"StringsCutInTheVersion", {{"v=TLS", "RPTv1;", "rua=mailto:a@x.example"}}, kOkA},
    {"EmptyStringsBetween", {{"", "v=TLSRPTv1;", "", "rua=mailto:a@x.example", ""}}, kOkA},
    {"SpaceAtTheSeamOfStrings",
     {{"v=TLSRPTv1;rua=mailto:a@x.example,mailto:b@", " x.example"}},
     kOkA + "\n- mailto:b@ x.example: it holds blanks or control characters"},
    {"ZeroByteAfterTheVersion", {{std::string("v=TLSRPTv1\0;rua=mailto:a@x.example", 34)}}, "none"},
};

// The fields of the one record.
const std::vector<RecordRow> kFields = {
    {"VersionOnly", {{"v=TLSRPTv1"}}, "invalid: it has no rua"},
    {"NoFields", {{"v=TLSRPTv1;"}}, "invalid: it has no rua"},
    {"NoRua", {{"v=TLSRPTv1;x=1"}}, "invalid: it has no rua"},
    {"RuaOfDmarcName", {{"v=TLSRPTv1;ruf=mailto:a@x.example"}}, "invalid: it has no rua"},
    {"RuaInUpperCase", {{"v=TLSRPTv1;RUA=mailto:a@x.example"}}, "invalid: it has no rua"},
    {"EmptyRua", {{"v=TLSRPTv1;rua="}}, "invalid: its rua names no usable URI"},
    {"CommasOnly", {{"v=TLSRPTv1;rua=,, ,"}}, "invalid: its rua names no usable URI"},
    {"RuaTwice",
     {{"v=TLSRPTv1;rua=mailto:a@x.example;rua=https://x.example/b"}},
     kOkA + "\n+ https://x.example/b"},
    {"EmptyRuaBesideAGoodOne", {{"v=TLSRPTv1;rua=;rua=mailto:a@x.example"}}, kOkA},
    {"ExtensionBeforeRua", {{"v=TLSRPTv1;ext=some.value;rua=mailto:a@x.example"}}, kOkA},
    {"ExtensionAfterRua", {{"v=TLSRPTv1;rua=mailto:a@x.example;ext=some.value"}}, kOkA},
    {"ExtensionWithEquals", {{"v=TLSRPTv1;ext=a=b;rua=mailto:a@x.example"}}, kOkA},
    {"SemicolonAtTheEnd", {{kA + ";"}}, kOkA},
    {"BlanksAroundSemicolons", {{"v=TLSRPTv1 \t; \trua=mailto:a@x.example \t; \t"}}, kOkA},
    {"BlanksAtTheEnd", {{kA + " \t"}}, kOkA},
    {"TwoSemicolons", {{"v=TLSRPTv1;;rua=mailto:a@x.example"}}, "invalid: a field has no '=': ''"},
    {"TwoSemicolonsAtTheEnd", {{kA + ";;"}}, "invalid: a field has no '=': ''"},
    {"TextBehindTheRecord", {{kA + "; hello"}}, "invalid: a field has no '=': 'hello'"},
    {"BlankBeforeEqualsOfRua",
     {{"v=TLSRPTv1;rua =mailto:a@x.example"}},
     "invalid: a field is malformed: 'rua =mailto:a@x.example'"},
    {"BlankAfterEqualsOfRua", {{"v=TLSRPTv1;rua= mailto:a@x.example"}}, kOkA},
    {"ExtensionNameOf32", {{kA + ";" + std::string(32, 'n') + "=1"}}, kOkA},
    {"ExtensionNameOf33",
     {{kA + ";" + std::string(33, 'n') + "=1"}},
     "invalid: a field is malformed: '" + std::string(33, 'n') + "=1'"},
    {"ExtensionNameWithPercent", {{kA + ";a%b=1"}}, "invalid: a field is malformed: 'a%b=1'"},
    {"ExtensionWithoutValue", {{kA + ";test="}}, "invalid: a field is malformed: 'test='"},
    {"ExtensionOfSpaceAndMore", {{kA + ";test=a b"}}, "invalid: a field is malformed: 'test=a b'"},
    {"EscapeSequenceInAField", {{kA + ";\x1b[2Jx=1"}}, "invalid: a field is malformed: '[2Jx=1'"},
    {"BrokenUtf8InAField", {{kA + ";\xff=1"}}, "invalid: a field is malformed: '\xEF\xBF\xBD=1'"},
    {"OneByteMoreThanAllowed",
     {{kA + ";x=" + std::string(10240 - 35, 'x')}},
     "invalid: it is longer than 10240 bytes"},
};

// The list in rua.
const std::vector<RecordRow> kLists = {
    {"SpaceAfterComma",
     {{with_rua("mailto:a@x.example, mailto:b@x.example")}},
     kOkA + "\n+ mailto:b@x.example"},
    {"TabsAroundComma",
     {{with_rua("mailto:a@x.example\t,\tmailto:b@x.example")}},
     kOkA + "\n+ mailto:b@x.example"},
    {"CommaAtTheEnd", {{with_rua("mailto:a@x.example,")}}, kOkA},
    {"TwoCommas",
     {{with_rua("mailto:a@x.example,,mailto:b@x.example")}},
     kOkA + "\n+ mailto:b@x.example"},
    {"SecondWithoutScheme",
     {{with_rua("mailto:a@x.example,b@x.example")}},
     kOkA + "\n- b@x.example: it is an address without mailto: before it"},
    {"NoScheme",
     {{with_rua("postmaster@x.example")}},
     "invalid: its rua names no usable URI\n"
     "- postmaster@x.example: it is an address without mailto: before it"},
    {"SeparatedByBlanks",
     {{with_rua("mailto:a@x.example mailto:b@x.example")}},
     "invalid: its rua names no usable URI\n"
     "- mailto:a@x.example mailto:b@x.example: it holds blanks or control characters"},
    {"OneBadAmongGood",
     {{with_rua("mailto:a@x.example,mailto:@,https://x.example/b")}},
     kOkA + "\n+ https://x.example/b\n- mailto:@: "
            "its local part is not of letters, digits and dots as RFC 5322 allows them"},
    {"OneOfAnotherScheme",
     {{with_rua("ftp://x.example,mailto:a@x.example")}},
     kOkA + "\n- ftp://x.example: it is neither a mailto nor an https URI"},
    {"HttpWithoutS",
     {{with_rua("http://x.example/tlsrpt")}},
     "invalid: its rua names no usable URI\n"
     "- http://x.example/tlsrpt: it is neither a mailto nor an https URI"},
    {"FileOfOurs",
     {{with_rua("file:///etc/passwd")}},
     "invalid: its rua names no usable URI\n"
     "- file:///etc/passwd: it is neither a mailto nor an https URI"},
    {"EachOnce", {{with_rua("mailto:a@x.example,mailto:a@x.example,MAILTO:%61@X.Example.")}}, kOkA},
    {"EachHttpsOnce",
     {{with_rua("https://X.example,https://x.example/,HTTPS://x.example:443/#top")}},
     "ok\n+ https://x.example/"},
    {"AddressesThatDifferInCase",
     {{with_rua("mailto:a@x.example,mailto:A@x.example")}},
     kOkA + "\n+ mailto:A@x.example"},
    {"EncodedComma",
     {{with_rua("mailto:a%2Cb@x.example")}},
     "invalid: its rua names no usable URI\n- mailto:a%2Cb@x.example: "
     "its local part is not of letters, digits and dots as RFC 5322 allows them"},
    {"HttpsWithEqualsAndQuestionMark",
     {{with_rua("https://x.example/r?k=v&l=w")}},
     "ok\n+ https://x.example/r?k=v&l=w"},
    {"SizeSuffixOfDmarc",
     {{with_rua("mailto:a@x.example!10m")}},
     "invalid: its rua names no usable URI\n- mailto:a@x.example!10m: "
     "'x.example!10m' is no host name: it holds a character that none has"},
    {"TheExampleOfTheRfc",
     {{"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"}},
     "ok\n+ https://reporting.example.com/v1/tlsrpt"},
    {"ASmtpDialogueInAnAddress",
     {{with_rua("mailto:a@x.example%0d%0aRCPT%20TO:<x@y.example>,mailto:a@x.example")}},
     kOkA + "\n- mailto:a@x.example%0d%0aRCPT%20TO:<x@y.example>: it has more than one @"},
    {"EscapeSequenceInAUri",
     {{with_rua("mailto:\x1b[31ma@x.example,mailto:a@x.example")}},
     kOkA + "\n- mailto:[31ma@x.example: it holds blanks or control characters"},
};

}  // namespace

std::vector<RecordRow> record_rows() {
  auto rows = kAnswers;
  rows.insert(rows.end(), kFields.begin(), kFields.end());
  rows.insert(rows.end(), kLists.begin(), kLists.end());
  return rows;
}

}  // namespace rapporteur::hostile
