#include "dns/tlsrpt_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Strings = std::vector<std::string>;

// What rua makes of "v=TLSRPTv1;rua=" + text: usable URIs and, of the others, what was published.
struct RuaCase {
  const char* name;
  std::string rua;
  Strings want;
  Strings want_skipped;
};

void PrintTo(const RuaCase& test, std::ostream* out) {
  *out << test.name;
}

class TlsrptRua : public testing::TestWithParam<RuaCase> {};

TEST_P(TlsrptRua, IsBroughtIntoUsableForm) {
  const auto& test = GetParam();
  const auto record = parse_tlsrpt_record("v=TLSRPTv1;rua=" + test.rua);
  EXPECT_EQ(record.rua, test.want);
  Strings skipped;
  for (const auto& each : record.skipped) {
    skipped.push_back(each.uri);
    EXPECT_NE(each.why, "");
  }
  EXPECT_EQ(skipped, test.want_skipped);
  EXPECT_EQ(record.status, test.want.empty() ? RecordStatus::kInvalid : RecordStatus::kOk);
}

const std::string kLocal64(64, 'a');

INSTANTIATE_TEST_SUITE_P(
    Mailto, TlsrptRua,
    testing::Values(
        RuaCase{"Plain", "mailto:tls@example.com", {"mailto:tls@example.com"}, {}},
        RuaCase{"AnyCaseOfScheme", "MAILTO:tls@example.com", {"mailto:tls@example.com"}, {}},
        RuaCase{"DomainIsLowered", "mailto:Tls@EXAMPLE.Com", {"mailto:Tls@example.com"}, {}},
        RuaCase{"DomainsTrailingDot", "mailto:a@example.com.", {"mailto:a@example.com"}, {}},
        RuaCase{"PercentEncoded", "mailto:a%2Bb%21c@example.com", {"mailto:a+b!c@example.com"}, {}},
        RuaCase{"EncodedAt", "mailto:a%40example.com", {"mailto:a@example.com"}, {}},
        RuaCase{"QueryIsDropped",
                "mailto:a@example.com?subject=x&cc=b@c.example",
                {"mailto:a@example.com"},
                {}},
        RuaCase{"ULabels",
                "mailto:a@b\xc3\xbc"
                "cher.example",
                {"mailto:a@xn--bcher-kva.example"},
                {}},
        RuaCase{"EncodedULabels",
                "mailto:a@b%C3%BCcher.example",
                {"mailto:a@xn--bcher-kva.example"},
                {}},
        RuaCase{"AllAtext",
                "mailto:!#$&'*+-/=^_`{|}~9@example.com",
                {"mailto:!#$&'*+-/=^_`{|}~9@example.com"},
                {}},
        RuaCase{"LocalOf64",
                "mailto:" + kLocal64 + "@example.com",
                {"mailto:" + kLocal64 + "@example.com"},
                {}},
        RuaCase{"LocalOf65",
                "mailto:a" + kLocal64 + "@example.com",
                {},
                {"mailto:a" + kLocal64 + "@example.com"}},
        RuaCase{"TwoWithBlanks",
                "mailto:a@x.example , \tmailto:b@x.example",
                {"mailto:a@x.example", "mailto:b@x.example"},
                {}},
        RuaCase{"EachOnce",
                "mailto:a@x.example,MAILTO:a@X.example,mailto:%61@x.example",
                {"mailto:a@x.example"},
                {}},
        RuaCase{"SecondWithoutScheme",
                "mailto:a@x.example,b@x.example",
                {"mailto:a@x.example"},
                {"b@x.example"}},
        RuaCase{"NoScheme", "postmaster@x.example", {}, {"postmaster@x.example"}},
        RuaCase{"NoAt", "mailto:example.com", {}, {"mailto:example.com"}},
        RuaCase{"TwoAts", "mailto:a@b@example.com", {}, {"mailto:a@b@example.com"}},
        RuaCase{"EmptyLocal", "mailto:@example.com", {}, {"mailto:@example.com"}},
        RuaCase{"EmptyDomain", "mailto:a@", {}, {"mailto:a@"}},
        RuaCase{"Empty", "mailto:", {}, {"mailto:"}},
        RuaCase{"DotFirst", "mailto:.a@x.example", {}, {"mailto:.a@x.example"}},
        RuaCase{"DotLast", "mailto:a.@x.example", {}, {"mailto:a.@x.example"}},
        RuaCase{"TwoDots", "mailto:a..b@x.example", {}, {"mailto:a..b@x.example"}},
        RuaCase{
            "EncodedLineEnd", "mailto:a%0D%0ADATA@x.example", {}, {"mailto:a%0D%0ADATA@x.example"}},
        RuaCase{"EncodedNul", "mailto:a%00@x.example", {}, {"mailto:a%00@x.example"}},
        RuaCase{"EncodedAngle", "mailto:a%3E@x.example", {}, {"mailto:a%3E@x.example"}},
        RuaCase{"EncodedComma",
                "mailto:a@x.example%2Cb@y.example",
                {},
                {"mailto:a@x.example%2Cb@y.example"}},
        RuaCase{"EncodedSpaceInDomain", "mailto:a@x%20.example", {}, {"mailto:a@x%20.example"}},
        RuaCase{"Quoted", "mailto:%22a b%22@x.example", {}, {"mailto:%22a b%22@x.example"}},
        RuaCase{"BrokenEscape",
                "mailto:a%4@x.example,mailto:a%zz@x.example",
                {},
                {"mailto:a%4@x.example", "mailto:a%zz@x.example"}},
        RuaCase{"EscapeCutOff", "mailto:a@x.example%4", {}, {"mailto:a@x.example%4"}},
        RuaCase{"NonAsciiLocal", "mailto:b%C3%BC@x.example", {}, {"mailto:b%C3%BC@x.example"}},
        RuaCase{"AddressLiteral", "mailto:a@[192.0.2.1]", {}, {"mailto:a@[192.0.2.1]"}},
        RuaCase{"BareAddress", "mailto:a@192.0.2.1", {}, {"mailto:a@192.0.2.1"}},
        RuaCase{"OneLabel", "mailto:a@example", {}, {"mailto:a@example"}},
        RuaCase{"Localhost", "mailto:a@localhost", {}, {"mailto:a@localhost"}},
        RuaCase{"UnderLocalhost", "mailto:a@x.localhost", {}, {"mailto:a@x.localhost"}},
        RuaCase{"UnderLocal", "mailto:a@x.local", {}, {"mailto:a@x.local"}},
        RuaCase{"UnderInternal", "mailto:a@x.INTERNAL.", {}, {"mailto:a@x.INTERNAL."}},
        RuaCase{"UnderInvalid", "mailto:a@x.invalid", {}, {"mailto:a@x.invalid"}},
        RuaCase{"UnderArpa",
                "mailto:a@1.2.0.192.in-addr.arpa",
                {},
                {"mailto:a@1.2.0.192.in-addr.arpa"}},
        RuaCase{"LocalInTheMiddle", "mailto:a@local.example", {"mailto:a@local.example"}, {}},
        RuaCase{"SizeSuffixOfDmarc", "mailto:a@x.example!10m", {}, {"mailto:a@x.example!10m"}},
        RuaCase{"LongDomain",
                "mailto:a@" + std::string(64, 'x') + ".example",
                {},
                {"mailto:a@" + std::string(64, 'x') + ".example"}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Https, TlsrptRua,
    testing::Values(
        RuaCase{"Plain", "https://r.example/v1", {"https://r.example/v1"}, {}},
        RuaCase{"QueryWithEquals",
                "https://r.example/a?b=c&d=e=f",
                {"https://r.example/a?b=c&d=e=f"},
                {}},
        RuaCase{"AnyCase", "HTTPS://R.Example/Path", {"https://r.example/Path"}, {}},
        RuaCase{"FragmentIsDropped", "https://r.example/v1#top", {"https://r.example/v1"}, {}},
        RuaCase{"ULabels",
                "https://b\xc3\xbc"
                "cher.example/x",
                {"https://xn--bcher-kva.example/x"},
                {}},
        RuaCase{"Port1024", "https://r.example:1024/x", {"https://r.example:1024/x"}, {}},
        RuaCase{"Port65535", "https://r.example:65535/x", {"https://r.example:65535/x"}, {}},
        RuaCase{"Port1023", "https://r.example:1023/x", {}, {"https://r.example:1023/x"}},
        RuaCase{"Port25", "https://r.example:25/x", {}, {"https://r.example:25/x"}},
        RuaCase{"Port65536", "https://r.example:65536/x", {}, {"https://r.example:65536/x"}},
        RuaCase{"Port0", "https://r.example:0/x", {}, {"https://r.example:0/x"}},
        RuaCase{"PortOfLetters", "https://r.example:x/", {}, {"https://r.example:x/"}},
        RuaCase{"PortTooLong",
                "https://r.example:99999999999999999999/",
                {},
                {"https://r.example:99999999999999999999/"}},
        RuaCase{"Ipv4", "https://192.0.2.1/x", {"https://192.0.2.1/x"}, {}},
        RuaCase{"Ipv6", "https://[2001:DB8::1]:8443/x", {"https://[2001:db8::1]:8443/x"}, {}},
        RuaCase{"Ipv6Broken", "https://[2001:db8::1/x", {}, {"https://[2001:db8::1/x"}},
        RuaCase{"Ipv6Zone", "https://[fe80::1%25eth0]/x", {}, {"https://[fe80::1%25eth0]/x"}},
        RuaCase{"NoHost", "https:///x", {}, {"https:///x"}},
        RuaCase{"PortOnly", "https://:443/x", {}, {"https://:443/x"}},
        RuaCase{"NoSlashes", "https:r.example", {}, {"https:r.example"}},
        RuaCase{"User", "https://u@r.example/", {}, {"https://u@r.example/"}},
        RuaCase{"UserAndPassword", "https://u:p@r.example/", {}, {"https://u:p@r.example/"}},
        RuaCase{"BackslashBeforeAt",
                "https://good.example\\@evil.example/",
                {},
                {"https://good.example\\@evil.example/"}},
        RuaCase{"BlankInside", "https://r.example/a b", {}, {"https://r.example/a b"}},
        RuaCase{"NonAsciiPath", "https://r.example/\xc3\xbc", {}, {"https://r.example/\xc3\xbc"}},
        RuaCase{"EncodedPath", "https://r.example/a%2Cb%3B", {"https://r.example/a%2Cb%3B"}, {}},
        RuaCase{"Http", "http://r.example/", {}, {"http://r.example/"}},
        RuaCase{"OtherSchemeBetween",
                "https://r.example/1,ftp://r.example,mailto:a@x.example",
                {"https://r.example/1", "mailto:a@x.example"},
                {"ftp://r.example"}},
        RuaCase{"TooLong",
                "https://r.example/" + std::string(2040, 'x'),
                {},
                {"https://r.example/" + std::string(179, 'x') + "\xe2\x80\xa6"}}),
    [](const auto& test) { return test.param.name; });

TEST(TlsrptRecord, AnHttpsUriKeepsItsDefaultPortOutAndHasAPath) {
  EXPECT_EQ(usable_destination("https://r.example:443/x").uri, "https://r.example/x");
  EXPECT_EQ(usable_destination("https://r.example").uri, "https://r.example/");
  EXPECT_EQ(usable_destination("https://r.example?x=1").uri, "https://r.example/?x=1");
}

TEST(UsableDestination, ReadAgainIsTheSame) {
  for (const auto* uri : {"mailto:a%25b%3Fc@x.example", "mailto:a%2525@x.example",
                          "mailto:a@x.example?x", "https://r.example/a%2Cb?c=%25"}) {
    const auto once = usable_destination(uri);
    ASSERT_NE(once.uri, "") << once.why;
    EXPECT_EQ(usable_destination(once.uri).uri, once.uri) << uri;
  }
}

TEST(TlsrptRecord, AnAddressOf254BytesIsTheLongest) {
  const auto label = std::string(61, 'x');
  const auto domain = label + "." + label + "." + label + ".";
  const auto at_limit = "mailto:" + kLocal64 + "@" + domain + "ab";  // 64 + 1 + 186 + 2 = 253
  EXPECT_EQ(usable_destination(at_limit + "c").uri, at_limit + "c");
  EXPECT_EQ(usable_destination(at_limit + "cd").why, "it is longer than 254 bytes");
}

TEST(TlsrptRecord, SaysWhyAUriIsSkipped) {
  EXPECT_EQ(usable_destination("b@x.example").why, "it is an address without mailto: before it");
  EXPECT_EQ(usable_destination("ftp://x.example").why, "it is neither a mailto nor an https URI");
  EXPECT_EQ(usable_destination("").why, "it is neither a mailto nor an https URI");
  EXPECT_EQ(usable_destination("mailto:a@b@c.example").why, "it has more than one @");
  EXPECT_EQ(usable_destination("mailto:a@x.local").why, "its domain is under .local");
  EXPECT_EQ(usable_destination("https://u@x.example/").why, "it carries a user name");
  EXPECT_EQ(usable_destination("https://x.example:25/").why,
            "its port is neither 443 nor from 1024 to 65535");
}

struct RecordCase {
  const char* name;
  std::string text;
  RecordStatus want;
  std::string want_problem;
  Strings want_rua;
};

void PrintTo(const RecordCase& test, std::ostream* out) {
  *out << test.name;
}

class TlsrptRecordText : public testing::TestWithParam<RecordCase> {};

TEST_P(TlsrptRecordText, IsParsed) {
  const auto& test = GetParam();
  const auto record = parse_tlsrpt_record(test.text);
  EXPECT_EQ(record.status, test.want);
  EXPECT_EQ(record.problem, test.want_problem);
  EXPECT_EQ(record.rua, test.want_rua);
}

constexpr auto kOk = RecordStatus::kOk;
constexpr auto kInvalid = RecordStatus::kInvalid;
const Strings kA = {"mailto:a@x.example"};
const Strings kAB = {"mailto:a@x.example", "https://x.example/b"};

INSTANTIATE_TEST_SUITE_P(
    Rfc8460Section3, TlsrptRecordText,
    testing::Values(
        RecordCase{"Example1OfTheRfc",
                   "v=TLSRPTv1;rua=mailto:reports@example.com",
                   kOk,
                   "",
                   {"mailto:reports@example.com"}},
        RecordCase{"Example2OfTheRfc",
                   "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt",
                   kOk,
                   "",
                   {"https://reporting.example.com/v1/tlsrpt"}},
        RecordCase{"SemicolonAtTheEnd", "v=TLSRPTv1; rua=mailto:a@x.example;", kOk, "", kA},
        RecordCase{"BlanksAroundDelimiters", "v=TLSRPTv1 \t;\t rua=mailto:a@x.example ; ", kOk, "",
                   kA},
        RecordCase{"BlanksAtTheEnd", "v=TLSRPTv1;rua=mailto:a@x.example  ", kOk, "", kA},
        RecordCase{"RuaTwice", "v=TLSRPTv1;rua=mailto:a@x.example;rua=https://x.example/b", kOk, "",
                   kAB},
        RecordCase{"ExtensionsAround", "v=TLSRPTv1;x=1;rua=mailto:a@x.example;a.b_c-d=%!~:", kOk,
                   "", kA},
        RecordCase{"ExtensionNameOf32",
                   "v=TLSRPTv1;" + std::string(32, 'x') + "=1;rua=mailto:a@x.example", kOk, "", kA},
        RecordCase{"ExtensionNameOf33",
                   "v=TLSRPTv1;" + std::string(33, 'x') + "=1;rua=mailto:a@x.example",
                   kInvalid,
                   "a field is malformed: '" + std::string(33, 'x') + "=1'",
                   {}},
        RecordCase{"ExtensionOfOddName",
                   "v=TLSRPTv1;-x=1;rua=mailto:a@x.example",
                   kInvalid,
                   "a field is malformed: '-x=1'",
                   {}},
        RecordCase{"ExtensionWithoutValue",
                   "v=TLSRPTv1;x=;rua=mailto:a@x.example",
                   kInvalid,
                   "a field is malformed: 'x='",
                   {}},
        RecordCase{"ExtensionWithControl",
                   "v=TLSRPTv1;x=\x01;rua=mailto:a@x.example",
                   kInvalid,
                   "a field is malformed: 'x='",
                   {}},
        RecordCase{"BlankBeforeEquals",
                   "v=TLSRPTv1;rua =mailto:a@x.example",
                   kInvalid,
                   "a field is malformed: 'rua =mailto:a@x.example'",
                   {}},
        RecordCase{
            "RuaInUpperCase", "v=TLSRPTv1;RUA=mailto:a@x.example", kInvalid, "it has no rua", {}},
        RecordCase{"DoubledDelimiter",
                   "v=TLSRPTv1;;rua=mailto:a@x.example",
                   kInvalid,
                   "a field has no '=': ''",
                   {}},
        RecordCase{
            "FieldWithoutEquals", "v=TLSRPTv1;rua", kInvalid, "a field has no '=': 'rua'", {}},
        RecordCase{"NoFields", "v=TLSRPTv1;", kInvalid, "it has no rua", {}},
        RecordCase{"NothingElse", "v=TLSRPTv1", kInvalid, "it has no rua", {}},
        RecordCase{"EmptyRua", "v=TLSRPTv1;rua=", kInvalid, "its rua names no usable URI", {}},
        RecordCase{"OnlyUnusable",
                   "v=TLSRPTv1;rua=ftp://x.example",
                   kInvalid,
                   "its rua names no usable URI",
                   {}},
        RecordCase{"Empty", "", kInvalid, "it does not begin with v=TLSRPTv1;", {}},
        RecordCase{"LaterVersion",
                   "v=TLSRPTv10;rua=mailto:a@x.example",
                   kInvalid,
                   "it does not begin with v=TLSRPTv1;",
                   {}},
        RecordCase{"OtherCase",
                   "v=tlsrptv1;rua=mailto:a@x.example",
                   kInvalid,
                   "it does not begin with v=TLSRPTv1;",
                   {}},
        RecordCase{"VersionNotFirst",
                   "rua=mailto:a@x.example;v=TLSRPTv1",
                   kInvalid,
                   "it does not begin with v=TLSRPTv1;",
                   {}},
        RecordCase{"BlankFirst",
                   " v=TLSRPTv1;rua=mailto:a@x.example",
                   kInvalid,
                   "it does not begin with v=TLSRPTv1;",
                   {}},
        RecordCase{"TooLong",
                   "v=TLSRPTv1;rua=mailto:a@x.example;x=" + std::string(10240, 'x'),
                   kInvalid,
                   "it is longer than 10240 bytes",
                   {}}),
    [](const auto& test) { return test.param.name; });

TEST(TlsrptRecord, OneOf10240BytesIsTheLongest) {
  std::string text = "v=TLSRPTv1;rua=mailto:a@x.example;x=";
  text.append(10240 - text.size(), 'x');
  EXPECT_EQ(parse_tlsrpt_record(text).status, kOk);
  EXPECT_EQ(parse_tlsrpt_record(text + "x").status, kInvalid);
}

TEST(TlsrptRecord, ShowsNoControlsOfHostileText) {
  const auto record =
      parse_tlsrpt_record("v=TLSRPTv1;rua=mailto:\x1b[31m\xff@x.example,mailto:a@x.example");
  EXPECT_EQ(record.rua, kA);
  ASSERT_EQ(record.skipped.size(), 1U);
  EXPECT_EQ(record.skipped[0].uri, "mailto:[31m\xef\xbf\xbd@x.example");
  EXPECT_EQ(record.text, "v=TLSRPTv1;rua=mailto:[31m\xef\xbf\xbd@x.example,mailto:a@x.example");
}

const std::string kRecord = "v=TLSRPTv1;rua=mailto:a@x.example";
const std::string kLooseRecord = "v=TLSRPTv1 ;rua=https://x.example/b";

struct AnswersCase {
  const char* name;
  Strings answers;
  RecordStatus want;
  Strings want_rua;
};

void PrintTo(const AnswersCase& test, std::ostream* out) {
  *out << test.name;
}

class TlsrptAnswers : public testing::TestWithParam<AnswersCase> {};

TEST_P(TlsrptAnswers, AreChosenAmong) {
  const auto record = read_tlsrpt_answers(GetParam().answers);
  EXPECT_EQ(record.status, GetParam().want);
  EXPECT_EQ(record.rua, GetParam().want_rua);
  EXPECT_EQ(record.problem.empty(), record.status == kOk || record.status == RecordStatus::kNone);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8460Section3, TlsrptAnswers,
    testing::Values(
        AnswersCase{"None", {}, RecordStatus::kNone, {}},
        AnswersCase{"OthersOnly", {"v=spf1 -all", "", "v=TLSRPTv2;rua=x"}, RecordStatus::kNone, {}},
        AnswersCase{"One", {kRecord}, kOk, kA},
        AnswersCase{"OneAmongOthers", {"v=spf1 -all", kRecord, "x"}, kOk, kA},
        AnswersCase{"Two", {kRecord, kRecord}, RecordStatus::kSeveral, {}},
        AnswersCase{"TwoOfWhichOneIsBroken", {kRecord, "v=TLSRPTv1;x"}, RecordStatus::kSeveral, {}},
        AnswersCase{"OneBroken", {"v=TLSRPTv1;x", "y"}, kInvalid, {}},
        AnswersCase{"OneWithBlankBeforeDelimiter", {kLooseRecord}, kOk, {"https://x.example/b"}},
        AnswersCase{"TheExactOneWins", {kLooseRecord, kRecord}, kOk, kA},
        AnswersCase{"TwoWithBlanks", {kLooseRecord, kLooseRecord}, RecordStatus::kSeveral, {}},
        AnswersCase{"BlankFirst", {" " + kRecord}, RecordStatus::kNone, {}},
        AnswersCase{"OtherCase", {"v=TLSRPTV1;rua=mailto:a@x.example"}, RecordStatus::kNone, {}}),
    [](const auto& test) { return test.param.name; });

TEST(TlsrptRecord, IsLookedUpUnderItsOwnName) {
  EXPECT_EQ(tlsrpt_name("example.org"), "_smtp._tls.example.org");
}

TEST(TlsrptRecord, StatusesHaveTheirNames) {
  EXPECT_EQ(to_string(RecordStatus::kOk), "ok");
  EXPECT_EQ(to_string(RecordStatus::kNone), "none");
  EXPECT_EQ(to_string(RecordStatus::kSeveral), "several");
  EXPECT_EQ(to_string(RecordStatus::kInvalid), "invalid");
  EXPECT_EQ(to_string(RecordStatus::kTemporary), "temporary");
}

}  // namespace
}  // namespace rapporteur
