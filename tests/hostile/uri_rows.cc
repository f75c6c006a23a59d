// Destinations: what may stand in rua, and what a stranger tries there.

#include "hostile/rows.h"

namespace rapporteur::hostile {

namespace {

const std::string kNoLocal =
    "refused: its local part is not of letters, digits and dots as RFC 5322 allows them";
const std::string kBlanks = "refused: it holds blanks or control characters";
const std::string kScheme = "refused: it is neither a mailto nor an https URI";
const std::string kEscape = "refused: a % in it is not followed by two hexadecimal digits";
const std::string kNoHost = "refused: its host is no host name";
const std::string kPort = "refused: its port is neither 443 nor from 1024 to 65535";
const std::string kNoUri = "refused: it holds characters that no URI may hold";

std::string no_name(const std::string& domain, const std::string& why) {
  return "refused: '" + domain + "' is no host name: " + why;
}
std::string bad_character(const std::string& domain) {
  return no_name(domain, "it holds a character that none has");
}

// A domain of `size` bytes in labels of at most 63.
std::string domain_of(std::size_t size) {
  std::string domain;
  while (size - domain.size() > 64) domain += std::string(61, 'd') + ".";
  return domain + std::string(size - domain.size(), 'd');
}

const std::string kLocal64(64, 'a');
const std::vector<UriRow> kMailto = {
    {"Plain", "mailto:a@x.example", "mailto:a@x.example"},
    {"SchemeInUpperCase", "MAILTO:a@x.example", "mailto:a@x.example"},
    {"DomainInUpperCase", "mailto:Abc@X.EXAMPLE", "mailto:Abc@x.example"},
    {"DotAtTheEnd", "mailto:a@x.example.", "mailto:a@x.example"},
    {"TwoDotsAtTheEnd", "mailto:a@x.example..", no_name("x.example..", "a label is empty")},
    {"EverythingEncoded", "mailto:%61%40%78%2e%65xample", "mailto:a@x.example"},
    {"EncodedTwice", "mailto:a%2540x.example", "refused: it has no @"},
    {"PlusTag", "mailto:tls+tag@x.example", "mailto:tls+tag@x.example"},
    {"HeadersDropped", "mailto:a@x.example?subject=x&bcc=v@y.example", "mailto:a@x.example"},
    {"RecipientInHeaders", "mailto:?to=v@y.example", "refused: it has no @"},
    {"EncodedQuestionMark", "mailto:a%3fb@x.example", "mailto:a%3Fb@x.example"},
    {"EncodedPercent", "mailto:a%2541@x.example", "mailto:a%2541@x.example"},
    {"NoAt", "mailto:user", "refused: it has no @"},
    {"NoDomain", "mailto:user@", no_name("", "it is empty")},
    {"NoLocalPart", "mailto:@x.example", kNoLocal},
    {"Nothing", "mailto:", "refused: it has no @"},
    {"TwoAts", "mailto:a@b@x.example", "refused: it has more than one @"},
    {"EncodedSecondAt", "mailto:a%40b@x.example", "refused: it has more than one @"},
    {"SourceRoute", "mailto:@relay.example:a@x.example", "refused: it has more than one @"},
    {"SourceRouteWithoutItsAt", "mailto:relay.example:a@x.example", kNoLocal},
    {"PercentHack", "mailto:v%25y.example@x.example", "mailto:v%25y.example@x.example"},
    {"BangPath", "mailto:x!y!v@x.example", "mailto:x!y!v@x.example"},
    {"EncodedComma", "mailto:a%2Cb@x.example", kNoLocal},
    {"SecondAddressInTheDomain", "mailto:a@x.example%2Cb@y.example",
     "refused: it has more than one @"},
    {"Semicolon", "mailto:a;b@x.example", kNoLocal},
    {"Group", "mailto:g:a@x.example;", kNoLocal},
    {"AngleBrackets", "mailto:<a@x.example>", kNoLocal},
    {"EncodedAngleBracket", "mailto:a@x.example%3E", bad_character("x.example>")},
    {"DisplayName", "mailto:Bob%20<a@x.example>", kNoLocal},
    {"Comment", "mailto:a(b)@x.example", kNoLocal},
    {"QuotedLocalPart", "mailto:%22a%20b%22@x.example", kNoLocal},
    {"QuotedLocalPartUnencoded", "mailto:\"a\"@x.example", kNoLocal},
    {"Backslash", "mailto:a%5C@x.example", kNoLocal},
    {"EncodedLineEnd", "mailto:a%0D%0A@x.example", kNoLocal},
    {"EncodedLineEndInTheDomain", "mailto:a@x.example%0d%0aRCPT%20TO:x",
     bad_character("x.exampleRCPT TO:x")},
    {"EncodedLineFeed", "mailto:%0AData@x.example", kNoLocal},
    {"EncodedZeroByte", "mailto:a%00@x.example", kNoLocal},
    {"EncodedZeroByteInTheDomain", "mailto:a@x.example%00.evil.example",
     bad_character("x.example.evil.example")},
    {"EncodedDelete", "mailto:a%7f@x.example", kNoLocal},
    {"RawLineEnd", "mailto:a@x.example\r\nRCPT TO:<v@y.example>", kBlanks},
    {"RawZeroByte", std::string("mailto:a\0@x.example", 19), kBlanks},
    {"RawBlank", "mailto:a b@x.example", kBlanks},
    {"EncodedBlank", "mailto:a%20b@x.example", kNoLocal},
    {"EscapeOfOneDigit", "mailto:a%4@x.example", kEscape},
    {"EscapeAtTheEnd", "mailto:a@x.example%", kEscape},
    {"EscapeOfLetters", "mailto:a%zz@x.example", kEscape},
    {"LocalPartInUtf8", "mailto:b\xC3\xBC@x.example", kNoLocal},
    {"LocalPartInEncodedUtf8", "mailto:b%C3%BC@x.example", kNoLocal},
    {"ULabels",
     "mailto:a@b\xC3\xBC"
     "cher.example",
     "mailto:a@xn--bcher-kva.example"},
    {"EncodedULabels", "mailto:a@b%c3%bccher.example", "mailto:a@xn--bcher-kva.example"},
    {"ULabelsInUpperCase",
     "mailto:a@B\xC3\x9C"
     "CHER.example",
     "mailto:a@xn--bcher-kva.example"},
    {"IdeographicFullStop",
     "mailto:a@x\xE3\x80\x82"
     "example",
     "mailto:a@x.example"},
    {"FullwidthAt", "mailto:a\xEF\xBC\xA0x.example", "refused: it has no @"},
    {"BrokenUtf8InTheDomain", "mailto:a@b\xFF.example",
     no_name("b\xEF\xBF\xBD.example", "string encoding error")},
    {"LocalPartOf64", "mailto:" + kLocal64 + "@x.example", "mailto:" + kLocal64 + "@x.example"},
    {"LocalPartOf65", "mailto:" + kLocal64 + "a@x.example", kNoLocal},
    {"AddressOf254", "mailto:" + kLocal64 + "@" + domain_of(189),
     "mailto:" + kLocal64 + "@" + domain_of(189)},
    {"AddressOf255", "mailto:" + kLocal64 + "@" + domain_of(190),
     "refused: it is longer than 254 bytes"},
    {"DomainOf254", "mailto:a@" + domain_of(254),
     no_name(domain_of(254).substr(0, 97) + "…", "it is longer than 253 bytes")},
    {"LabelOf64", "mailto:a@" + kLocal64 + ".example",
     no_name(kLocal64 + ".example", "a label is longer than 63 bytes")},
    {"DotFirst", "mailto:.a@x.example", kNoLocal},
    {"DotLast", "mailto:a.@x.example", kNoLocal},
    {"TwoDots", "mailto:a..b@x.example", kNoLocal},
    {"DashFirst", "mailto:-oQ/tmp@x.example", "mailto:-oQ/tmp@x.example"},
    {"PipeFirst", "mailto:|id@x.example", "mailto:|id@x.example"},
    {"SlashesOfHttps", "mailto://a@x.example", "mailto://a@x.example"},
    {"LabelBeginsWithDash", "mailto:a@-x.example",
     no_name("-x.example", "a label begins or ends with '-'")},
    {"EmptyLabel", "mailto:a@x..example", no_name("x..example", "a label is empty")},
    {"Wildcard", "mailto:a@*.example", bad_character("*.example")},
    {"AddressLiteral", "mailto:a@[192.0.2.1]", bad_character("[192.0.2.1]")},
    {"Ipv6Literal", "mailto:a@[IPv6:::1]", bad_character("[IPv6:::1]")},
    {"BareAddress", "mailto:a@127.0.0.1", "refused: its domain is an address"},
    {"ShortAddress", "mailto:a@127.1", "refused: its domain is an address"},
    {"HexAddress", "mailto:a@127.0x1", "refused: its domain is an address"},
    {"OneLabel", "mailto:a@example", "refused: its domain has only one label"},
    {"Localhost", "mailto:a@localhost", "refused: its domain has only one label"},
    {"LocalhostLocaldomain", "mailto:a@LOCALHOST.", "refused: its domain has only one label"},
    {"UnderLocalhost", "mailto:a@x.localhost", "refused: its domain is under .localhost"},
    {"UnderLocal", "mailto:a@printer.local", "refused: its domain is under .local"},
    {"UnderInternal", "mailto:a@mail.Internal", "refused: its domain is under .internal"},
    {"UnderInvalid", "mailto:a@x.invalid", "refused: its domain is under .invalid"},
    {"UnderArpa", "mailto:a@1.0.0.127.in-addr.arpa", "refused: its domain is under .arpa"},
    {"LocalInTheMiddle", "mailto:a@local.example", "mailto:a@local.example"},
    {"Port", "mailto:a@x.example:25", bad_character("x.example:25")},
    {"Fragment", "mailto:a@x.example#b", bad_character("x.example#b")},
    {"SizeSuffixOfDmarc", "mailto:a@x.example!10m", bad_character("x.example!10m")},
    {"LongerThan2048", "mailto:a@x.example?" + std::string(2048, 'x'),
     "refused: it is longer than 2048 bytes"},
};

const std::string kPath = "https://x.example/" + std::string(2030, 'p');
const std::vector<UriRow> kHttps = {
    {"Plain", "https://x.example/v1", "https://x.example/v1"},
    {"SchemeInUpperCase", "HTTPS://X.Example/V1", "https://x.example/V1"},
    {"NoPath", "https://x.example", "https://x.example/"},
    {"QueryWithoutPath", "https://x.example?k=v", "https://x.example/?k=v"},
    {"EqualsAndQuestionMarks", "https://x.example/a?k=v&l=w=?x", "https://x.example/a?k=v&l=w=?x"},
    {"FragmentDropped", "https://x.example/a#b@c", "https://x.example/a"},
    {"EncodedSpecials", "https://x.example/a%2Cb%3Bc%21", "https://x.example/a%2Cb%3Bc%21"},
    {"EncodedLineEnd", "https://x.example/%0d%0aHost:y", "https://x.example/%0d%0aHost:y"},
    {"RawLineEnd", "https://x.example/\r\nHost: y", kBlanks},
    {"RawZeroByte", std::string("https://x.example/\0", 19), kBlanks},
    {"RawBlank", "https://x.example/a b", kBlanks},
    {"EscapeOfLetters", "https://x.example/%zz", kNoUri},
    {"EscapeAtTheEnd", "https://x.example/%4", kNoUri},
    {"PathInUtf8", "https://x.example/\xC3\xBC", kNoUri},
    {"AngleBrackets", "https://x.example/<a>", kNoUri},
    {"CurlyBrackets", "https://x.example/{a,b}", kNoUri},
    {"Backslash", "https://x.example\\@y.example/", "refused: it carries a user name"},
    {"BackslashInThePath", "https://x.example/\\y", kNoUri},
    {"UserName", "https://u@x.example/", "refused: it carries a user name"},
    {"UserNameAndPassword", "https://u:p@x.example/", "refused: it carries a user name"},
    {"EmptyUserName", "https://@x.example/", "refused: it carries a user name"},
    {"EncodedUserName", "https://u%40x.example/", kNoHost},
    {"AtInThePath", "https://x.example/@y.example", "https://x.example/@y.example"},
    {"NoHost", "https:///v1", "refused: it has no host"},
    {"PortOnly", "https://:443/", "refused: it has no host"},
    {"QueryOnly", "https://?x", "refused: it has no host"},
    {"NoSlashes", "https:x.example/v1", "refused: an https URI begins with https://"},
    {"OneSlash", "https:/x.example/v1", "refused: an https URI begins with https://"},
    {"ThreeSlashes", "https:////x.example", "refused: it has no host"},
    {"Http", "http://x.example/", kScheme},
    {"HttpsWithoutColon", "https//x.example/", kScheme},
    {"Javascript", "javascript:alert(1)", kScheme},
    {"BlankBeforeTheScheme", " https://x.example/", kBlanks},
    {"Port443", "https://x.example:443/a", "https://x.example/a"},
    {"Port0443", "https://x.example:0443/a", "https://x.example/a"},
    {"PortEmpty", "https://x.example:/a", "https://x.example/a"},
    {"Port1024", "https://x.example:1024/", "https://x.example:1024/"},
    {"Port65535", "https://x.example:65535/", "https://x.example:65535/"},
    {"Port25", "https://x.example:25/", kPort},
    {"Port0", "https://x.example:0/", kPort},
    {"Port1023", "https://x.example:1023/", kPort},
    {"Port65536", "https://x.example:65536/", kPort},
    {"PortNegative", "https://x.example:-1/", kPort},
    {"PortSigned", "https://x.example:+8443/", "refused: its port is no number"},
    {"PortOfLetters", "https://x.example:https/", "refused: its port is no number"},
    {"PortTwice", "https://x.example:8443:25/", "refused: its port is no number"},
    {"PortBeyond64Bits", "https://x.example:99999999999999999999/",
     "refused: its port is no number"},
    {"ULabels",
     "https://b\xC3\xBC"
     "cher.example/",
     "https://xn--bcher-kva.example/"},
    {"EncodedHost", "https://%78%2Eexample/", "https://x.example/"},
    {"EncodedSlashInTheHost", "https://x.example%2F.y.example/", kNoHost},
    {"EncodedZeroByteInTheHost", "https://x.example%00.y.example/", kNoHost},
    {"EscapeOfLettersInTheHost", "https://x%zz.example/", kNoHost},
    {"HostOfOneLabel", "https://localhost:8443/", "https://localhost:8443/"},
    {"Underscore", "https://_x.example/", "https://_x.example/"},
    {"LabelOf64", "https://" + std::string(64, 'a') + ".example/", kNoHost},
    {"Loopback", "https://127.0.0.1/", "https://127.0.0.1/ (127.0.0.1 is not globally reachable)"},
    {"Metadata", "https://169.254.169.254/latest/",
     "https://169.254.169.254/latest/ (169.254.169.254 is not globally reachable)"},
    {"PublicAddress", "https://9.9.9.9:8443/", "https://9.9.9.9:8443/ (allowed)"},
    {"AddressWithDotAtTheEnd", "https://127.0.0.1./",
     "https://127.0.0.1/ (127.0.0.1 is not globally reachable)"},
    {"FullwidthAddress",
     "https://\xEF\xBC\x91"
     "27.0.0.1/",
     "https://127.0.0.1/ (127.0.0.1 is not globally reachable)"},
    {"EncodedAddress", "https://%3127.0.0.1/",
     "https://127.0.0.1/ (127.0.0.1 is not globally reachable)"},
    {"MappedLoopback", "https://[::ffff:127.0.0.1]/",
     "https://127.0.0.1/ (127.0.0.1 is not globally reachable)"},
    {"MappedLoopbackInHex", "https://[::FFFF:7F00:1]:8443/",
     "https://127.0.0.1:8443/ (127.0.0.1 is not globally reachable)"},
    {"CompatibleLoopback", "https://[::127.0.0.1]/",
     "https://[::7f00:1]/ (::7f00:1 is not globally reachable)"},
    {"Nat64Private", "https://[64:ff9b::10.0.0.1]/",
     "https://[64:ff9b::a00:1]/ (64:ff9b::a00:1 is not globally reachable)"},
    {"SixToFourPrivate", "https://[2002:a00:1::]/",
     "https://[2002:a00:1::]/ (2002:a00:1:: is not globally reachable)"},
    {"Ipv6Loopback", "https://[::1]/", "https://[::1]/ (::1 is not globally reachable)"},
    {"Ipv6Public", "https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/ (allowed)"},
    {"Ipv6WithZone", "https://[fe80::1%25eth0]/", kNoHost},
    {"Ipv6WithRawZone", "https://[fe80::1%eth0]/", kNoHost},
    {"Ipv6WithoutBrackets", "https://::1/", "refused: it has no host"},
    {"BracketOpen", "https://[::1/", "refused: it has no host"},
    {"BracketsEmpty", "https://[]/", kNoHost},
    {"TextBehindBrackets", "https://[::1]x/", "refused: it has no host"},
    {"FutureLiteral", "https://[v1.x]/", kNoHost},
    {"Ipv4InBrackets", "https://[127.0.0.1]/", kNoHost},
    {"ShortAddress", "https://127.1/", kNoHost},
    {"AddressOfOneNumber", "https://2130706433/", kNoHost},
    {"HexAddress", "https://0x7f000001/", kNoHost},
    {"HexAddressInParts", "https://127.0.0.0x1/", kNoHost},
    {"OctalAddress", "https://0177.0.0.1/", kNoHost},
    {"AddressOfFiveNumbers", "https://1.2.3.4.5/", kNoHost},
    {"Of2048Bytes", kPath, kPath},
    {"LongerThan2048", kPath + "p", "refused: it is longer than 2048 bytes"},
    {"LongerThan2048InALabels",
     "https://b\xC3\xBC"
     "cher.example/" +
         std::string(2024, 'p'),
     "refused: it is longer than 2048 bytes"},
};

}  // namespace

std::vector<UriRow> mailto_rows() {
  return kMailto;
}

std::vector<UriRow> https_rows() {
  return kHttps;
}

}  // namespace rapporteur::hostile
