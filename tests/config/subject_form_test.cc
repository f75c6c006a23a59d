#include "config/subject_form.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "config/config_fixture.h"
#include "config/settings.h"

namespace rapporteur {
namespace {

TEST(ReportSubject, IsOfTheFormOfRfc8460Section53) {
  const std::map<std::string, bool> table = {
      {"Report Domain: example.net Submitter: mail.sender.example.com Report-ID: "
       "<735ff.e317+bf22029@mailexample.net>",
       true},
      {"Report  Domain:   example.net  Submitter:  a.example  Report-ID:  <a@b>", true},
      {"Report Domain: Example.NET Submitter: xn--bcher-kva.example Report-ID: <a@[192.0.2.1]>",
       true},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b> (part 1 of 2)", true},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b>(a (b) \\) c) (d) ", true},
      {"", false},
      {"TLS Aggregate Report", false},
      {"report domain: a.example Submitter: b.example Report-ID: <a@b>", false},
      {" Report Domain: a.example Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain:a.example Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain: a Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain: a.example. Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain: bücher.example Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain:  Submitter: b.example Report-ID: <a@b>", false},
      {"Report Domain: a.example Submitter: Report-ID: <a@b>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: a@b", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b c>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <.a@b>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <@b>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@[b c]>", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b> part 1", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b> (part 1", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b> part 1)", false},
      {"Report Domain: a.example Submitter: b.example Report-ID: <a@b> (\\", false}};
  for (const auto& [text, want] : table) EXPECT_EQ(is_report_subject(text), want) << text;
}

// "fine", or the sample that is not of the form.
std::string judged(const std::string& source) {
  auto lookups = std::make_shared<expr::Lookups>();
  lookups->by_name["names"] = {{"a.example", "x"}};
  const auto schema = schema_for(Setting::kSubject, {{"domain", "example.org"}}, lookups);
  const auto compiled = expr::compile(source, schema);
  if (!compiled.program) {
    ADD_FAILURE() << source;
    return {};
  }
  return stray_subject(*compiled.program, "a.example").value_or("fine");
}

TEST(StraySubject, IsFoundBySamples) {
  const std::string good =
      "'Report Domain: ' + rcpt_domain + ' Submitter: ' + submitter + ' Report-ID: <' + report_id "
      "+ '>'";
  EXPECT_EQ(judged(good), "fine");
  EXPECT_EQ(judged(good + " + ' (' + part + '/' + parts + ')'"), "fine");
  EXPECT_EQ(judged("'TLS report of ' + rcpt_domain"), "TLS report of a.example");
  EXPECT_EQ(judged("'TLS Aggregate Report'"), "TLS Aggregate Report");
  EXPECT_EQ(judged(good + " + if_then(parts > 1, ' ' + part, '')"),
            "Report Domain: a.example Submitter: example.org Report-ID: "
            "<20260101.2@example.org> 2");
}

TEST(StraySubject, IsNotSoughtWhereSamplesProveNothing) {
  EXPECT_EQ(judged("'Report ' + $1"), "fine");
  EXPECT_EQ(judged("key_get('names', rcpt_domain)"), "fine");
  EXPECT_EQ(judged("'a' + 1 / (part - parts)"), "fine");
  EXPECT_EQ(judged("'a' + dns_query(rcpt_domain, 'txt')"), "fine");
  EXPECT_EQ(judged("rua[0] + '\n'"), "fine");
}

}  // namespace
}  // namespace rapporteur
