// Single texts: domains, MX names, EHLO replies, addresses, policy lines, SMTP replies.

#include "hostile/rows.h"

namespace rapporteur::hostile {

namespace {

using namespace std::string_literals;

const std::string kMore = "\xE2\x80\xA6";         // "…"
const std::string kReplacement = "\xEF\xBF\xBD";  // U+FFFD

const std::vector<WordRow> kDomains = {
    {"DomainPlain", Word::kDomain, "A.Example.", "a.example"},
    {"DomainEmpty", Word::kDomain, "", ""},
    {"DomainOfADot", Word::kDomain, ".", ""},
    {"DomainDotFirst", Word::kDomain, ".a.example", ""},
    {"DomainTwoDots", Word::kDomain, "a..example", ""},
    {"DomainOneLabel", Word::kDomain, "localhost", "localhost"},
    {"DomainUnderscore", Word::kDomain, "_smtp._tls.a.example", "_smtp._tls.a.example"},
    {"DomainBlank", Word::kDomain, "a .example", ""},
    {"DomainLineEnd", Word::kDomain, "a.example\r\n", ""},
    {"DomainZeroByte", Word::kDomain, "a.example\0.b.example"s, ""},
    {"DomainZeroByteInULabels", Word::kDomain, "b\xC3\xBC\0.example"s, ""},
    {"DomainSlash", Word::kDomain, "a/b.example", ""},
    {"DomainExclamationMark", Word::kDomain, "a!b.example", ""},
    {"DomainBackslash", Word::kDomain, "a\\.example", ""},
    {"DomainPercent", Word::kDomain, "a%2e.example", ""},
    {"DomainWildcard", Word::kDomain, "*.a.example", ""},
    {"DomainAt", Word::kDomain, "x@a.example", ""},
    {"DomainAngleBrackets", Word::kDomain, "<a.example>", ""},
    {"DomainFullwidthAt", Word::kDomain,
     "x\xEF\xBC\xA0"
     "a.example",
     ""},
    {"DomainFullwidthSlash", Word::kDomain,
     "x\xEF\xBC\x8F"
     "a.example",
     ""},
    {"DomainFullwidthLetters", Word::kDomain, "\xEF\xBD\x81.example", "a.example"},
    {"DomainIdeographicStop", Word::kDomain,
     "a\xE3\x80\x82"
     "example",
     "a.example"},
    {"DomainSoftHyphen", Word::kDomain, "exa\xC2\xADmple.example", "example.example"},
    {"DomainSharpS", Word::kDomain,
     "stra\xC3\x9F"
     "e.example",
     "xn--strae-oqa.example"},
    {"DomainRightToLeftOverride", Word::kDomain, "a\xE2\x80\xAE.example", ""},
    {"DomainBrokenUtf8", Word::kDomain, "a\xFF.example", ""},
    {"DomainSurrogate", Word::kDomain, "a\xED\xA0\x80.example", ""},
    {"DomainLabelOf63", Word::kDomain, std::string(63, 'a'), std::string(63, 'a')},
    {"DomainLabelOf64", Word::kDomain, std::string(64, 'a'), ""},
    {"DomainLongULabel", Word::kDomain, std::string(60, 'a') + "\xC3\xBC.example", ""},
    {"DomainOf100000", Word::kDomain, std::string(100000, 'a'), ""},
    {"DomainDashAtTheEnd", Word::kDomain, "a-.example", ""},
};

const std::vector<WordRow> kHosts = {
    {"PatternWildcard", Word::kMxPattern, "*.A.Example", "*.a.example"},
    {"PatternStarOnly", Word::kMxPattern, "*", ""},
    {"PatternStarDot", Word::kMxPattern, "*.", ""},
    {"PatternTwoStars", Word::kMxPattern, "*.*.a.example", ""},
    {"PatternStarInside", Word::kMxPattern, "mx*.a.example", ""},
    {"PatternULabels", Word::kMxPattern,
     "*.b\xC3\xBC"
     "cher.example",
     "*.xn--bcher-kva.example"},
    {"MxPlain", Word::kMxRecord, "\2MX\1a\0"s, "mx.a"},
    {"MxWithQuote", Word::kMxRecord, "\3m'x\1a\0"s, ""},
    {"MxWithLineEnd", Word::kMxRecord, "\3m\nx\1a\0"s, ""},
    {"MxWithDotInALabel", Word::kMxRecord, "\3m.x\1a\0"s, ""},
    {"MxWithZeroByte", Word::kMxRecord, "\3m\0x\1a\0"s, ""},
    {"MxPointer", Word::kMxRecord, "\xC0\x0C"s, ""},
    {"MxNull", Word::kMxRecord, "\0"s, ""},
    {"MxCutOff", Word::kMxRecord, "\5mx", ""},
    {"IpPlain", Word::kIp, " 192.0.2.1\n", "192.0.2.1"},
    {"IpLeadingZero", Word::kIp, "192.0.02.1", ""},
    {"IpShort", Word::kIp, "127.1", ""},
    {"IpHex", Word::kIp, "0x7f.0.0.1", ""},
    {"IpWithPort", Word::kIp, "192.0.2.1:25", ""},
    {"IpInBrackets", Word::kIp, "[2001:db8::1]", ""},
    {"IpWithTag", Word::kIp, "IPv6:2001:db8::1", ""},
    {"IpMapped", Word::kIp, "::ffff:c000:201", "192.0.2.1"},
    {"IpWithZone", Word::kIp, "fe80::1%<script>", "fe80::1"},
    {"IpZeroByte", Word::kIp, "::1\0"s, ""},
    {"IpOf100000", Word::kIp, std::string(100000, ':'), ""},
};

const std::vector<WordRow> kReplies = {
    {"HeloReply", Word::kHelo, "250-mx.a.example Hello\r\n250 STARTTLS", "mx.a.example"},
    {"HeloBanner", Word::kHelo, "220 mx.a.example ESMTP (x)", "mx.a.example"},
    {"HeloCodeOnly", Word::kHelo, "250", ""},
    {"HeloFirstLineEmpty", Word::kHelo, "250-\r\n250 mx.a.example", ""},
    {"HeloControls", Word::kHelo, "250 m\x01x\x7f.a.example\x1b[0m", "mx.a.example[0m"},
    {"HeloC1Control", Word::kHelo, "250 mx\xC2\x9B.a.example", "mx.a.example"},
    {"HeloZeroBytes", Word::kHelo, "250 \0\0"s, ""},
    {"HeloLiteral", Word::kHelo, "250 [192.0.2.1]", "[192.0.2.1]"},
    {"HeloQuotes", Word::kHelo, "250 \"mx\",\"x\":\"", "\"mx\",\"x\":\""},
    {"HeloOf255", Word::kHelo, std::string(255, 'h'), std::string(255, 'h')},
    {"HeloOf256", Word::kHelo, std::string(256, 'h'), std::string(252, 'h') + kMore},
    {"HeloCutAtACharacter", Word::kHelo, std::string(251, 'h') + "\xF0\x9F\x98\x80\x41",
     std::string(251, 'h') + kMore},
    {"ReasonTabs", Word::kReason, "\ta\tb\t", "ab"},
    {"ReasonC1Controls", Word::kReason, "a\xC2\x85\xC2\x80z", "az"},
    {"ReasonOf512", Word::kReason, std::string(512, 'r'), std::string(512, 'r')},
    {"ReasonOf513", Word::kReason, std::string(513, 'r'), std::string(509, 'r') + kMore},
    {"InformationUri", Word::kUriOrReason, "https://a.example/x#y", "uri https://a.example/x#y"},
    {"InformationMarkup", Word::kUriOrReason, "javascript:\"x\"", "reason javascript:\"x\""},
    {"InformationSchemeOnly", Word::kUriOrReason, "https:", "reason https:"},
    {"InformationControls", Word::kUriOrReason, "https://a.example/\x07",
     "reason https://a.example/"},
    {"InformationOf1025", Word::kUriOrReason, "x:" + std::string(1023, 'u'),
     "uri x:" + std::string(1019, 'u') + kMore},
    {"ReplyPlain", Word::kReply, "550 5.1.1 no such user\r\n", "550 5.1.1 no such user (RCPT TO)"},
    {"ReplyOfTwoLines", Word::kReply, "550-a\r\n550 b", "550-a550 b (RCPT TO)"},
    {"ReplyEscapeSequence", Word::kReply, "550 \x1b]0;x\x07", "550 ]0;x (RCPT TO)"},
    {"ReplyBrokenUtf8", Word::kReply, "550 \xC3", "550 " + kReplacement + " (RCPT TO)"},
    {"ReplyOf100000", Word::kReply, std::string(100000, 'x'),
     std::string(500 - 10 - 3, 'x') + kMore + " (RCPT TO)"},
};

const std::vector<WordRow> kPolicies = {
    {"StsCrLf", Word::kStsLines, "version: STSv1\r\nmode: enforce\r\nmx: *.A.Example\r\n",
     "version: STSv1|mode: enforce|mx: *.A.Example mx *.a.example"},
    {"StsEmptyLines", Word::kStsLines, "\n\nversion: STSv1\n\n", "version: STSv1"},
    {"StsLooseKeys", Word::kStsLines, "MX: mx.a.example\n mx : mx.b.example\nnmx: x",
     "MX: mx.a.example|mx : mx.b.example|nmx: x mx mx.b.example"},
    {"StsControls", Word::kStsLines, "version: STSv1\x1b[2J\nm\0ode: none"s,
     "version: STSv1[2J|mode: none"},
    {"StsPageOfHtml", Word::kStsLines, "<!DOCTYPE html>\n<title>404</title>",
     "<!DOCTYPE html>|<title>404</title>"},
    {"StsLineOf513", Word::kStsLines, std::string(513, 'p'), std::string(509, 'p') + kMore},
    {"StsNothing", Word::kStsLines, "\r\n \t\n", ""},
    {"TlsaUpperCase", Word::kTlsaRecord, "3 1 1 0AFF", "3 1 1 0aff"},
    {"TlsaBlanks", Word::kTlsaRecord, " 03\t1  1 0A ff ", "3 1 1 0aff"},
    {"TlsaControls", Word::kTlsaRecord,
     "3 1 1 0A\x01"
     "FF",
     "3 1 1 0aff"},
    {"TlsaNumberOf256", Word::kTlsaRecord, "256 1 1 FF", "256 1 1 FF"},
    {"TlsaNoHex", Word::kTlsaRecord, "3 1 1 xyz", "3 1 1 xyz"},
    {"TlsaSigned", Word::kTlsaRecord, "+3 1 1 ff", "+3 1 1 ff"},
    {"TlsaOf600", Word::kTlsaRecord, "3 1 0 " + std::string(594, 'A'),
     "3 1 0 " + std::string(503, 'a') + kMore},
    {"RecordSeen", Word::kSeenRecord, "v=TLSRPTv1; rua=mailto:a@x.example\r\n",
     "v=TLSRPTv1; rua=mailto:a@x.example"},
    {"RecordSeenTooLong", Word::kSeenRecord, "v=TLSRPTv1;" + std::string(4086, 'x'), ""},
};

}  // namespace

std::vector<WordRow> word_rows() {
  auto rows = kDomains;
  for (const auto* more : {&kHosts, &kReplies, &kPolicies}) {
    rows.insert(rows.end(), more->begin(), more->end());
  }
  return rows;
}

}  // namespace rapporteur::hostile
