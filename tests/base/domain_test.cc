#include "base/domain.h"

#include <string>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

const std::string label63(63, 'a');

struct Accepted {
  const char* name;
  std::string input;
  std::string want;
};
class AcceptedDomain : public testing::TestWithParam<Accepted> {};

TEST_P(AcceptedDomain, BecomesALabels) {
  const auto domain = normalise_domain(GetParam().input);
  ASSERT_TRUE(domain) << domain.error().text;
  EXPECT_EQ(*domain, GetParam().want);
  EXPECT_EQ(*normalise_domain(*domain), *domain);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc5890, AcceptedDomain,
    testing::Values(Accepted{"Plain", "example.com", "example.com"},
                    Accepted{"Case", "Mail.EXAMPLE.Com", "mail.example.com"},
                    Accepted{"TrailingDot", "example.com.", "example.com"},
                    Accepted{"SingleLabel", "localhost", "localhost"},
                    Accepted{"Underscore", "_dmarc._x.example", "_dmarc._x.example"},
                    Accepted{"Digits", "3com.example", "3com.example"},
                    Accepted{"Address", "192.0.2.1", "192.0.2.1"},
                    Accepted{"ALabel", "XN--Bcher-KVA.example", "xn--bcher-kva.example"},
                    Accepted{"ULabel", "Bücher.Example.", "xn--bcher-kva.example"},
                    Accepted{"DecomposedULabel",
                             "Bu\xCC\x88"
                             "cher.example",
                             "xn--bcher-kva.example"},
                    Accepted{"SharpS", "straße.example", "xn--strae-oqa.example"},
                    Accepted{"IdeographicDots", "例え。テスト。", "xn--r8jz45g.xn--zckzah"},
                    Accepted{"FullWidth", "ｅｘａｍｐｌｅ.com", "example.com"},
                    Accepted{"Mixed", "mx.BÜCHER.example", "mx.xn--bcher-kva.example"},
                    Accepted{"LongestLabel", label63 + ".example", label63 + ".example"},
                    Accepted{"LongestName",
                             label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b'),
                             label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b')},
                    Accepted{
                        "LongestNameAndDot",
                        label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b') + ".",
                        label63 + "." + label63 + "." + label63 + "." + std::string(61, 'b')}),
    [](const auto& test) { return test.param.name; });

struct Refused {
  const char* name;
  std::string input;
  std::string want;
};
class RefusedDomain : public testing::TestWithParam<Refused> {};

TEST_P(RefusedDomain, SaysWhy) {
  const auto domain = normalise_domain(GetParam().input);
  ASSERT_FALSE(domain) << *domain;
  EXPECT_EQ(domain.error().fault, Fault::kInput);
  EXPECT_EQ(domain.error().text, GetParam().want);
}

using namespace std::string_literals;

INSTANTIATE_TEST_SUITE_P(
    Rfc1035, RefusedDomain,
    testing::Values(
        Refused{"Empty", "", "'' is no host name: it is empty"},
        Refused{"DotAlone", ".", "'.' is no host name: it is empty"},
        Refused{"LeadingDot", ".a.example", "'.a.example' is no host name: a label is empty"},
        Refused{"TwoDots", "a..example", "'a..example' is no host name: a label is empty"},
        Refused{"TwoTrailingDots", "a.example..",
                "'a.example..' is no host name: a label is empty"},
        Refused{"LeadingHyphen", "-a.example",
                "'-a.example' is no host name: a label begins or ends with '-'"},
        Refused{"TrailingHyphen", "a-.example",
                "'a-.example' is no host name: a label begins or ends with '-'"},
        Refused{"Space", "a b.example",
                "'a b.example' is no host name: it holds a character that none has"},
        Refused{"At", "a@b.example",
                "'a@b.example' is no host name: it holds a character that none has"},
        Refused{"Wildcard", "*.example",
                "'*.example' is no host name: it holds a character that none has"},
        Refused{"Slash", "a/../b", "'a/../b' is no host name: it holds a character that none has"},
        Refused{"LineEnd", "a.example\r\nX: y",
                "'a.exampleX: y' is no host name: it holds a character that none has"},
        Refused{"ZeroByte", "a\0b.example"s,
                "'ab.example' is no host name: it holds a character that none has"},
        Refused{"ZeroByteAndULabel", "\0ü.example"s,
                "'ü.example' is no host name: it holds a zero byte"},
        Refused{"LongLabel", std::string(64, 'a') + ".example",
                "'" + std::string(64, 'a') +
                    ".example' is no host name: a label is longer than 63 bytes"},
        Refused{"LongName", label63 + "." + label63 + "." + label63 + "." + std::string(62, 'b'),
                "'" + label63 + "." + std::string(33, 'a') +
                    "…' is no host name: it is longer than 253 bytes"},
        Refused{"HugeName", std::string(1 << 20, 'a'),
                "'" + std::string(97, 'a') + "…' is no host name: it is longer than 253 bytes"}),
    [](const auto& test) { return test.param.name; });

TEST(Domain, RefusesWhatLibidn2Refuses) {
  EXPECT_FALSE(normalise_domain("\xFF\xFE.example"));
  EXPECT_FALSE(normalise_domain("a\u200Bé.example\u0378"));
  EXPECT_FALSE(normalise_domain("é／b.example"));
}

TEST(MxPattern, MayBeginWithAWildcard) {
  EXPECT_EQ(*normalise_mx_pattern("*.Bücher.Example."), "*.xn--bcher-kva.example");
  EXPECT_EQ(*normalise_mx_pattern("MX.example"), "mx.example");
  for (const auto* text :
       {"*", "*.", "*.*.example", "mx.*.example", "m*.example", ".example", ""}) {
    EXPECT_FALSE(normalise_mx_pattern(text)) << text;
  }
}

TEST(DomainOfAddress, StandsBehindTheLastAt) {
  EXPECT_EQ(domain_of_address("a@example.org"), "example.org");
  EXPECT_EQ(domain_of_address("\"a@b\"@example.org"), "example.org");
  EXPECT_EQ(domain_of_address("a@"), "");
  EXPECT_EQ(domain_of_address("example.org"), "");
}

TEST(SameOrBelow, ComparesWholeLabels) {
  EXPECT_TRUE(is_same_or_below("example.org", "example.org"));
  EXPECT_TRUE(is_same_or_below("a.b.example.org", "example.org"));
  EXPECT_FALSE(is_same_or_below("badexample.org", "example.org"));
  EXPECT_FALSE(is_same_or_below("example.org", "a.example.org"));
  EXPECT_FALSE(is_same_or_below("example.org", ""));
}

}  // namespace
}  // namespace rapporteur
