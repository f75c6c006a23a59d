#include "deliver/judge.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using Outcome = Reply::Outcome;
using testing::EndsWith;
using testing::SizeIs;

constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + 12h};

struct SmtpCase {
  const char* name;
  Stage stage;
  int code;
  Outcome want;
};
class SmtpReply : public testing::TestWithParam<SmtpCase> {};

TEST_P(SmtpReply, IsJudgedByItsStage) {
  EXPECT_EQ(judge_smtp(GetParam().stage, GetParam().code), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    DesignSection8, SmtpReply,
    testing::Values(SmtpCase{"NoConnection", Stage::kConnect, 0, Outcome::kRelayTrouble},
                    SmtpCase{"GreetingRefuses", Stage::kGreeting, 554, Outcome::kRelayTrouble},
                    SmtpCase{"EhloRefused", Stage::kEhlo, 502, Outcome::kRelayTrouble},
                    SmtpCase{"StarttlsRefused", Stage::kStarttls, 454, Outcome::kRelayTrouble},
                    SmtpCase{"AuthRefused", Stage::kAuth, 535, Outcome::kRelayTrouble},
                    SmtpCase{"SenderRefused", Stage::kMailFrom, 553, Outcome::kRelayTrouble},
                    SmtpCase{"RecipientRefused", Stage::kRcptTo, 550, Outcome::kPermanent},
                    SmtpCase{"RecipientGreylisted", Stage::kRcptTo, 450, Outcome::kTemporary},
                    SmtpCase{"LostAtRecipient", Stage::kRcptTo, 0, Outcome::kTemporary},
                    SmtpCase{"DataRefused", Stage::kData, 554, Outcome::kPermanent},
                    SmtpCase{"DataAnsweredOddly", Stage::kData, 250, Outcome::kTemporary},
                    SmtpCase{"Queued", Stage::kFinal, 250, Outcome::kAccepted},
                    SmtpCase{"ContentRefused", Stage::kFinal, 554, Outcome::kPermanent},
                    SmtpCase{"ContentPutOff", Stage::kFinal, 452, Outcome::kTemporary},
                    SmtpCase{"FinalReplyMissing", Stage::kFinal, 0, Outcome::kUncertain},
                    SmtpCase{"FinalReplyOdd", Stage::kFinal, 354, Outcome::kTemporary}),
    [](const auto& test) { return test.param.name; });

struct HttpCase {
  int code;
  Outcome want;
};
class HttpStatus : public testing::TestWithParam<HttpCase> {};

TEST_P(HttpStatus, IsJudged) {
  EXPECT_EQ(judge_http(GetParam().code, true), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8460Section54, HttpStatus,
    testing::Values(HttpCase{200, Outcome::kAccepted}, HttpCase{201, Outcome::kAccepted},
                    HttpCase{204, Outcome::kAccepted}, HttpCase{299, Outcome::kAccepted},
                    HttpCase{301, Outcome::kPermanent}, HttpCase{304, Outcome::kPermanent},
                    HttpCase{400, Outcome::kPermanent}, HttpCase{404, Outcome::kPermanent},
                    HttpCase{408, Outcome::kTemporary}, HttpCase{410, Outcome::kPermanent},
                    HttpCase{425, Outcome::kTemporary}, HttpCase{429, Outcome::kTemporary},
                    HttpCase{499, Outcome::kPermanent}, HttpCase{500, Outcome::kTemporary},
                    HttpCase{503, Outcome::kTemporary}, HttpCase{599, Outcome::kTemporary},
                    HttpCase{600, Outcome::kPermanent}, HttpCase{0, Outcome::kUncertain}),
    [](const auto& test) { return "Status" + std::to_string(test.param.code); });

TEST(HttpStatus, NoneBeforeTheBodyIsOutIsTemporary) {
  EXPECT_EQ(judge_http(0, false), Outcome::kTemporary);
}

TEST(ExitCode, TellsRecipientFromProgram) {
  EXPECT_EQ(judge_exit(0), Outcome::kAccepted);
  for (const int code : {65, 67, 68, 69}) EXPECT_EQ(judge_exit(code), Outcome::kPermanent) << code;
  for (const int code : {1, 64, 66, 70, 71, 72, 73, 74, 75, 76, 77, 78, 127}) {
    EXPECT_EQ(judge_exit(code), Outcome::kRelayTrouble) << code;
  }
  EXPECT_EQ(exit_name(64), "EX_USAGE");
  EXPECT_EQ(exit_name(67), "EX_NOUSER");
  EXPECT_EQ(exit_name(78), "EX_CONFIG");
  EXPECT_EQ(exit_name(63), "");
  EXPECT_EQ(exit_name(79), "");
}

struct RetryAfterCase {
  const char* name;
  const char* value;
  std::optional<Seconds> want;
};
class RetryAfter : public testing::TestWithParam<RetryAfterCase> {};

TEST_P(RetryAfter, IsRead) {
  EXPECT_EQ(parse_retry_after(GetParam().value, kNow), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc9110Section1023, RetryAfter,
    testing::Values(RetryAfterCase{"Seconds", "120", 120s}, RetryAfterCase{"Zero", "0", 0s},
                    RetryAfterCase{"Padded", " 7\r\n", 7s}, RetryAfterCase{"ADay", "86400", 24h},
                    RetryAfterCase{"MoreThanADay", "86401", 24h},
                    RetryAfterCase{"More64Bits", "99999999999999999999999", 24h},
                    RetryAfterCase{"Negative", "-1", std::nullopt},
                    RetryAfterCase{"Fraction", "1.5", std::nullopt},
                    RetryAfterCase{"Empty", "", std::nullopt},
                    RetryAfterCase{"Words", "later", std::nullopt},
                    RetryAfterCase{"Date", "Fri, 20 Nov 2026 12:05:00 GMT", 5min},
                    RetryAfterCase{"Rfc850Date", "Friday, 20-Nov-26 12:05:00 GMT", 5min},
                    RetryAfterCase{"AsctimeDate", "Fri Nov 20 12:05:00 2026", 5min},
                    RetryAfterCase{"AsctimeShortDay", "Tue Dec  1 12:00:00 2026", 24h},
                    RetryAfterCase{"PastDate", "Fri, 20 Nov 2026 11:00:00 GMT", 0s},
                    RetryAfterCase{"FarDate", "Fri, 20 Nov 2037 11:00:00 GMT", 24h},
                    RetryAfterCase{"NoSuchDay", "Mon, 31 Nov 2026 11:00:00 GMT", std::nullopt},
                    RetryAfterCase{"NoSuchHour", "Fri, 20 Nov 2026 25:00:00 GMT", std::nullopt},
                    RetryAfterCase{"HugeYear", "Fri, 20 Nov 99999999 11:00:00 GMT", std::nullopt}),
    [](const auto& test) { return test.param.name; });

TEST(ReplyText, IsOneBoundedLineWithTheStage) {
  EXPECT_EQ(reply_text("550 5.1.1 no such user", Stage::kRcptTo),
            "550 5.1.1 no such user (RCPT TO)");
  EXPECT_EQ(reply_text(" 250 ok\r\n", Stage::kFinal), "250 ok (end of data)");
  EXPECT_EQ(reply_text("a\nb\x1b[1m\xff", Stage::kEhlo), "ab[1m\xEF\xBF\xBD (EHLO)");
  const auto longest = reply_text(std::string(100'000, 'x'), Stage::kStarttls);
  EXPECT_THAT(longest, SizeIs(kMaxReplyText));
  EXPECT_THAT(longest, EndsWith("… (STARTTLS)"));
}

TEST(Address, IsSafeOnlyWithoutSyntaxOfItsOwn) {
  EXPECT_TRUE(is_safe_address("tls-reports+x=y@example.com"));
  EXPECT_TRUE(is_safe_address("-f@example.com"));
  const std::vector<std::string> unsafe = {"",
                                           "example.com",
                                           "a b@example.com",
                                           "a@example.com\r\nRCPT TO:<b@c.example>",
                                           "a\n@b.example",
                                           "<a@b.example>",
                                           "a@b.example> NOTIFY",
                                           "\"a\"@b.example",
                                           "ä@b.example",
                                           "a@[10.0.0.1]",
                                           "a,b@c.example",
                                           std::string("a\0@b.example", 12),
                                           "a\x7f@b.example"};
  for (const auto& address : unsafe) EXPECT_FALSE(is_safe_address(address)) << address;
  EXPECT_TRUE(is_safe_address(std::string(242, 'a') + "@example.com"));
  EXPECT_FALSE(is_safe_address(std::string(243, 'a') + "@example.com"));
}

}  // namespace
}  // namespace rapporteur
