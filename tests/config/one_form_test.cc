// The quick checks accept only what the slow ways give back unchanged.

#include "config/one_form.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/domain.h"
#include "base/text.h"
#include "config/address.h"
#include "config/settings.h"

namespace rapporteur {
namespace {

std::string shown(const std::string& text) {
  return testing::PrintToString(text);
}

const std::string kLabel63(63, 'a');
const std::string kDomain253 =
    kLabel63 + "." + kLabel63 + "." + kLabel63 + "." + std::string(61, 'b');

// Texts at the edges of every form.
std::vector<std::string> table() {
  return {"",
          ".",
          "a",
          "a.b",
          "a..b",
          ".a",
          "a.",
          "a.b.",
          "A.b",
          "a_b.example",
          "-a.b",
          "a-.b",
          "a-b.c-d",
          "xn--bcher-kva.example",
          "bücher.example",
          "a b.example",
          "192.0.2.1",
          "*.example.org",
          kLabel63,
          "a" + kLabel63,
          kDomain253,
          "b" + kDomain253,
          "a@b.example",
          "a@b",
          "a@B.example",
          "a@b.example.",
          "a@bücher.example",
          "A.b+c@b.example",
          ".a@b.example",
          "a.@b.example",
          "a..b@b.example",
          "@b.example",
          "a@",
          "a@b@c.example",
          "\"a\"@b.example",
          "ü@b.example",
          std::string(64, 'l') + "@b.example",
          std::string(65, 'l') + "@b.example",
          std::string(64, 'l') + "@" + kDomain253.substr(64),
          std::string(64, 'l') + "@" + kDomain253.substr(63),
          "plain text",
          "tab\there",
          "line\nbreak",
          std::string("zero\0byte", 9),
          "\x7F",
          "\xC2\x80",
          "\xC2\x9F",
          "\xC2\xA0",
          "\xC3\xBC",
          "\xC2",
          "\xFF",
          "日本語 😀",
          "\xED\xA0\x80",
          "mailto:a@b.example",
          "MAILTO:",
          "https://a.example/",
          "http://a.example/",
          "https:\n",
          "mailto:\xC3\xBC",
          "mailto:\xC3"};
}

// Short texts of what decides: half of them of pieces that names and addresses are made of, so that
// many are right or nearly so. The seed is fixed.
std::vector<std::string> random_texts() {
  const std::vector<std::string> good = {"a", "b9", "-", "_", ".", ".", "@", "xn--", "ex", "ample"};
  const std::vector<std::string> any = {"A",       " ",        "\xC3\xBC", "\xC2", "\x80",
                                        "mailto:", "https:",   "\n",       "+",    "\"",
                                        "\x7F",    "\xC2\xA0", "a",        ".",    "@"};
  std::mt19937 random(8460);
  std::vector<std::string> texts;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto size = random() % 9; size > 0; --size) {
      const auto& pieces = i % 2 == 0 || random() % 4 > 0 ? good : any;
      text += pieces[random() % pieces.size()];
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<std::string> all_texts() {
  auto texts = table();
  const auto more = random_texts();
  texts.insert(texts.end(), more.begin(), more.end());
  return texts;
}

TEST(OneForm, OfDomainsIsWhatNormalisingGives) {
  std::size_t normal = 0;
  for (const auto& text : all_texts()) {
    const auto domain = normalise_domain(text);
    EXPECT_EQ(is_normal_domain(text), domain && *domain == text) << shown(text);
    if (is_normal_domain(text)) ++normal;
  }
  EXPECT_GT(normal, 1000U);
}

TEST(OneForm, OfAddressesIsWhatNormalisingGives) {
  std::size_t normal = 0;
  for (const auto& text : all_texts()) {
    const auto address = normalise_address(text);
    EXPECT_EQ(is_normal_address(text), address && *address == text) << shown(text);
    if (is_normal_address(text)) ++normal;
  }
  EXPECT_GT(normal, 50U);
}

TEST(OneForm, OfTextsIsUtf8WithoutControls) {
  for (const auto& text : all_texts()) {
    EXPECT_EQ(is_one_line(text), is_valid_utf8(text) && without_controls(text) == text)
        << shown(text);
    const bool scheme =
        starts_with_ignoring_case(text, "mailto:") || starts_with_ignoring_case(text, "https:");
    EXPECT_TRUE(!is_report_uri(text) || (scheme && is_one_line(text))) << shown(text);
  }
}

TEST(OneForm, OfReportUrisHasAnAddressOrAHost) {
  for (const char* good :
       {"mailto:a@b.example", "MAILTO:a@B.example?subject=x", "mailto:a%21b@c.example",
        "https://a.example", "https://a.example:8443/x?y", "https://[2001:db8::1]/x",
        "https://127.0.0.1:4430/",
        "https://b\xC3\xBC"
        "cher.example/"}) {
    EXPECT_TRUE(is_report_uri(good)) << good;
  }
  for (const char* bad : {"mailto:", "mailto:x", "mailto:a@b.example,mailto:c@d.example", "https:",
                          "https://", "https:///", "https://a b/", "https://x.example/a b",
                          "ftp://a.example", "http://a.example", "https:a.example"}) {
    EXPECT_FALSE(is_report_uri(bad)) << bad;
  }
}

// A value that conform() takes comes back the same when it is conformed again, and what has its one
// form is not copied.
TEST(OneForm, IsKeptByConform) {
  for (const auto setting : kSettings) {
    for (const auto& text : all_texts()) {
      auto once = conform(setting, text);
      if (!once.value) continue;
      const auto twice = conform(setting, *once.value);
      ASSERT_TRUE(twice.value) << to_string(setting) << " " << shown(text);
      EXPECT_EQ(*twice.value, *once.value) << to_string(setting) << " " << shown(text);
    }
  }
}

TEST(OneForm, IsMovedThroughConform) {
  const std::string address = "a-local-part-that-needs-the-heap@b.example";
  expr::Value value = address;
  const auto* before = std::get<std::string>(value).data();
  const auto conformed = conform(Setting::kFromAddress, std::move(value));
  ASSERT_TRUE(conformed.value);
  EXPECT_EQ(std::get<std::string>(*conformed.value), address);
  EXPECT_EQ(std::get<std::string>(*conformed.value).data(), before);

  expr::Value uris = expr::Array{expr::Value("mailto:" + address)};
  const auto* first = std::get<expr::Array>(uris).data();
  const auto list = conform(Setting::kReportTo, std::move(uris));
  ASSERT_TRUE(list.value);
  EXPECT_EQ(std::get<expr::Array>(*list.value).data(), first);
}

}  // namespace
}  // namespace rapporteur
