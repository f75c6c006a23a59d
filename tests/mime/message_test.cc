#include "mime/message.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/text.h"

namespace rapporteur {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

ReportMail mail() {
  ReportMail mail;
  mail.from_name = "Report Subsystem";
  mail.from_address = "noreply-tls@example.net";
  mail.to = "reports@example.org";
  mail.subject =
      "Report Domain: example.org Submitter: example.net Report-ID: "
      "<1.example.org.1.t@example.net>";
  mail.message_id = "1.example.org.1.t.d7@example.net";
  mail.report_domain = "example.org";
  mail.submitter = "example.net";
  mail.summary_text = "This is a report.\n\n  Indented.\n";
  mail.file_name = "example.net!example.org!1795132800!1795219199!001t.json.gz";
  for (int i = 0; i < 300; ++i) mail.gz += static_cast<char>(i * 37);
  mail.date = *parse_time("2026-11-21T01:02:03Z");
  mail.boundary = boundary_for("1.example.org.1.t@example.net");
  return mail;
}

void expect_seven_bit_lines(const Message& message) {
  const auto text = message.text();
  EXPECT_TRUE(std::ranges::all_of(
      text, [](char c) { return c == '\r' || c == '\n' || c == '\t' || (c >= ' ' && c <= '~'); }));
  const auto lines = split(text, '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    ASSERT_TRUE(lines[i].ends_with('\r')) << lines[i];
    EXPECT_EQ(lines[i].find('\r'), lines[i].size() - 1) << lines[i];
    EXPECT_LE(lines[i].size() - 1, 998U) << lines[i];
  }
  EXPECT_EQ(lines.back(), "");
}

// "Name: value" of every field, unfolded.
std::vector<std::string> fields_of(const std::string& header) {
  std::vector<std::string> fields;
  for (const auto line : split(header, '\n')) {
    const auto text = line.substr(0, line.find('\r'));
    if (text.empty()) continue;
    if (text.front() == ' ' || text.front() == '\t') {
      fields.back().append(text);
    } else {
      fields.emplace_back(text);
    }
  }
  return fields;
}

std::string field(const Message& message, std::string_view name) {
  for (const auto& text : fields_of(message.header)) {
    if (text.starts_with(std::string(name) + ": ")) return text.substr(name.size() + 2);
  }
  return "absent";
}

TEST(ReportMessage, IsTheMultipartReportOfRfc8460) {
  const auto boundary = boundary_for("1.example.org.1.t@example.net");
  const auto message = make_message(mail());
  EXPECT_EQ(message.header,
            "From: Report Subsystem <noreply-tls@example.net>\r\n"
            "To: reports@example.org\r\n"
            "Subject: Report Domain: example.org Submitter: example.net Report-ID:\r\n"
            " <1.example.org.1.t@example.net>\r\n"
            "Date: Sat, 21 Nov 2026 01:02:03 +0000\r\n"
            "Message-ID: <1.example.org.1.t.d7@example.net>\r\n"
            "TLS-Report-Domain: example.org\r\n"
            "TLS-Report-Submitter: example.net\r\n"
            "TLS-Required: No\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
            " boundary=\"" +
                boundary + "\"\r\n");
  const auto body = base64(mail().gz);
  std::string lines;
  for (std::size_t i = 0; i < body.size(); i += 76) lines += body.substr(i, 76) + "\r\n";
  EXPECT_EQ(message.body,
            "--" + boundary +
                "\r\n"
                "Content-Type: text/plain; charset=us-ascii\r\n"
                "Content-Transfer-Encoding: 7bit\r\n"
                "\r\n"
                "This is a report.\r\n\r\n  Indented.\r\n"
                "\r\n--" +
                boundary +
                "\r\n"
                "Content-Type: application/tlsrpt+gzip\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment;\r\n"
                " filename=\"example.net!example.org!1795132800!1795219199!001t.json.gz\"\r\n"
                "\r\n" +
                lines + "\r\n--" + boundary + "--\r\n");
  EXPECT_EQ(message.text(), message.header + "\r\n" + message.body);
}

TEST(ReportMessage, KeepsLongDomainsOnOneLine) {
  const std::string domain = std::string(52, 'd') + ".example";
  const std::string submitter = std::string(52, 's') + ".example";
  auto long_mail = mail();
  const auto id = "20261120T000000Z-20261121T000000Z." + domain + ".1.abcd1234@" + submitter;
  long_mail.subject =
      "Report Domain: " + domain + " Submitter: " + submitter + " Report-ID: <" + id + ">";
  long_mail.message_id = id;
  long_mail.report_domain = domain;
  long_mail.submitter = submitter;
  long_mail.file_name = submitter + "!" + domain + "!1795132800!1795219199!001abcd1234.json.gz";
  const auto message = make_message(long_mail);
  expect_seven_bit_lines(message);
  EXPECT_EQ(field(message, "Subject"), long_mail.subject);
  EXPECT_EQ(field(message, "TLS-Report-Submitter"), submitter);
  EXPECT_THAT(message.body, HasSubstr(" filename=\"" + long_mail.file_name + "\"\r\n"));
  EXPECT_THAT(message.text(), Not(HasSubstr("filename*")));
  EXPECT_THAT(message.text(), Not(HasSubstr("=?")));
}

TEST(ReportMessage, KeepsTheLongestDomainsWithinTheLineLimit) {
  const std::string domain = std::string(245, 'd') + ".example";
  auto long_mail = mail();
  long_mail.subject = "Report Domain: " + domain + " Report-ID: <" + domain + "@" + domain + ">";
  long_mail.message_id = domain + "@" + domain;
  long_mail.report_domain = domain;
  long_mail.file_name = domain + "!" + domain + "!1795132800!1795219199!001abcd1234.json.gz";
  const auto message = make_message(long_mail);
  expect_seven_bit_lines(message);
  EXPECT_EQ(field(message, "Subject"), long_mail.subject);
  EXPECT_THAT(message.body, HasSubstr(" filename=\"" + long_mail.file_name + "\"\r\n"));
}

struct NameCase {
  const char* name;
  const char* input;
  const char* want;
};
class DisplayName : public testing::TestWithParam<NameCase> {};

TEST_P(DisplayName, IsWrittenAsRfc5322And2047Demand) {
  auto named = mail();
  named.from_name = GetParam().input;
  const auto message = make_message(named);
  EXPECT_EQ(field(message, "From"), GetParam().want);
  expect_seven_bit_lines(message);
}

INSTANTIATE_TEST_SUITE_P(
    From, DisplayName,
    testing::Values(
        NameCase{"Atoms", "TLS Reports", "TLS Reports <noreply-tls@example.net>"},
        NameCase{"Absent", "", "noreply-tls@example.net"},
        NameCase{"Quoted", "Example, Inc. \"TLS\"",
                 "\"Example, Inc. \\\"TLS\\\"\" <noreply-tls@example.net>"},
        NameCase{"Encoded", "Größe", "=?UTF-8?B?R3LDtsOfZQ==?= <noreply-tls@example.net>"},
        NameCase{"LooksEncoded", "=?x?=", "=?UTF-8?B?PT94Pz0=?= <noreply-tls@example.net>"},
        NameCase{"Injection", "a\r\nBcc: victim@example.com\r\n\r\nbody",
                 "\"aBcc: victim@example.combody\" <noreply-tls@example.net>"}),
    [](const auto& test) { return test.param.name; });

TEST(ReportMessage, EncodesASubjectThatIsNotAsciiInShortWords) {
  auto foreign = mail();
  foreign.subject.clear();
  for (int i = 0; i < 100; ++i) foreign.subject += "Größe";
  const auto message = make_message(foreign);
  expect_seven_bit_lines(message);
  const auto encoded = field(message, "Subject");
  for (const auto word : split(encoded, ' ')) {
    EXPECT_THAT(std::string(word), StartsWith("=?UTF-8?B?"));
    EXPECT_LE(word.size(), 75U);
  }
}

TEST(ReportMessage, EncodesASubjectWordThatNoLineCanHold) {
  auto endless = mail();
  endless.subject = std::string(5000, 'x');
  const auto message = make_message(endless);
  expect_seven_bit_lines(message);
  EXPECT_THAT(field(message, "Subject"), StartsWith("=?UTF-8?B?"));
}

TEST(ReportMessage, LetsNoTextLeaveItsField) {
  const std::string attack =
      std::string("x\r\nX-Injected: 1\r\n\r\nbody\nmore\rX\0\x1b\x7f\xc2\x85", 36);
  const auto plain = fields_of(make_message(mail()).header);
  using Text = std::string ReportMail::*;
  for (const Text text :
       {&ReportMail::from_name, &ReportMail::from_address, &ReportMail::to, &ReportMail::subject,
        &ReportMail::message_id, &ReportMail::report_domain, &ReportMail::submitter,
        &ReportMail::summary_text, &ReportMail::file_name, &ReportMail::boundary}) {
    auto attacked = mail();
    attacked.*text += attack;
    const auto message = make_message(attacked);
    expect_seven_bit_lines(message);
    const auto fields = fields_of(message.header);
    ASSERT_EQ(fields.size(), plain.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(fields[i].substr(0, fields[i].find(':')), plain[i].substr(0, plain[i].find(':')));
    }
    if (text != &ReportMail::summary_text) {
      EXPECT_THAT(message.text(), Not(HasSubstr("\r\nX-Injected")));
    }
  }
}

TEST(ReportMessage, MakesLongAndForeignSummariesFitForMail) {
  auto odd = mail();
  odd.summary_text = "é" + std::string(3000, 'x') + "\r\nno line end";
  const auto message = make_message(odd);
  expect_seven_bit_lines(message);
  EXPECT_THAT(message.body, HasSubstr("?xxx"));
  EXPECT_THAT(message.body, HasSubstr("\r\nno line end\r\n"));
}

TEST(ReportMessage, IsTheSameFromEveryThread) {
  const auto want = make_message(mail()).text();
  std::vector<int> equal(4, 0);
  {
    std::vector<std::jthread> threads;
    for (auto& count : equal) {
      threads.emplace_back([&count, &want] {
        for (int i = 0; i < 50; ++i) count += make_message(mail()).text() == want ? 1 : 0;
      });
    }
  }
  EXPECT_THAT(equal, testing::Each(50));
}

TEST(MailSize, IsExactForEverySizeOfGzip) {
  auto measured = mail();
  const MailSize size(measured, 0);
  for (std::size_t bytes = 0; bytes < 400; ++bytes) {
    measured.gz.assign(bytes, 'z');
    EXPECT_EQ(size.with(bytes), make_message(measured).text().size()) << bytes;
  }
  measured.gz.assign(100'003, 'z');
  EXPECT_EQ(size.with(100'003), make_message(measured).text().size());
}

TEST(MailSize, CountsTheSignatures) {
  EXPECT_EQ(MailSize(mail(), 700).with(10), MailSize(mail(), 0).with(10) + 700);
}

TEST(Boundary, IsTheSameForAReportAndDifferentForAnother) {
  EXPECT_EQ(boundary_for("a@b"), boundary_for("a@b"));
  EXPECT_NE(boundary_for("a@b"), boundary_for("a@c"));
  EXPECT_LE(boundary_for("a@b").size(), 70U);
}

}  // namespace
}  // namespace rapporteur
