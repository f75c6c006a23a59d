#include "daemon/http_protocol.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace rapporteur {
namespace {

using Step = BodyFlow::Step;

HttpHead head_of(std::vector<HttpField> fields) {
  HttpHead head{.method = "POST"};
  head.fields = std::move(fields);
  return head;
}

struct Judged {
  const char* name;
  std::vector<HttpField> fields;
  HeadFacts facts;
  int want;
  const char* want_why = "";
};
class JudgedHead : public testing::TestWithParam<Judged> {};

TEST_P(JudgedHead, HasItsStatus) {
  auto head = head_of(GetParam().fields);
  const auto verdict = judge_head(GetParam().facts, 1000, head);
  EXPECT_EQ(verdict.status, GetParam().want);
  EXPECT_EQ(verdict.why, GetParam().want_why);
}

const HttpField kHost{"host", "a.example"};

INSTANTIATE_TEST_SUITE_P(
    HttpProtocol, JudgedHead,
    testing::Values(
        Judged{"Plain", {kHost}, {.target = "/"}, 0},
        Judged{"OldClientWithoutHost", {}, {.target = "/", .version = 10}, 0},
        Judged{"NoHost", {}, {.target = "/"}, 400, "there must be one Host field"},
        Judged{"TwoHosts", {kHost, kHost}, {.target = "/"}, 400, "there must be one Host field"},
        Judged{"OtherVersion",
               {kHost},
               {.target = "/", .version = 20},
               505,
               "HTTP/1.1 is spoken here"},
        Judged{"Asterisk", {kHost}, {.target = "*"}, 400, "the request's target is no path"},
        Judged{"Authority",
               {kHost},
               {.target = "a.example:443"},
               400,
               "the request's target is no path"},
        Judged{"LargestBody", {kHost}, {.target = "/", .content_length = 1000}, 0},
        Judged{"TooLargeABody",
               {kHost},
               {.target = "/", .content_length = 1001},
               413,
               "the body is larger than 1000 bytes"},
        Judged{"Continue", {kHost, {"Expect", "100-Continue"}}, {.target = "/"}, 0},
        Judged{"OtherExpectation",
               {kHost, {"Expect", "200-ok"}},
               {.target = "/"},
               417,
               "100-continue is all that may be expected"},
        Judged{"Gzip", {kHost, {"Content-Encoding", "GZIP"}}, {.target = "/"}, 0},
        Judged{"Identity", {kHost, {"Content-Encoding", "identity"}}, {.target = "/"}, 0},
        Judged{"Brotli",
               {kHost, {"Content-Encoding", "br"}},
               {.target = "/"},
               415,
               "gzip is the only content coding that is taken"},
        Judged{"TwoCodings",
               {kHost, {"Content-Encoding", "gzip, gzip"}},
               {.target = "/"},
               415,
               "gzip is the only content coding that is taken"},
        Judged{"Chunked", {kHost, {"Transfer-Encoding", "chunked"}}, {.target = "/"}, 0},
        Judged{"OtherTransferCoding",
               {kHost, {"Transfer-Encoding", "gzip, chunked"}},
               {.target = "/"},
               501,
               "chunked is the only transfer coding that is taken"}),
    [](const auto& test) { return test.param.name; });

TEST(HttpProtocol, ReadsBothFormsOfTargets) {
  const auto parts = [](std::string_view target) {
    auto head = head_of({kHost});
    EXPECT_EQ(judge_head({.target = target}, 1, head).status, 0) << target;
    return head.path + " " + head.query;
  };
  EXPECT_EQ(parts("/a/b?c=d?e"), "/a/b c=d?e");
  EXPECT_EQ(parts("http://a.example/x?y"), "/x y");
  EXPECT_EQ(parts("https://a.example"), "/ ");
  EXPECT_EQ(parts("//x"), "//x ");
}

TEST(HttpProtocol, FindsFieldsInAnyCase) {
  const auto head = head_of({{"X-One", "1"}, {"x-one", "2"}});
  EXPECT_EQ(head.field("x-ONE"), "1");
  EXPECT_EQ(head.field("x"), "");
}

TEST(HttpProtocol, WritesAnswers) {
  const Time now{Seconds(1'795'176'000)};
  const HttpAnswer answer{.status = 201,
                          .content_type = "application/json",
                          .body = "{}",
                          .fields = {{"Allow", "GET"}}};
  const std::string head =
      "HTTP/1.1 201 Created\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\nAllow: GET\r\n\r\n";
  EXPECT_EQ(format_answer(answer, {.now = now}), head + "{}");
  EXPECT_EQ(format_answer(answer, {.now = now, .without_body = true}), head);
  EXPECT_EQ(format_answer({.status = 299}, {.now = now, .keeps_alive = false}),
            "HTTP/1.1 299 \r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n");
  EXPECT_THAT(format_answer({}, {.now = now, .old_client = true}),
              testing::HasSubstr("Connection: keep-alive\r\n"));
}

TEST(HttpProtocol, DecodesPercents) {
  EXPECT_EQ(percent_decoded("a%2Fb%00%e2%82%ac"), std::string("a/b\0\xE2\x82\xAC", 7));
  EXPECT_EQ(percent_decoded("+"), "+");
  for (const auto* broken : {"%", "%4", "%4g", "a%", "% 1", "%+1"}) {
    EXPECT_EQ(percent_decoded(broken), std::nullopt) << broken;
  }
}

class Collecting final : public HttpExchange {
 public:
  std::string text;
  std::size_t enough = SIZE_MAX;
  bool body(std::string_view piece) override {
    text += piece;
    return text.size() < enough;
  }
  void end(HttpResponder) override {}
};

TEST(BodyFlow, HandsOnUpToItsLimit) {
  Collecting exchange;
  BodyFlow flow(exchange, false, 5);
  EXPECT_EQ(flow.take("abc"), Step::kMore);
  EXPECT_EQ(flow.take("de"), Step::kMore);
  EXPECT_EQ(flow.take("f"), Step::kRefused);
  EXPECT_EQ(flow.status(), 413);
  EXPECT_EQ(exchange.text, "abcde");
}

TEST(BodyFlow, EndsWhenTheExchangeHasEnough) {
  Collecting exchange;
  exchange.enough = 3;
  BodyFlow flow(exchange, false, 100);
  EXPECT_EQ(flow.take("ab"), Step::kMore);
  EXPECT_EQ(flow.take("cd"), Step::kEnough);
}

// Ten thousand times the letter x, in 45 bytes.
std::string gzipped() {
  return std::string(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x01\x0d\x00\x00\x00\xc2\xa0\xda"
      "\x8f\x6f\x0e\x37\xa0\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe0\xdf\x00\xa3\xa4\x55"
      "\x0d\x10\x27\x00\x00",
      45);
}

TEST(BodyFlow, RefusesGzipThatIsNone) {
  Collecting exchange;
  BodyFlow flow(exchange, true, 100);
  EXPECT_EQ(flow.take("{\"epoch\":1}"), Step::kRefused);
  EXPECT_EQ(flow.status(), 400);
  BodyFlow cut(exchange, true, 100);
  EXPECT_EQ(cut.take(gzipped().substr(0, 12)), Step::kMore);
  EXPECT_EQ(cut.end(), Step::kRefused);
  EXPECT_EQ(cut.why(), "the gzip data ends too early");
}

// All that comes of the body, and the last step.
Step take_all(BodyFlow& flow, std::string_view raw) {
  auto step = flow.take(raw);
  while (step == Step::kAgain) step = flow.again();
  return step;
}

TEST(BodyFlow, CountsWhatGzipGrowsTo) {
  Collecting exchange;
  BodyFlow fits(exchange, true, 10'000);
  EXPECT_EQ(take_all(fits, gzipped()), Step::kMore);
  EXPECT_EQ(fits.end(), Step::kEnough);
  EXPECT_EQ(fits.status(), 0);
  EXPECT_EQ(exchange.text, std::string(10'000, 'x'));
  BodyFlow grows(exchange, true, 9'999);
  EXPECT_EQ(take_all(grows, gzipped()), Step::kRefused);
  EXPECT_EQ(grows.status(), 413);
  EXPECT_EQ(grows.why(), "the body is larger than 9999 bytes");
}

TEST(BodyFlow, TakesNoBodyForNoGzip) {
  Collecting exchange;
  BodyFlow flow(exchange, true, 100);
  EXPECT_EQ(flow.end(), Step::kEnough);
}

}  // namespace
}  // namespace rapporteur
