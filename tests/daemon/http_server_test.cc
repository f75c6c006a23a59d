#include "daemon/http_server.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/http_client.h"
#include "support/fake_clock.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::RawClient;
using testing_support::RecordingLog;

// Answers every request with "METHOD PATH SIZE" of what it read.
class Echo final : public HttpHandler {
 public:
  std::size_t enough = SIZE_MAX;  // bytes after which an exchange wants no more
  bool later = false;             // answers wait until answer_all()
  bool admits = true;

  struct Seen {
    std::size_t begun = 0;
    std::size_t ended = 0;
    std::size_t destroyed = 0;
    std::size_t largest_piece = 0;
    std::vector<std::string> peers;
    std::vector<int> statuses;
    std::size_t open = 0;
    std::size_t most_open = 0;
  };

  void admit(const HttpHead&, std::function<void(HttpAdmission)> decide) override {
    // From another thread, as a slow check of a password does.
    const std::lock_guard lock(mutex_);
    checks_.emplace_back([this, decide = std::move(decide)] {
      decide({.granted = admits, .user = "u", .refusal = {.status = 401, .body = "who are you"}});
    });
  }
  // Before the server is destroyed.
  void end_checks() {
    for (auto& check : checks_) check.join();
    checks_.clear();
  }

  std::unique_ptr<HttpExchange> begin(const HttpHead& head, const std::string&) override {
    const std::lock_guard lock(mutex_);
    ++seen_.begun;
    seen_.peers.push_back(head.peer);
    changed_.notify_all();
    return std::make_unique<Exchange>(*this, head.method + " " + head.path);
  }

  HttpAnswer refusal(const HttpHead&, int status, const std::string& why) override {
    return {.status = status, .content_type = "text/plain", .body = why};
  }

  void answered(const HttpHead&, int status, std::chrono::nanoseconds) override {
    const std::lock_guard lock(mutex_);
    seen_.statuses.push_back(status);
  }

  void connections(std::size_t open) override {
    const std::lock_guard lock(mutex_);
    seen_.open = open;
    seen_.most_open = std::max(seen_.most_open, open);
    changed_.notify_all();
  }

  Seen seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  template <class Predicate>
  bool wait_until(Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return predicate(seen_); });
  }

  void answer_all() {
    std::vector<std::function<void()>> waiting;
    {
      const std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
    }
    for (const auto& answer : waiting) answer();
  }

 private:
  class Exchange final : public HttpExchange {
   public:
    Exchange(Echo& echo, std::string name) : echo_(echo), name_(std::move(name)) {}
    ~Exchange() override {
      const std::lock_guard lock(echo_.mutex_);
      ++echo_.seen_.destroyed;
      echo_.changed_.notify_all();
    }
    bool reads_body() const override { return echo_.enough > 0; }
    bool body(std::string_view piece) override {
      const std::lock_guard lock(echo_.mutex_);
      size_ += piece.size();
      echo_.seen_.largest_piece = std::max(echo_.seen_.largest_piece, piece.size());
      return size_ < echo_.enough;
    }
    void end(HttpResponder respond) override {
      const HttpAnswer answer{.body = name_ + " " + std::to_string(size_)};
      const std::lock_guard lock(echo_.mutex_);
      ++echo_.seen_.ended;
      if (echo_.later) {
        echo_.waiting_.push_back([respond, answer] { respond(answer); });
      } else {
        respond(answer);
      }
      echo_.changed_.notify_all();
    }

   private:
    Echo& echo_;
    const std::string name_;
    std::size_t size_ = 0;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  Seen seen_;
  std::vector<std::function<void()>> waiting_;
  std::vector<std::thread> checks_;
};

class HttpServerTest : public testing::Test {
 protected:
  FakeClock clock;
  RecordingLog log;
  Echo echo;
  HttpLimits limits;
  HttpTimes times;
  std::unique_ptr<HttpServer> server;

  void TearDown() override {
    if (server) server->stop();
    echo.end_checks();
    server.reset();
    EXPECT_EQ(echo.seen().open, 0U);
    EXPECT_EQ(echo.seen().begun, echo.seen().destroyed);
  }

  RawClient client() {
    if (!server) {
      auto listener = open_http_listener("127.0.0.1:0");
      EXPECT_TRUE(listener);
      auto made = HttpServer::make(*std::move(listener), {}, limits, times, echo, clock, log);
      EXPECT_TRUE(made);
      server = *std::move(made);
      server->start();
    }
    return RawClient(server->port());
  }
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

std::string post(const std::string& body, const std::string& fields = "") {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOther) {
  auto one = client();
  for (int i = 0; i < 3; ++i) {
    const auto answer = one.ask(post("abc"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "POST /p 3");
    EXPECT_EQ(answer.fields.at("date"), "Fri, 20 Nov 2026 12:00:00 GMT");
    EXPECT_FALSE(answer.fields.contains("connection"));
  }
  EXPECT_THAT(echo.seen().peers, testing::Each("127.0.0.1"));
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInTheirOrder) {
  auto one = client();
  ASSERT_TRUE(one.send(std::string(kGet) + post("ab") + "\r\n" + post("c") + std::string(kGet)));
  for (const auto* want : {"GET /x 0", "POST /p 2", "POST /p 1", "GET /x 0"}) {
    EXPECT_EQ(one.read().body, want);
  }
}

TEST_F(HttpServerTest, ReadsARequestThatComesByteByByte) {
  auto one = client();
  for (const char c : post("body")) ASSERT_TRUE(one.send(std::string(1, c)));
  EXPECT_EQ(one.read().body, "POST /p 4");
}

TEST_F(HttpServerTest, ReadsChunks) {
  auto one = client();
  const std::string head = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(one.ask(head + "3\r\nabc\r\n5;x=y\r\nabcde\r\n0\r\nTrailer: 1\r\n\r\n").body,
            "POST /p 8");
  EXPECT_EQ(one.ask(head + "0\r\n\r\n").body, "POST /p 0");
  for (const char c : head + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") {
    ASSERT_TRUE(one.send(std::string(1, c)));
  }
  EXPECT_EQ(one.read().body, "POST /p 3");
}

TEST_F(HttpServerTest, ClosesWhenTheClientWantsIt) {
  auto one = client();
  const auto answer = one.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.fields.at("connection"), "close");
  EXPECT_TRUE(one.ended());
  auto old = client();
  EXPECT_EQ(old.ask("GET / HTTP/1.0\r\n\r\n").fields.at("connection"), "close");
  EXPECT_TRUE(old.ended());
  auto kept = client();
  EXPECT_EQ(kept.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").fields.at("connection"),
            "keep-alive");
  EXPECT_EQ(kept.ask(kGet).status, 200);
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  auto one = client();
  ASSERT_TRUE(one.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"));
  const auto answer = one.read(true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.at("content-length"), "9");
  EXPECT_EQ(one.ask(kGet).body, "GET /x 0");
}

TEST_F(HttpServerTest, AsksForTheBodyOfWhoWaits) {
  auto one = client();
  ASSERT_TRUE(
      one.send("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
               "Content-Length: 3\r\n\r\n"));
  EXPECT_EQ(one.read().status, 100);
  EXPECT_EQ(one.ask("abc").body, "POST /p 3");
  echo.enough = 0;
  ASSERT_TRUE(
      one.send("POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
               "Content-Length: 3\r\n\r\n"));
  EXPECT_EQ(one.read().status, 200);
  EXPECT_TRUE(one.ended());
}

TEST_F(HttpServerTest, HandsALargeBodyOnInPieces) {
  auto one = client();
  const std::string body(10 << 20, 'x');
  EXPECT_EQ(one.ask(post(body)).body, "POST /p " + std::to_string(body.size()));
  EXPECT_LE(echo.seen().largest_piece, 64U << 10);
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  limits.max_body_bytes = 1000;
  auto one = client();
  EXPECT_EQ(one.ask(post(std::string(1000, 'x'))).status, 200);
  const auto answer = one.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "the body is larger than 1000 bytes");
  EXPECT_TRUE(one.ended());
  auto chunked = client();
  ASSERT_TRUE(
      chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                   std::string(1001, 'x')));
  EXPECT_EQ(chunked.read().status, 413);
  EXPECT_EQ(echo.seen().ended, 1U);
}

// A client that goes on sending still reads why it was refused.
TEST_F(HttpServerTest, TellsAClientThatStillSendsWhyItIsRefused) {
  limits.max_body_bytes = 1000;
  auto one = client();
  one.send(post(std::string(8 << 20, 'x')));
  one.end_sending();
  EXPECT_EQ(one.read().status, 413);
}

TEST_F(HttpServerTest, RefusesAHeaderThatIsTooLong) {
  auto one = client();
  const auto head = [](std::size_t size) {
    return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(size, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(one.ask(head(HttpServer::kMaxHeaderBytes - 100)).status, 200);
  one.send(head(HttpServer::kMaxHeaderBytes));
  EXPECT_EQ(one.read().status, 431);
  EXPECT_TRUE(one.ended());
}

TEST_F(HttpServerTest, RefusesWhatIsNoHttp) {
  for (const std::string text :
       {"rubbish\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
        "GET / HTTP/1.1\r\n\r\n"}) {
    auto one = client();
    one.send(text);
    EXPECT_EQ(one.read().status, 400) << text;
    EXPECT_TRUE(one.ended()) << text;
  }
  EXPECT_EQ(echo.seen().ended, 0U);
}

TEST_F(HttpServerTest, ReadsNoBodyOfWhoIsNotAdmitted) {
  echo.admits = false;
  auto one = client();
  EXPECT_EQ(one.ask(post("little")).status, 401);
  EXPECT_EQ(one.ask(post("little")).status, 401);  // the connection stays
  ASSERT_TRUE(one.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
  EXPECT_EQ(one.read().status, 401);
  EXPECT_TRUE(one.ended());
  EXPECT_EQ(echo.seen().begun, 0U);
}

TEST_F(HttpServerTest, StopsReadingWhenTheExchangeHasEnough) {
  echo.enough = 1000;
  auto one = client();
  EXPECT_EQ(one.ask(post(std::string(2000, 'x'))).status, 200);
  EXPECT_EQ(one.ask(kGet).status, 200);
  ASSERT_TRUE(one.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n" +
                       std::string(2000, 'x')));
  EXPECT_EQ(one.read().status, 200);
  EXPECT_TRUE(one.ended());
}

TEST_F(HttpServerTest, ForgetsARequestThatIsBrokenOff) {
  {
    auto one = client();
    ASSERT_TRUE(one.send("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"));
    one.end_sending();
    EXPECT_TRUE(one.ended());
  }
  EXPECT_TRUE(echo.wait_until([](const auto& seen) { return seen.destroyed == 1; }));
  EXPECT_EQ(echo.seen().ended, 0U);
}

TEST_F(HttpServerTest, GivesUpOnWhoIsTooSlow) {
  times = {.header = 30ms, .silence = 30ms, .idle = 30ms};
  auto idle = client();
  auto half_header = client();
  auto half_body = client();
  ASSERT_TRUE(half_header.send("GET / HTTP/1.1\r\n"));
  ASSERT_TRUE(half_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"));
  EXPECT_TRUE(idle.ended());
  EXPECT_TRUE(half_header.ended());
  EXPECT_TRUE(half_body.ended());
}

TEST_F(HttpServerTest, GivesARequestNoMoreThanItsTime) {
  times = {.request = 100ms};
  auto one = client();
  ASSERT_TRUE(one.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n"));
  const auto began = std::chrono::steady_clock::now();
  while (one.send("x")) {
    ASSERT_LT(std::chrono::steady_clock::now() - began, 20s);
  }
  EXPECT_EQ(echo.seen().ended, 0U);
}

TEST_F(HttpServerTest, OneWhoWaitsHoldsUpNobody) {
  echo.later = true;
  auto one = client();
  ASSERT_TRUE(one.send(post("a")));
  ASSERT_TRUE(echo.wait_until([](const auto& seen) { return seen.ended == 1; }));
  auto two = client();
  ASSERT_TRUE(two.send(post("bc")));
  ASSERT_TRUE(echo.wait_until([](const auto& seen) { return seen.ended == 2; }));
  echo.answer_all();
  EXPECT_EQ(two.read().body, "POST /p 2");
  EXPECT_EQ(one.read().body, "POST /p 1");
}

TEST_F(HttpServerTest, ClosesConnectionsBeyondItsLimit) {
  limits.max_connections = 2;
  auto one = client();
  auto two = client();
  EXPECT_EQ(one.ask(kGet).status, 200);
  EXPECT_EQ(two.ask(kGet).status, 200);
  auto three = client();
  EXPECT_TRUE(three.ended());
  EXPECT_EQ(one.ask(kGet).status, 200);
  EXPECT_EQ(echo.seen().most_open, 2U);
  ASSERT_THAT(log.lines("http-connections-full"), SizeIs(1));
  EXPECT_EQ(log.lines("http-connections-full")[0].fields.at("limit"), "2");
}

TEST_F(HttpServerTest, FollowsNewLimits) {
  auto one = client();
  EXPECT_EQ(one.ask(post("abc")).status, 200);
  ASSERT_TRUE(server->reload({}, {.max_body_bytes = 2}));
  auto two = client();
  EXPECT_EQ(two.ask(post("abc")).status, 413);
}

TEST_F(HttpServerTest, FinishesWhatIsUnderWayWhenItStops) {
  echo.later = true;
  auto idle = client();
  auto one = client();
  ASSERT_TRUE(one.send(post("a")));
  ASSERT_TRUE(echo.wait_until([](const auto& seen) { return seen.ended == 1; }));
  std::thread stopping([this] { server->stop(); });
  EXPECT_TRUE(idle.ended());
  echo.answer_all();
  const auto answer = one.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.fields.at("connection"), "close");
  EXPECT_TRUE(one.ended());
  stopping.join();
  EXPECT_FALSE(client().connected());
}

TEST_F(HttpServerTest, BreaksOffWhatDoesNotEndWhenItStops) {
  times = {.stop = 20ms};
  echo.later = true;
  auto one = client();
  ASSERT_TRUE(one.send(post("a")));
  ASSERT_TRUE(echo.wait_until([](const auto& seen) { return seen.ended == 1; }));
  auto half = client();
  ASSERT_TRUE(half.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"));
  ASSERT_TRUE(echo.wait_until([](const auto& seen) { return seen.begun == 2; }));
  server->stop();
  EXPECT_TRUE(one.ended());
  EXPECT_TRUE(half.ended());
  echo.answer_all();  // too late, and harmless
}

TEST_F(HttpServerTest, SaysWhyACertificateCannotBeUsed) {
  auto listener = open_http_listener("127.0.0.1:0");
  ASSERT_TRUE(listener);
  const std::string data = std::string(TEST_ROOT) + "/base/data/";
  const auto made =
      HttpServer::make(*std::move(listener), {data + "listener.pem", data + "other-listener.key"},
                       limits, times, echo, clock, log);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().fault, Fault::kConfig);
  EXPECT_THAT(made.error().text, testing::HasSubstr("other-listener.key cannot be used: error:"));
}

TEST_F(HttpServerTest, KeepsItsCertificateWhenTheNewOneCannotBeUsed) {
  const std::string data = std::string(TEST_ROOT) + "/base/data/";
  auto one = client();
  EXPECT_FALSE(server->reload({data + "listener.pem", data + "other-listener.key"}, {}));
  EXPECT_EQ(one.ask(kGet).status, 200);
  EXPECT_EQ(client().ask(kGet).status, 200);
}

TEST(HttpListener, KnowsWhereItIs) {
  const auto v4 = open_http_listener("127.0.0.1:0");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->address, "127.0.0.1:" + std::to_string(v4->port));
  EXPECT_TRUE(v4->loopback);
  const auto all = open_http_listener("0.0.0.0:0");
  ASSERT_TRUE(all);
  EXPECT_FALSE(all->loopback);
  const auto taken = open_http_listener(v4->address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().text, "cannot listen on " + v4->address + ": Address already in use");
}

}  // namespace
}  // namespace rapporteur
