#include "received/mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "report/gzip.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kJson = R"({"report-id":"1","policies":[]})";
const std::string kHeader =
    "From: Reports <noreply@b.example>\nTLS-Report-Domain: a.example\n"
    "TLS-Report-Submitter: B.example\nMessage-ID: <1@b.example>\n"
    "Received: from x by mx.a.example; Fri, 20 Nov 2026 03:04:05 +0100\n"
    "Received: from y by x; Fri, 20 Nov 2026 01:00:00 +0000\nDate: Thu, 19 Nov 2026 00:00:00 GMT\n";

std::string part(const std::string& type, const std::string& body, const std::string& more = "") {
  return "--b\nContent-Type: " + type + "\n" + more + "\n" + body + "\n";
}

std::string packed(const std::string& type, const std::string& more = "") {
  return part(type, base64(gzip(kJson)), "Content-Transfer-Encoding: base64\n" + more);
}

std::string multipart(const std::string& parts) {
  return kHeader + "Content-Type: multipart/report; report-type=tlsrpt; boundary=b\n\n" + parts +
         "--b--\n";
}

MailedReport read(const std::string& message, const MailLimits& limits = {}) {
  auto mail = read_report_mail(message, limits);
  if (mail) return *std::move(mail);
  ADD_FAILURE() << mail.error().text;
  return {};
}

std::string refusal(const std::string& message, const MailLimits& limits = {}) {
  const auto mail = read_report_mail(message, limits);
  return mail ? "it was read" : mail.error().text;
}

TEST(ReportMail, ItsHeaderIsRead) {
  const auto mail = read(multipart(packed("application/tlsrpt+gzip")));
  EXPECT_EQ(mail.from_domain, "b.example");
  EXPECT_EQ(mail.report_domain, "a.example");
  EXPECT_EQ(mail.submitter, "b.example");
  EXPECT_EQ(mail.message_id, "1@b.example");
  EXPECT_EQ(mail.arrived, parse_time("2026-11-20T02:04:05Z"));
}

TEST(ReportMail, ItsReportIsFoundByItsMediaType) {
  const auto mail = read(
      multipart(part("text/plain", "a summary") +
                packed("application/tlsrpt+gzip",
                       "Content-Disposition: attachment;\n filename=\"b!a!1!2!001.json.gz\"\n")));
  ASSERT_THAT(mail.attachments, SizeIs(1));
  EXPECT_EQ(mail.attachments.front().bytes, gzip(kJson));
  EXPECT_EQ(mail.attachments.front().file_name, "b!a!1!2!001.json.gz");
  EXPECT_TRUE(mail.attachments.front().typed);
}

TEST(ReportMail, AnythingThatMayHoldAReportIsTakenIfItLooksLikeOne) {
  for (const auto* type : {"application/gzip", "application/json", "application/octet-stream",
                           "application/x-gzip", "text/plain"}) {
    const auto mail = read(multipart(part("text/html", "<p>hello</p>") + packed(type)));
    ASSERT_THAT(mail.attachments, SizeIs(1)) << type;
    EXPECT_THAT(mail.oddities, Contains(HasSubstr("no media type of RFC 8460")));
  }
  const auto named = read(multipart(packed(
      "application/x-unknown", "Content-Disposition: attachment; filename*=utf-8''a%2Ejson.gz\n")));
  EXPECT_THAT(named.attachments, SizeIs(1));
  EXPECT_EQ(named.attachments.front().file_name, "a.json.gz");
}

TEST(ReportMail, TheLikeliestPartWins) {
  const auto mail =
      read(multipart(part("application/json", "{\"other\":1}") + packed("application/tlsrpt+gzip") +
                     part("text/plain", "{\"text\":1}")));
  ASSERT_THAT(mail.attachments, SizeIs(1));
  EXPECT_EQ(mail.attachments.front().bytes, gzip(kJson));
}

TEST(ReportMail, ASinglePartIsEnough) {
  const auto mail = read(kHeader + "Content-Type: application/tlsrpt+json\n\n" + kJson);
  EXPECT_THAT(mail.attachments, SizeIs(1));
  EXPECT_THAT(read(kHeader + "\n" + kJson).attachments, SizeIs(1));
}

TEST(ReportMail, AForwardedMessageIsSearched) {
  const auto inner = multipart(packed("application/tlsrpt+gzip"));
  const auto mail = read(
      "From: me@c.example\nContent-Type: multipart/mixed; boundary=outer\n\n"
      "--outer\nContent-Type: message/rfc822\n\n" +
      inner + "\n--outer--\n");
  EXPECT_THAT(mail.attachments, SizeIs(1));
  EXPECT_EQ(mail.from_domain, "c.example");
  EXPECT_THAT(mail.oddities, Contains("the report stands in a forwarded message"));
}

TEST(ReportMail, SeveralReportsAreTakenUpToALimit) {
  std::string parts;
  for (int i = 0; i < 15; ++i) parts += packed("application/tlsrpt+gzip");
  const auto mail = read(multipart(parts));
  EXPECT_THAT(mail.attachments, SizeIs(10));
  EXPECT_THAT(mail.oddities, Contains(HasSubstr("more than 10 attachments")));
}

TEST(ReportMail, FromMustNameOneDomain) {
  const auto from = [](const std::string& field) {
    return read(field + "\nContent-Type: application/tlsrpt+json\n\n" + kJson).from_domain;
  };
  EXPECT_EQ(from("From: a@b.example"), "b.example");
  EXPECT_EQ(from("From: \"x <y@evil.example>\" <a@b.example> (z@c.example)"), "b.example");
  EXPECT_EQ(from("From: a@b.example, c@d.example"), "");
  EXPECT_EQ(from("From: a@b.example\nFrom: c@d.example"), "");
  EXPECT_EQ(from("Subject: none"), "");
}

TEST(ReportMail, WithoutAReportItIsRefused) {
  EXPECT_THAT(refusal(""), HasSubstr("no TLS report is in the message"));
  EXPECT_THAT(refusal("Subject: hello\n\nhow are you"), HasSubstr("which has 1 part"));
  EXPECT_THAT(refusal(multipart(part("text/plain", "x") + part("image/png", "{}"))),
              HasSubstr("which has 3 parts"));
}

TEST(ReportMail, DepthAndPartsAreBounded) {
  std::string deep = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 5000; ++i) deep += "--b\nContent-Type: multipart/mixed; boundary=b\n\n";
  EXPECT_THAT(refusal(deep), HasSubstr("no TLS report"));
  std::string forwarded;
  for (int i = 0; i < 5000; ++i) forwarded += "Content-Type: message/rfc822\n\n";
  EXPECT_THAT(refusal(forwarded), HasSubstr("nested too deeply"));
  std::string many;
  for (int i = 0; i < 5000; ++i) many += part("text/html", "x");
  EXPECT_THAT(refusal(multipart(many)), HasSubstr("no TLS report"));
}

TEST(ReportFileName, IsTakenApart) {
  const auto name = parse_file_name("b.example!A.Example!1795132800!1795219199!001.json.gz");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->policy_domain, "a.example");
  EXPECT_EQ(name->begin, parse_time("2026-11-20T00:00:00Z"));
  EXPECT_EQ(name->end, parse_time("2026-11-20T23:59:59Z"));
  EXPECT_EQ(name->unique_id, "001");
  EXPECT_EQ(parse_file_name("b!a!1795132800!1795219199.json")->unique_id, "");
  EXPECT_EQ(parse_file_name("b!a!1795132800!1795219199!0\xFF\n1.json")->unique_id, "01");
  for (const auto* bad : {"", "report.json", "a!b!c!d.json", "a!b!1", "!!!", "a!b c!1!2.json"}) {
    EXPECT_FALSE(parse_file_name(bad)) << bad;
  }
}

TEST(MailDate, ReadsWhatMailersWrite) {
  const auto time = parse_time("2026-11-20T01:02:03Z");
  EXPECT_EQ(parse_mail_date("Fri, 20 Nov 2026 01:02:03 +0000"), time);
  EXPECT_EQ(parse_mail_date(" 20 Nov 2026 02:02:03 +0100 (CET)"), time);
  EXPECT_EQ(parse_mail_date("Thu, 19 Nov 2026 17:02:03 -0800"), time);
  EXPECT_EQ(parse_mail_date("Fri, 20 November 2026 01:02:03 GMT"), time);
  EXPECT_EQ(parse_mail_date("20 Nov 2026 01:02"), parse_time("2026-11-20T01:02:00Z"));
  for (const auto* bad :
       {"", "yesterday", "31 Feb 2026 00:00:00 +0000", "1 Nov 26 00:00", "1 Foo 2026 00:00",
        "257 Nov 2026 00:00", "-255 Nov 2026 00:00", "1 Nov 2026 25:00", "1 Nov 2026 xx"}) {
    EXPECT_FALSE(parse_mail_date(bad)) << bad;
  }
}

TEST(Mail, IsToldFromABareReport) {
  EXPECT_TRUE(begins_like_mail("Return-Path: <a@b.example>\n"));
  EXPECT_TRUE(begins_like_mail("From MAILER Fri Nov 20\nSubject: x\n"));
  EXPECT_TRUE(begins_like_mail("FROM : a@b.example\n"));
  EXPECT_FALSE(begins_like_mail(kJson));
  EXPECT_FALSE(begins_like_mail(gzip(kJson)));
  EXPECT_FALSE(begins_like_mail(""));
  EXPECT_FALSE(begins_like_mail("{\"a\": 1}"));
}

}  // namespace
}  // namespace rapporteur
