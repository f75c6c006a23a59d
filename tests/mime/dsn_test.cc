#include "mime/dsn.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace rapporteur {

void PrintTo(const DeliveryStatus& status, std::ostream* out) {
  *out << "{" << status.original_recipient << " | " << status.final_recipient << " | "
       << to_string(status.action) << " | " << status.status << " | " << status.diagnostic << "}";
}

namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kNoNotice = "not a delivery status notification";
constexpr const char* kSender = "tlsrpt+abcdefghij12@example.org";
constexpr const char* kMessageId = "abcdefghij12.k3x9a0bq@example.org";
constexpr const char* kRecipient = "tls-reports@example.net";

std::string sample(const std::string& name) {
  return *read_file(std::string(TEST_ROOT "/mime/data/") + name);
}

std::string with_crlf(std::string_view text) {
  const auto lines = split(text, '\n');
  return join({lines.begin(), lines.end()}, "\r\n");
}

struct Notice {
  const char* name;
  const char* file;
  std::vector<DeliveryStatus> recipients;
  std::vector<std::string> sent_to;
};
class DsnOf : public testing::TestWithParam<Notice> {};

void expect_read(std::string_view message, const Notice& want) {
  const auto notice = parse_dsn(message);
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_EQ(notice->recipients, want.recipients);
  EXPECT_EQ(notice->sent_to, want.sent_to);
  EXPECT_THAT(notice->message_ids, ElementsAre(kMessageId));
}

TEST_P(DsnOf, IsRead) {
  expect_read(sample(GetParam().file), GetParam());
}

TEST_P(DsnOf, IsReadWithCrlf) {
  expect_read(with_crlf(sample(GetParam().file)), GetParam());
}

TEST_P(DsnOf, IsReadFromAnMbox) {
  expect_read("From MAILER-DAEMON Sat Nov 21 01:13:10 2026\n" + sample(GetParam().file),
              GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Programs, DsnOf,
    testing::Values(
        Notice{"Postfix",
               "dsn_postfix_failed.eml",
               {{"TLS-Reports@example.net", kRecipient, DsnAction::kFailed, "5.1.1",
                 "550 5.1.1 <tls-reports@example.net>: Recipient address rejected: User unknown in "
                 "virtual mailbox table"}},
               {kSender, "tlsrpt@example.org"}},
        Notice{"PostfixDelay",
               "dsn_postfix_delayed.eml",
               {{kRecipient, kRecipient, DsnAction::kDelayed, "4.4.1",
                 "connect to mx1.example.net[192.0.2.25]:25: Connection timed out"}},
               {kSender}},
        Notice{"PostfixSuccess",
               "dsn_postfix_success.eml",
               {{kRecipient, kRecipient, DsnAction::kRelayed, "2.0.0",
                 "250 2.0.0 Ok: queued as 4F0B21A0C9"},
                {"archive@example.org", "archive@example.org", DsnAction::kDelivered, "2.0.0",
                 "delivered to mailbox"}},
               {kSender}},
        Notice{"Exim",
               "dsn_exim_mime.eml",
               {{"", kRecipient, DsnAction::kFailed, "5.0.0", "550 5.7.1 Policy rejection"}},
               {kSender}},
        Notice{"OlderExim",
               "dsn_exim_plain.eml",
               {{"", kRecipient, DsnAction::kFailed, "5.1.1",
                 "550 5.1.1 <tls-reports@example.net>: Recipient address rejected: User unknown"},
                {"", "list@example.com", DsnAction::kFailed, "5.0.0", "554 No mail from here"},
                {"", "gone@example.edu", DsnAction::kFailed, "5.0.0", "Unrouteable address"}},
               {kSender}},
        Notice{"ExchangeOnline",
               "dsn_exchange_online.eml",
               {{"tls-reports@xn--bcher-kva.example", "tls-reports@xn--bcher-kva.example",
                 DsnAction::kFailed, "5.1.10",
                 "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient tls-reports@bücher.example "
                 "not found by SMTP address lookup"}},
               {kSender}},
        Notice{"Exchange",
               "dsn_exchange.eml",
               {{kRecipient, kRecipient, DsnAction::kFailed, "5.2.3",
                 "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient"}},
               {kSender}},
        Notice{"Sendmail",
               "dsn_sendmail.eml",
               {{"", kRecipient, DsnAction::kFailed, "5.1.1",
                 "550 5.1.1 <tls-reports@example.net>... User unknown"}},
               {kSender}}),
    [](const auto& test) { return test.param.name; });

struct OtherMail {
  const char* name;
  std::string text;
};
class NoDsn : public testing::TestWithParam<OtherMail> {};

TEST_P(NoDsn, IsRefused) {
  const auto notice = parse_dsn(GetParam().text);
  ASSERT_FALSE(notice);
  EXPECT_EQ(notice.error().fault, Fault::kInput);
  EXPECT_EQ(notice.error().text, kNoNotice);
}

constexpr const char* kStatusPart =
    "\n--b\nContent-Type: message/delivery-status\n\n"
    "Reporting-MTA: dns; a.example\n\nFinal-Recipient: rfc822; a@b.example\nAction: failed\n";

INSTANTIATE_TEST_SUITE_P(
    Mails, NoDsn,
    testing::Values(
        OtherMail{"Nothing", ""}, OtherMail{"EmptyLines", "\n\r\n\n"}, OtherMail{"NoHeader", "x"},
        OtherMail{"Vacation", sample("not_dsn_vacation.eml")},
        OtherMail{"Spam", sample("not_dsn_spam.eml")},
        OtherMail{"TlsReport", sample("not_dsn_tls_report.eml")},
        OtherMail{"DmarcReport", sample("not_dsn_dmarc_report.eml")},
        OtherMail{"ReadReceipt", sample("not_dsn_read_receipt.eml")},
        OtherMail{"ForwardedDsn", sample("not_dsn_forwarded.eml")},
        OtherMail{"NoBoundary",
                  std::string("Content-Type: multipart/report; report-type=delivery-status\n") +
                      kStatusPart},
        OtherMail{
            "NoRecipient",
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
            "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n--b--\n"},
        OtherMail{"NoStatusPart",
                  "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
                  "\nFinal-Recipient: rfc822; a@b.example\nAction: failed\n--b--\n"},
        OtherMail{"FailedRecipientsInOrdinaryMail",
                  "X-Failed-Recipients: a@b.example\n\nHello\n  a@b.example\n    550 no\n"},
        OtherMail{"EximTextWithoutRecipients",
                  "Subject: x\n\nThis message was created automatically by mail delivery "
                  "software.\n\n  a@b.example\n    550 no\n"}),
    [](const auto& test) { return test.param.name; });

// A notice with the given per-recipient fields.
std::string notice_with(const std::string& fields,
                        const std::string& type = "multipart/report; report-type=delivery-status") {
  return "To: " + std::string(kSender) + "\nContent-Type: " + type +
         "; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
         "Reporting-MTA: dns; a.example\n\n" +
         fields + "\n--b--\n";
}

struct Group {
  const char* name;
  const char* fields;
  DeliveryStatus want;
};
class DsnGroup : public testing::TestWithParam<Group> {};

TEST_P(DsnGroup, IsOneRecipient) {
  const auto notice = parse_dsn(notice_with(GetParam().fields));
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_THAT(notice->recipients, ElementsAre(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3464Section23, DsnGroup,
    testing::Values(
        Group{"AnyCase",
              "FINAL-RECIPIENT: RFC822; A@B.EXAMPLE\nACTION: FAILED\nSTATUS: 5.1.1\n",
              {"", "A@b.example", DsnAction::kFailed, "5.1.1", ""}},
        Group{"Comments",
              "Final-Recipient: rfc822 (type); a@b.example (a (nested) one)\nAction: (x) failed "
              "(y)\nStatus: (z) 5.1.1 (w)\nRemote-MTA: dns; mx.b.example (192.0.2.1)\n",
              {"", "a@b.example", DsnAction::kFailed, "5.1.1", ""}},
        Group{"AngleBrackets",
              "Final-Recipient: rfc822; <a@b.example>\nAction: failed\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}},
        Group{"NoType",
              "Final-Recipient: a@b.example\nAction: failed\nDiagnostic-Code: 550 no; really\n",
              {"", "a@b.example", DsnAction::kFailed, "", "550 no; really"}},
        Group{"NoDomain",
              "Final-Recipient: x-local; root\nAction: expanded\n",
              {"", "root", DsnAction::kExpanded, "", ""}},
        Group{"OriginalRecipientOnly",
              "Original-Recipient: rfc822;a@b.example\nAction: delayed\n",
              {"a@b.example", "a@b.example", DsnAction::kDelayed, "", ""}},
        Group{"QuotedLocalPart",
              "Final-Recipient: rfc822; \"a(b)@c\"@B.example\nAction: failed\n",
              {"", "\"a(b)@c\"@b.example", DsnAction::kFailed, "", ""}},
        Group{"NoDomainName",
              "Final-Recipient: rfc822; a@[192.0.2.1]\nAction: failed\n",
              {"", "a@[192.0.2.1]", DsnAction::kFailed, "", ""}},
        Group{"UnknownActionIsToldByTheStatus",
              "Final-Recipient: rfc822; a@b.example\nAction: bounced\nStatus: 4.2.2\n",
              {"", "a@b.example", DsnAction::kDelayed, "4.2.2", ""}},
        Group{"StatusOfTwoNumbers",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}},
        Group{"StatusOfAnotherClass",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 3.1.1\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}},
        Group{"StatusWithALongNumber",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1000\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}},
        Group{"StatusWithWordsBehind",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.7.1 no\n",
              {"", "a@b.example", DsnAction::kFailed, "5.7.1", ""}},
        Group{"ControlsAndBrokenUtf8",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nDiagnostic-Code: smtp;\n\t550 "
              "\x1b[31mr\xE9sum\xC3\xA9\x07\r\n  end\n",
              {"", "a@b.example", DsnAction::kFailed, "", "550 [31mr\xEF\xBF\xBDsum\xC3\xA9 end"}},
        Group{"FirstOfRepeatedFields",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\nAction: delivered\nStatus: "
              "5.1.1\nStatus: 2.0.0\n",
              {"", "a@b.example", DsnAction::kFailed, "5.1.1", ""}},
        Group{"LinesThatAreNoField",
              "?? this is no field\n continued\nFinal-Recipient: rfc822; a@b.example\nno\n"
              " field\nAction: failed\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}},
        Group{"BlanksInTheEmptyLineAfterIt",
              "Final-Recipient: rfc822; a@b.example\nAction: failed\n \t\nStatus: 5.1.1\n",
              {"", "a@b.example", DsnAction::kFailed, "", ""}}),
    [](const auto& test) { return test.param.name; });

TEST(Dsn, NeedsNoReportTypeInAMultipartReport) {
  const auto fields = "Final-Recipient: rfc822; a@b.example\nAction: failed\n";
  EXPECT_TRUE(parse_dsn(notice_with(fields, "multipart/report")));
  EXPECT_TRUE(
      parse_dsn(notice_with(fields, "Multipart/Report; Report-Type = \"Delivery-Status\"")));
  EXPECT_TRUE(
      parse_dsn(notice_with(fields, "multipart/report (x); report-type=(y)delivery-status")));
  EXPECT_FALSE(parse_dsn(notice_with(fields, "multipart/report; report-type=feedback-report")));
  EXPECT_FALSE(parse_dsn(notice_with(fields, "multipart/mixed; report-type=delivery-status")));
}

TEST(Dsn, IsReadWhereTheEmptyLineAfterTheFirstGroupIsMissing) {
  auto text = sample("dsn_sendmail.eml");
  const std::string gap = "01:13:08 GMT\n\nFinal-Recipient";
  ASSERT_NE(text.find(gap), text.npos);
  text.replace(text.find(gap), gap.size(), "01:13:08 GMT\nFinal-Recipient");
  const auto notice = parse_dsn(text);
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->recipients, ElementsAre(Field(&DeliveryStatus::final_recipient, kRecipient)));
}

TEST(Dsn, IsReadInsideTheMultipartOfAGateway) {
  const auto inner = sample("dsn_postfix_failed.eml");
  const auto start = inner.find("Content-Type: multipart/report");
  const auto notice =
      parse_dsn("To: x@example.org\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n" +
                inner.substr(start) + "\n--outer\n\nScanned.\n--outer--\n");
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->message_ids, ElementsAre(kMessageId));
  EXPECT_THAT(notice->sent_to, ElementsAre("x@example.org", kSender));
}

TEST(Dsn, IsReadAsFarAsItGoesWhenItIsCutOff) {
  const auto text = sample("dsn_postfix_failed.eml");
  const auto behind_status = text.find("Status: 5.1.1");
  ASSERT_NE(behind_status, text.npos);
  std::size_t read = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto notice = parse_dsn(std::string_view(text).substr(0, size));
    if (size > behind_status) {
      ASSERT_TRUE(notice) << size;
    }
    if (notice) ++read;
  }
  EXPECT_LT(read, text.size() - text.find("Final-Recipient"));
}

TEST(Dsn, DecodesStatusAndReturnedHeaders) {
  const auto notice = parse_dsn(
      "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
      "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64\n\n" +
      base64("Reporting-MTA: dns; a.example\n\nFinal-Recipient: utf-8; ü@b.example\n"
             "Action: failed\n") +
      "\n--b\nContent-Type: message/global-headers\nContent-Transfer-Encoding: BASE64\n\n" +
      base64("Message-ID: <1@b.example>\n") + "\n--b--\n");
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_THAT(notice->recipients,
              ElementsAre(Field(&DeliveryStatus::final_recipient, "ü@b.example")));
  EXPECT_THAT(notice->message_ids, ElementsAre("1@b.example"));
}

TEST(Dsn, TellsWhereItWasSentOnce) {
  const auto notice = parse_dsn(
      "To: \"Doe, J.\" <a@Example.org>, group: b@example.org, (c@example.org) d@example.org;\n"
      "To: <@relay.example:e@example.org>, no address, <>, \"f g\"@example.org, f g@example.org\n"
      "Delivered-To: a@EXAMPLE.org\nX-Original-To: h@example.org\nEnvelope-To: i@example.org,\n"
      " j@example.org\nX-Envelope-To: <k@example.org>\n" +
      notice_with("Final-Recipient: rfc822; a@b.example\nAction: failed\n").substr(4));
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_THAT(notice->sent_to, ElementsAre("a@example.org", "b@example.org", "d@example.org",
                                           "e@example.org", "\"f g\"@example.org", "h@example.org",
                                           "i@example.org", "j@example.org", "k@example.org"));
}

TEST(Dsn, TellsEveryMessageIdItNamesOnce) {
  const auto notice = parse_dsn(
      "In-Reply-To: <1@b.example>\nReferences: <2@b.example>\n\t<3@b.example> broken <no-id> <4@b "
      ".example> <1@b.example>\nX-Original-Message-ID: <5@b.example>\n"
      "Message-ID: <own@b.example>\n"
      "Content-Type: multipart/report; boundary=b\n" +
      std::string(kStatusPart) +
      "--b\nContent-Type: message/rfc822\n\nMessage-ID: 6@b.example\n"
      "X-Microsoft-Original-Message-ID: <7@b.example>\nReferences: <8@b.example>\n\nx\n--b--\n");
  ASSERT_TRUE(notice) << notice.error().text;
  EXPECT_THAT(notice->message_ids, ElementsAre("6@b.example", "7@b.example", "1@b.example",
                                               "2@b.example", "3@b.example", "5@b.example"));
}

TEST(Dsn, OfOlderEximNeedsNoCopyOfTheMessage) {
  const auto text = sample("dsn_exim_plain.eml");
  const auto notice = parse_dsn(std::string_view(text).substr(0, text.find("------ This is")));
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->recipients, SizeIs(3));
  EXPECT_THAT(notice->message_ids, IsEmpty());
  EXPECT_THAT(notice->sent_to, ElementsAre(kSender));
}

TEST(Dsn, KeepsAHundredRecipients) {
  std::string fields;
  std::string failed;
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    const auto address = "a" + std::to_string(i) + "@b.example";
    fields += "Final-Recipient: rfc822; " + address + "\nAction: failed\n\n";
    failed += "X-Failed-Recipients: " + address + "\n";
    text += "  " + address + "\n    host mx.b.example [192.0.2.1]: 550 no\n";
  }
  const auto notice = parse_dsn(notice_with(fields));
  ASSERT_TRUE(notice);
  ASSERT_THAT(notice->recipients, SizeIs(100));
  EXPECT_EQ(notice->recipients.back().final_recipient, "a99@b.example");
  const auto exim = parse_dsn(failed + "\n" + text + "------ This is a copy of the message\n");
  ASSERT_TRUE(exim);
  ASSERT_THAT(exim->recipients, SizeIs(100));
  EXPECT_EQ(exim->recipients.back().diagnostic, "550 no");
}

TEST(Dsn, CutsLongTexts) {
  const auto notice =
      parse_dsn("To: a@" + std::string(400, 'a') + "\n" +
                notice_with("Final-Recipient: rfc822; a@b.example\nOriginal-Recipient: rfc822; " +
                            std::string(400, 'a') +
                            "@b.example\nAction: failed\nDiagnostic-Code: smtp; 550 " +
                            std::string(100000, 'x') + "\n"));
  ASSERT_TRUE(notice);
  const auto& recipient = notice->recipients.front();
  EXPECT_EQ(recipient.original_recipient, "");
  EXPECT_EQ(recipient.diagnostic, "550 " + std::string(493, 'x') + "…");
  EXPECT_THAT(notice->sent_to, ElementsAre(kSender));
}

TEST(Dsn, KeepsFiftyAddressesAndMessageIds) {
  std::string header;
  for (int i = 0; i < 20000; ++i) {
    const auto n = std::to_string(i);
    header += "To: a" + n + "@b.example\nReferences: <" + n + "@b.example>\n";
  }
  // The fields behind the first thousand do not count, so the type comes first.
  const auto text = notice_with("Final-Recipient: rfc822; a@b.example\nAction: failed\n");
  const auto behind_type = text.find('\n', text.find("Content-Type")) + 1;
  const auto notice = parse_dsn(text.substr(0, behind_type) + header + text.substr(behind_type));
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->sent_to, SizeIs(50));
  EXPECT_THAT(notice->message_ids, SizeIs(50));
}

std::string repeated(std::size_t times, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string nested_multiparts(int depth, const std::string& innermost) {
  std::string head;
  std::string tail;
  for (int i = 0; i < depth; ++i) {
    const auto boundary = "b" + std::to_string(i) + "x";
    head += "Content-Type: multipart/report; boundary=" + boundary + "\n\n--" + boundary + "\n";
    tail = "\n--" + boundary + "--\n" + tail;
  }
  return head + innermost + tail;
}

TEST(Dsn, IsFoundInUpToEightMultiparts) {
  const std::string status =
      "Content-Type: message/delivery-status\n\n"
      "Final-Recipient: rfc822; a@b.example\nAction: failed\n";
  EXPECT_TRUE(parse_dsn(nested_multiparts(8, status)));
  EXPECT_FALSE(parse_dsn(nested_multiparts(9, status)));
}

TEST(Dsn, OfHostileMakeIsRefused) {
  const std::string report = "Content-Type: multipart/report; boundary=b\n";
  const std::vector<std::string> messages = {
      nested_multiparts(20000, "x"),
      repeated(40000, "Content-Type: message/rfc822\n\n"),
      repeated(40000, report + "\n--b\n"),
      report + "\n" + repeated(300000, "--b\n"),
      report + "\n" + repeated(300000, "--\n"),
      "To: " + repeated(300000, "a:") + "\n\n",
      "To: " + repeated(300000, "(") + "\n\n",
      "To: " + repeated(300000, "<") + "\n\n",
      "To: " + repeated(300000, "\"") + "\n\n",
      "To: " + repeated(300000, "a@b,") + "\n\n",
      repeated(100000, "To: a@b,\xFF@\xC3\n"),
      repeated(1 << 20, ":"),
      repeated(1 << 20, "\n:"),
      std::string(3 << 20, 'x'),
      std::string(3 << 20, '\0'),
      "a:" + repeated(500000, "\n "),
      "Content-Type: " + repeated(200000, ";=") + "\n\n",
      "Content-Type: multipart/report; boundary=\"\n\n--\n--\n",
      "Content-Type: multipart/report; boundary=\\\n\n--\\\n--\\\n",
      notice_with(repeated(100000, "Status: \xC3(\n\n")),
      notice_with(repeated(1 << 19, "\n ")),
      notice_with("Final-Recipient: rfc822; " + repeated(100000, "@") + "\nAction: failed\n"),
      "From \n",
      "From ",
      "\n \n :\n",
  };
  for (const auto& message : messages) {
    EXPECT_FALSE(parse_dsn(message)) << message.substr(0, 100);
  }
}

TEST(Dsn, OfOlderEximMayEndInLinesOfDashes) {
  const auto text = sample("dsn_exim_plain.eml");
  const auto copy = text.substr(0, text.find("\n\nReturn-path: <tlsrpt"));
  const auto notice = parse_dsn(copy + repeated(100000, "\n------ "));
  ASSERT_TRUE(notice);
  EXPECT_THAT(notice->message_ids, IsEmpty());
}

TEST(Dsn, SaysOnlyCleanTextsWhateverBytesChange) {
  std::mt19937 random(20261121);
  const auto is_clean = [](const std::string& text) {
    return is_valid_utf8(text) && without_controls(text) == text && text.size() <= 996;
  };
  const auto clean = testing::Truly(is_clean);
  for (const auto* file :
       {"dsn_postfix_failed.eml", "dsn_exchange_online.eml", "dsn_exim_plain.eml"}) {
    const auto original = sample(file);
    for (int round = 0; round < 300; ++round) {
      auto text = original;
      for (int i = 0; i < 20; ++i) text[random() % text.size()] = static_cast<char>(random());
      const auto notice = parse_dsn(text);
      if (!notice) continue;
      EXPECT_THAT(notice->sent_to, Each(clean));
      EXPECT_THAT(notice->message_ids, Each(clean));
      EXPECT_THAT(notice->recipients, Each(AllOf(Field(&DeliveryStatus::final_recipient, clean),
                                                 Field(&DeliveryStatus::diagnostic, clean))));
    }
  }
}

}  // namespace
}  // namespace rapporteur
