#include "daemon/http_routes.h"

#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::FixedRandom;
using testing_support::RecordingLog;

using Counters = std::map<std::string, std::uint64_t>;

// 2026-11-20T12:00:00Z is the clock's time.
std::string native(const std::string& domain, const std::string& more = "") {
  return R"({"epoch":1795176000,"recipient-domain":")" + domain + "\"" + more +
         R"(,"policies":[{"policy":{"policy-type":"no-policy-found","policy-domain":")" + domain +
         R"("},"type":1}]})";
}

std::string halon(const std::string& transaction) {
  return R"({"timestamp":1795176000000,"transactionid":")" + transaction +
         R"(","policy-domain":"a.example","policy-type":"no-policy-found","result-type":"success"})";
}

constexpr const char* kNoTlsEvent = R"({"timestamp":1795176000000,"transactionid":"t"})";

class HttpRoutesTest : public testing::Test {
 protected:
  FakeClock clock;
  FixedRandom random;
  RecordingLog log;
  LogSampler sampler{log, clock};
  DaemonMetrics metrics;
  HttpCredentials credentials{random};
  bool room = true;
  // What the recording thread would say.
  Result<Recorded> recorded = Recorded{};
  struct Stored {
    std::string key;
    Counters counters;
  };
  std::vector<Stored> stored;
  HttpUploads uploads{.clock = clock,
                      .random = random,
                      .sampler = sampler,
                      .submit =
                          [this](std::unique_ptr<Tally> tally, HttpUploads::Done done) {
                            stored.push_back({tally->key(), tally->counters()});
                            done(recorded);
                          },
                      .has_room = [this] { return room; },
                      .rules = [] { return IntakeRules{}; }};
  HttpRoutes routes{{.uploads = uploads,
                     .credentials = credentials,
                     .metrics = metrics,
                     .sampler = sampler,
                     .host = "mail.example.org",
                     .metrics_text = [] { return std::string("metrics 1\n"); },
                     .alive =
                         [] {
                           return HealthAnswer{true, "ok\n", "{}"};
                         },
                     .ready =
                         [] {
                           return HealthAnswer{false, "not ready\n", R"({"r":1})"};
                         }}};

  void TearDown() override {
    routes.end();
    without_sessions.end();
    credentials.end();
  }

  static std::string field(const HttpAnswer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.fields) {
      if (key == name) return value;
    }
    return "";
  }

  // As the server does it; the body in pieces of `piece` bytes.
  HttpAnswer ask(const std::string& method, const std::string& path, const std::string& body = "",
                 std::vector<HttpField> fields = {}, std::size_t piece = 64 << 10) {
    return ask_of(routes, method, path, body, std::move(fields), piece);
  }
  static HttpAnswer ask_of(HttpRoutes& asked, const std::string& method, const std::string& path,
                           const std::string& body = "", std::vector<HttpField> fields = {},
                           std::size_t piece = 64 << 10) {
    HttpHead head{.method = method, .path = path, .peer = "192.0.2.1"};
    head.fields = std::move(fields);
    std::promise<HttpAdmission> admitted;
    asked.admit(head, [&](HttpAdmission admission) { admitted.set_value(std::move(admission)); });
    const auto admission = admitted.get_future().get();
    if (!admission.granted) return admission.refusal;
    const auto exchange = asked.begin(head, admission.user);
    bool more = exchange->reads_body();
    for (std::size_t at = 0; at < body.size() && more; at += piece) {
      more = exchange->body(std::string_view(body).substr(at, piece));
    }
    std::promise<HttpAnswer> answered;
    exchange->end([&](HttpAnswer answer) { answered.set_value(std::move(answer)); });
    auto answer = answered.get_future().get();
    asked.answered(head, answer.status, {});
    return answer;
  }

  HttpRoutes without_sessions{{.uploads = uploads,
                               .credentials = credentials,
                               .metrics = metrics,
                               .sampler = sampler,
                               .takes_sessions = false,
                               .host = "mail.example.org",
                               .metrics_text = [] { return std::string("metrics 1\n"); },
                               .alive =
                                   [] {
                                     return HealthAnswer{true, "ok\n", "{}"};
                                   },
                               .ready =
                                   [] {
                                     return HealthAnswer{true, "ok\n", "{}"};
                                   }}};

  HttpAnswer sessions(const std::string& body, std::vector<HttpField> fields = {}) {
    return ask("POST", "/v1/sessions", body, std::move(fields));
  }
};

TEST_F(HttpRoutesTest, ANodeThatTakesNoSessionsSendsThemElsewhereAndTellsHowItIs) {
  for (const auto* path : {"/v1/sessions", "/_bulk", "/tls/_bulk", "/tls/_doc"}) {
    const auto answer = ask_of(without_sessions, "POST", path, native("a.example"));
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_THAT(answer.body, HasSubstr("takes no sessions")) << path;
    EXPECT_EQ(field(answer, "Retry-After"), "5") << path;
  }
  EXPECT_THAT(stored, IsEmpty());
  EXPECT_EQ(ask_of(without_sessions, "GET", "/metrics").body, "metrics 1\n");
  EXPECT_EQ(ask_of(without_sessions, "GET", "/readyz").status, 200);
  EXPECT_EQ(ask_of(without_sessions, "GET", "/healthz").status, 200);
  EXPECT_EQ(ask_of(without_sessions, "GET", "/v1/sessions").status, 405);
}

TEST_F(HttpRoutesTest, CountsLines) {
  const auto answer = sessions(native("a.example") + "\n" + native("b.example") + "\nrubbish\n\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.body,
            R"({"status":"counted","accepted":2,"rejected":1,"ignored":1,)"
            R"("by-reason":{"blank":1,"not-json":1},"errors":[{"line":3,"reason":"not-json"}]})"
            "\n");
  ASSERT_THAT(stored, SizeIs(1));
  EXPECT_EQ(stored[0].key, "");
  EXPECT_THAT(stored[0].counters, AllOf(testing::Contains(Pair("accepted", 2)),
                                        testing::Contains(Pair("rejected.not-json", 1)),
                                        testing::Contains(Pair("ignored.blank", 1))));
  ASSERT_THAT(log.lines("session-rejected"), SizeIs(1));
  EXPECT_EQ(log.lines("session-rejected")[0].fields.at("sample"), "rubbish");
}

TEST_F(HttpRoutesTest, CountsAnArray) {
  EXPECT_THAT(sessions("[" + native("a.example") + ",\n" + halon("t1") + "]").body,
              HasSubstr(R"("accepted":2,"rejected":0)"));
  EXPECT_THAT(sessions("[]").body, HasSubstr(R"("accepted":0,"rejected":0)"));
}

TEST_F(HttpRoutesTest, CountsNothingOfAnArrayThatIsCutOff) {
  const auto answer = sessions("[" + native("a.example") + "," + native("b.example"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            R"({"error":"the body ends within its array; nothing was counted","status":400})"
            "\n");
  EXPECT_THAT(stored, IsEmpty());
  EXPECT_EQ(uploads.open_bytes, 0U);
}

TEST_F(HttpRoutesTest, MovesWhatTheStoreKnewToTheIgnored) {
  recorded = Recorded{.duplicates = 1, .never = 1};
  EXPECT_EQ(
      sessions(native("a.example") + "\n" + native("b.example") + "\n" + native("c.example")).body,
      R"({"status":"counted","accepted":1,"rejected":0,"ignored":2,)"
      R"("by-reason":{"duplicate":1,"never":1}})"
      "\n");
}

TEST_F(HttpRoutesTest, GivesTheRequestsKeyToTheStore) {
  EXPECT_EQ(sessions(native("a.example"), {{"idempotency-key", "k1"}}).status, 200);
  EXPECT_EQ(stored.at(0).key, "http:0::k1");
  recorded = Recorded{.repeated = true};
  const auto answer = sessions(native("a.example"), {{"Idempotency-Key", "k1"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"({"status":"duplicate","accepted":0)"));
}

TEST_F(HttpRoutesTest, RefusesKeysThatAreNone) {
  EXPECT_EQ(sessions("", {{"Idempotency-Key", std::string(200, 'k')}}).status, 200);
  EXPECT_EQ(sessions("", {{"Idempotency-Key", std::string(201, 'k')}}).status, 400);
  EXPECT_EQ(sessions("", {{"Idempotency-Key", "k\xC3\xA9"}}).status, 400);
}

TEST_F(HttpRoutesTest, KeepsTheKeysOfUsersApart) {
  credentials.use({{"u", true, sha256_hex("one")}, {"v", true, sha256_hex("two")}});
  for (const auto* token : {"one", "two"}) {
    EXPECT_EQ(
        sessions("", {{"Authorization", std::string("Bearer ") + token}, {"Idempotency-Key", "k"}})
            .status,
        200);
  }
  EXPECT_EQ(stored.at(0).key, "http:1:u:k");
  EXPECT_EQ(stored.at(1).key, "http:1:v:k");
}

TEST_F(HttpRoutesTest, SaysThatTheStoreIsAway) {
  recorded = Error{Fault::kTransient, "database is locked"};
  const auto answer = sessions(native("a.example"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(field(answer, "Retry-After"), "5");
  EXPECT_EQ(answer.body,
            "{\"error\":\"nothing was counted: database is locked\",\"status\":503}\n");
  const auto document = ask("POST", "/i/_doc", halon("t"));
  EXPECT_EQ(document.status, 503);
  EXPECT_THAT(document.body, HasSubstr("unavailable_shards_exception"));
  EXPECT_EQ(ask("POST", "/i/_bulk", "{\"index\":{}}\n" + halon("t") + "\n").status, 503);
  room = false;
  stored.clear();
  EXPECT_EQ(sessions(native("a.example")).status, 503);
  EXPECT_EQ(ask("POST", "/i/_doc", halon("t")).status, 503);
  EXPECT_EQ(ask("POST", "/_bulk", "").status, 503);
  EXPECT_THAT(stored, IsEmpty());
}

TEST_F(HttpRoutesTest, TakesOneUploadForManyOnlyAsFarAsMemoryGoes) {
  uploads.open_bytes = HttpUploads::kMostOpenBytes;
  const auto answer = sessions(native("a.example") + "\n");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(stored, IsEmpty());
  EXPECT_EQ(uploads.open_bytes, HttpUploads::kMostOpenBytes);
}

TEST_F(HttpRoutesTest, TakesADocument) {
  const auto answer =
      ask("POST", "/tlsrpt-alias/_doc", halon("t1"), {{"Content-Type", "application/json"}});
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(field(answer, "X-elastic-product"), "Elasticsearch");
  const auto id = answer.body.substr(answer.body.find("\"_id\":\"") + 7, 20);
  EXPECT_THAT(id, testing::MatchesRegex("[A-Za-z0-9_-]*"));
  EXPECT_EQ(
      answer.body,
      R"({"_index":"tlsrpt-alias","_id":")" + id +
          R"(","_version":1,"result":"created",)"
          R"("_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1})");
  EXPECT_EQ(field(answer, "Location"), "/tlsrpt-alias/_doc/" + id);
  EXPECT_THAT(stored.at(0).counters, ElementsAre(Pair("accepted", 1)));
}

TEST_F(HttpRoutesTest, TakesADocumentWithAName) {
  for (const auto& [method, path] :
       std::vector<std::pair<std::string, std::string>>{{"PUT", "/a%2Fb/_doc/x%20y"},
                                                        {"POST", "/a%2Fb/_doc/x%20y"},
                                                        {"PUT", "/a%2Fb/_create/x%20y"}}) {
    const auto answer = ask(method, path, halon("t"));
    EXPECT_EQ(answer.status, 201);
    EXPECT_THAT(answer.body, HasSubstr(R"("_index":"a/b","_id":"x y")")) << path;
    EXPECT_EQ(field(answer, "Location"), "/a%2Fb/_doc/x%20y");
  }
}

TEST_F(HttpRoutesTest, TakesADocumentThatIsNoTlsEvent) {
  EXPECT_EQ(ask("POST", "/i/_doc", kNoTlsEvent).status, 201);
  EXPECT_THAT(stored.at(0).counters, ElementsAre(Pair("ignored.no-tls-event", 1)));
}

TEST_F(HttpRoutesTest, RefusesADocumentThatIsNoSession) {
  const auto answer = ask("POST", "/i/_doc", R"({"message":"hello"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body,
              AllOf(HasSubstr(R"("type":"document_parsing_exception")"),
                    HasSubstr("failed to parse: unknown-format"), HasSubstr(R"("status":400)")));
  EXPECT_EQ(field(answer, "X-elastic-product"), "Elasticsearch");
  EXPECT_THAT(stored.at(0).counters, ElementsAre(Pair("rejected.unknown-format", 1)));
  EXPECT_THAT(ask("POST", "/i/_doc", "").body, HasSubstr("request body is required"));
  EXPECT_THAT(ask("POST", "/i/_doc", std::string(2 << 20, 'x')).body, HasSubstr("line-too-long"));
  EXPECT_EQ(ask("POST", "/i/_doc", halon("t"), {{"Content-Type", "text/plain"}}).status, 406);
}

TEST_F(HttpRoutesTest, CallsAnswersWhatTheClientAskedFor) {
  const std::string wanted = "application/vnd.elasticsearch+json;compatible-with=8";
  const auto answer = ask("POST", "/i/_doc", halon("t"),
                          {{"Content-Type", wanted}, {"Accept", "text/plain," + wanted}});
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.content_type, wanted);
}

TEST_F(HttpRoutesTest, AnswersEachItemOfABulk) {
  const auto body = R"({"index":{"_index":"i","_id":"one"}})"
                    "\n" +
                    halon("t1") + "\n" +
                    R"({"create":{}})"
                    "\n" +
                    "{\"message\":1}\n" +
                    R"({"delete":{"_id":"3"}})"
                    "\n" +
                    R"({"update":{"_id":"4"}})"
                    "\n" +
                    "{\"doc\":{}}\n\n" +
                    R"({"create":{"_id":"5"}})"
                    "\n" +
                    kNoTlsEvent + "\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{10}, body.size()}) {
    const auto answer = ask("POST", "/default/_bulk", body, {}, piece);
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(
        answer.body,
        testing::MatchesRegex(
            R"(\{"errors":true,"took":[0-9]+,"items":\[)"
            R"(\{"index":\{"_index":"i","_id":"one",.*"status":201\}\},)"
            R"(\{"create":\{"_index":"default",.*"status":400,"error":.*unknown-format.*\}\}\},)"
            R"(\{"delete":\{"_index":"default","_id":"3","status":400,.*\}\}\},)"
            R"(\{"update":\{"_index":"default","_id":"4","status":400,.*\}\}\},)"
            R"(\{"create":\{"_index":"default","_id":"5",.*"status":201\}\}\]\})"));
  }
  ASSERT_THAT(stored, SizeIs(3));
  EXPECT_THAT(stored[0].counters, ElementsAre(Pair("accepted", 1), Pair("ignored.no-tls-event", 1),
                                              Pair("rejected.unknown-format", 1)));
  EXPECT_THAT(ask("POST", "/_bulk",
                  R"({"index":{"_index":"i"}})"
                  "\n" +
                      halon("t") + "\n")
                  .body,
              HasSubstr(R"({"errors":false,"took":)"));
}

struct Broken {
  const char* name;
  std::string body;
  const char* want;
};
class BrokenBulk : public HttpRoutesTest, public testing::WithParamInterface<Broken> {};

TEST_P(BrokenBulk, CountsNothing) {
  const auto answer = ask("POST", "/_bulk", GetParam().body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr(GetParam().want));
  EXPECT_THAT(stored, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    HttpRoutes, BrokenBulk,
    testing::Values(
        Broken{"Empty", "", "request body is required"},
        Broken{"NoLastNewline",
               R"({"index":{"_index":"i"}})"
               "\n{}",
               R"(The bulk request must be terminated by a newline [\\n])"},
        Broken{"NoAction", halon("t") + "\n", "Malformed action/metadata line [1]"},
        Broken{"SecondActionBroken",
               R"({"index":{"_index":"i"}})"
               "\n" +
                   halon("t") + "\n[]\n",
               "Malformed action/metadata line [3]"},
        Broken{"NoDocument",
               R"({"index":{"_index":"i"}})"
               "\n",
               "the last action has no document behind it"},
        Broken{"NoIndex", "{\"index\":{}}\n{}\n", "Validation Failed: 1: index is missing;"},
        Broken{"NothingInIt", "\n\n", "Validation Failed: 1: no requests added;"},
        Broken{"LongIndex", R"({"index":{"_index":")" + std::string(256, 'x') + "\"}}\n{}\n",
               "a name is too long"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpRoutesTest, RefusesABulkWhoseAnswersTakeTooMuch) {
  std::string body;
  const auto action = R"({"delete":{"_index":"i","_id":")" + std::string(500, '\x7F') + "\"}}\n";
  while (body.size() < (8 << 20)) body += action;
  const auto answer = ask("POST", "/_bulk", body);
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(stored, IsEmpty());
  EXPECT_EQ(uploads.open_bytes, 0U);
}

TEST_F(HttpRoutesTest, SaysThatItSpeaksElasticsearch) {
  const auto answer = ask("GET", "/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(field(answer, "X-elastic-product"), "Elasticsearch");
  EXPECT_THAT(answer.body, AllOf(HasSubstr(R"("name":"mail.example.org")"),
                                 HasSubstr(R"("version":{"number":"8.)"),
                                 HasSubstr(R"("tagline":"Rapporteur)")));
}

TEST_F(HttpRoutesTest, TellsHowTheDaemonIs) {
  EXPECT_EQ(ask("GET", "/metrics").body, "metrics 1\n");
  EXPECT_EQ(ask("GET", "/metrics").content_type, kPrometheusContentType);
  const auto alive = ask("GET", "/healthz");
  EXPECT_EQ(alive.status, 200);
  EXPECT_EQ(alive.body, "ok\n");
  const auto ready = ask("HEAD", "/readyz", "", {{"Accept", "application/json"}});
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, R"({"r":1})");
  EXPECT_EQ(ready.content_type, "application/json");
}

struct Refused {
  const char* name;
  const char* method;
  std::string path;
  int want;
  const char* allow = "";
};
class RefusedRequest : public HttpRoutesTest, public testing::WithParamInterface<Refused> {};

TEST_P(RefusedRequest, HasItsStatus) {
  const auto answer = ask(GetParam().method, GetParam().path, halon("t"));
  EXPECT_EQ(answer.status, GetParam().want);
  EXPECT_EQ(field(answer, "Allow"), GetParam().allow);
  EXPECT_THAT(stored, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    HttpRoutes, RefusedRequest,
    testing::Values(Refused{"Unknown", "GET", "/x", 404}, Refused{"Index", "HEAD", "/index", 404},
                    Refused{"OwnUnknown", "POST", "/v1/tlsrpt", 404},
                    Refused{"Search", "POST", "/i/_search", 404},
                    Refused{"TooDeep", "POST", "/a/_doc/b/c", 404},
                    Refused{"BrokenEscape", "POST", "/%zz/_doc", 404},
                    Refused{"SlashBehind", "POST", "/v1/sessions/", 404},
                    Refused{"GetSessions", "GET", "/v1/sessions", 405, "POST"},
                    Refused{"LowerCaseMethod", "post", "/v1/sessions", 405, "POST"},
                    Refused{"PutWithoutId", "PUT", "/i/_doc", 405, "POST"},
                    Refused{"GetDocument", "GET", "/i/_doc/1", 405, "POST, PUT"},
                    Refused{"DeleteDocument", "DELETE", "/i/_doc/1", 405, "POST, PUT"},
                    Refused{"PostRoot", "POST", "/", 405, "GET, HEAD"},
                    Refused{"PostMetrics", "POST", "/metrics", 405, "GET, HEAD"},
                    Refused{"EmptyIndex", "POST", "//_doc", 400},
                    Refused{"HiddenIndex", "POST", "/_x/_doc", 400},
                    Refused{"ControlInIndex", "POST", "/a%0Ab/_doc", 400},
                    Refused{"LongIndex", "POST", "/" + std::string(256, 'x') + "/_doc", 400},
                    Refused{"LongId", "POST", "/x/_doc/" + std::string(513, 'x'), 400},
                    Refused{"EmptyId", "POST", "/x/_doc/", 400}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpRoutesTest, AsksForCredentialsEverywhereButForHealth) {
  credentials.use({{"u", true, sha256_hex("one")}});
  const std::string basic = R"(Basic realm="rapporteur", charset="UTF-8")";
  for (const std::string path : {"/", "/v1/sessions", "/metrics", "/x/_doc", "/nothing"}) {
    const auto answer = ask("POST", path);
    EXPECT_EQ(answer.status, 401) << path;
    EXPECT_EQ(field(answer, "WWW-Authenticate"), basic) << path;
  }
  EXPECT_THAT(ask("POST", "/x/_doc").body,
              AllOf(HasSubstr(R"("type":"security_exception")"), HasSubstr("[/x/_doc]")));
  EXPECT_EQ(ask("GET", "/metrics", "", {{"Authorization", "Bearer two"}}).status, 401);
  EXPECT_EQ(ask("GET", "/metrics", "", {{"Authorization", "Bearer one"}}).status, 200);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  const auto lines = log.lines("http-authentication-failed");
  ASSERT_THAT(lines, SizeIs(2));  // one for each reason
  EXPECT_EQ(lines[0].fields.at("peer"), "192.0.2.1");
}

TEST_F(HttpRoutesTest, CountsRequestsByRoute) {
  ask("POST", "/x/_doc", halon("t"));
  ask("POST", "/y/_doc", "rubbish");
  ask("GET", "/whatever/strangers/ask");
  const auto of = [&](std::string_view route, std::size_t status_class) {
    return metrics.http_route(route).by_class.at(status_class - 1).value();
  };
  EXPECT_EQ(of("/{index}/_doc", 2), 1U);
  EXPECT_EQ(of("/{index}/_doc", 4), 1U);
  EXPECT_EQ(of("other", 4), 1U);
}

}  // namespace
}  // namespace rapporteur
