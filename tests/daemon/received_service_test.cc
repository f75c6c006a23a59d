// The listener for reports of others, over sockets, and the watch over Maildirs.

#include "daemon/received_service.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/http_client.h"
#include "report/gzip.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/recording_log.h"

namespace rapporteur {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing_support::FakeClock;
using testing_support::FixedRandom;
using testing_support::RawClient;
using testing_support::RecordingLog;
namespace fs = std::filesystem;

std::string report(const std::string& id, const std::string& domain = "a.example") {
  return R"({"organization-name":"B","date-range":{"start-datetime":"2026-11-19T00:00:00Z",)"
         R"("end-datetime":"2026-11-19T23:59:59Z"},"contact-info":"a@b.example","report-id":")" +
         id + R"(","policies":[{"policy":{"policy-type":"sts","policy-domain":")" + domain +
         R"("},"summary":{"total-successful-session-count":5,"total-failure-session-count":0}}]})";
}

class ReceivedServiceTest : public testing::Test {
 protected:
  ReceivedServiceTest() {
    std::string pattern = (fs::temp_directory_path() / "received_testXXXXXX").string();
    folder = mkdtemp(pattern.data());
    maildir = folder / "maildir";
    for (const auto* part : {"tmp", "new", "cur"}) fs::create_directories(maildir / part);
    use("");
  }
  ~ReceivedServiceTest() override {
    if (service) stop();
    fs::remove_all(folder);
  }

  std::unique_ptr<Store> open() {
    return *open_store("sqlite:" + (folder / "db").string(), random);
  }

  std::shared_ptr<const Config> config_of(const std::string& more) {
    auto loaded = parse_config(
        "[system]\ndomain = \"a.example\"\n[received]\n"
        "listen = \"127.0.0.1:0\"\nmaildir = [\"" +
            maildir.string() + "\"]\n" + more,
        "test.toml");
    EXPECT_TRUE(loaded.config);
    return loaded.config;
  }
  void use(const std::string& more) {
    if (shared) {
      shared->config.set(config_of(more));
    } else {
      shared = std::make_unique<SharedState>(config_of(more));
    }
  }

  void start() {
    service.emplace(ReceivedService::Needs{
        .post_store = open(), .mail_store = open(), .clock = clock, .log = log, .shared = *shared});
    auto listener = open_http_listener("127.0.0.1:0", "received");
    ASSERT_TRUE(listener);
    port = listener->port;
    ASSERT_TRUE(service->listen(shared->config.get()->received, *std::move(listener)));
    service->start();
  }
  void stop() {
    shared->stopping = true;
    service->stop();
    service.reset();
  }

  static std::string request(const std::string& body,
                             const std::string& type = "application/tlsrpt+gzip",
                             const std::string& start = "POST /v1/tlsrpt") {
    return start + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  testing_support::RawAnswer ask(const std::string& text) {
    RawClient client(port);
    client.send(text);
    return client.read();
  }

  std::vector<KeptReport> kept() { return *open()->received({}); }

  void eventually(const std::function<bool()>& holds, const char* what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << what;
      std::this_thread::yield();
    }
  }

  fs::path folder;
  fs::path maildir;
  FakeClock clock;
  FixedRandom random;
  RecordingLog log;
  std::unique_ptr<SharedState> shared;
  std::optional<ReceivedService> service;
  std::uint16_t port = 0;
};

TEST_F(ReceivedServiceTest, APostIsStoredBeforeItIsAnswered) {
  start();
  const auto answer = ask(request(gzip(report("1"))));
  EXPECT_EQ(answer.status, 201);
  const auto stored = kept();
  ASSERT_THAT(stored, SizeIs(1));
  EXPECT_EQ(stored[0].trust, Trust::kHttps);
  EXPECT_EQ(answer.body, "{\"status\":\"stored\",\"id\":\"" + stored[0].id + "\"}\n");
  EXPECT_EQ(ask(request(report("1"), "application/tlsrpt+json; charset=utf-8")).status, 200);
  EXPECT_THAT(kept(), SizeIs(1));
}

TEST_F(ReceivedServiceTest, NothingElseIsServed) {
  start();
  EXPECT_EQ(ask(request("x", "text/plain")).status, 415);
  EXPECT_EQ(ask(request("x", "")).status, 415);
  EXPECT_EQ(ask(request("hello")).status, 400);
  EXPECT_EQ(ask(request(gzip("{}"))).status, 400);
  for (const auto* path : {"GET /metrics", "GET /", "POST /v1/sessions", "POST /v1/tlsrpt/x"}) {
    EXPECT_EQ(ask(request("", "application/tlsrpt+gzip", path)).status, 404) << path;
  }
  const auto get = ask(request("", "application/tlsrpt+gzip", "GET /v1/tlsrpt"));
  EXPECT_EQ(get.status, 405);
  EXPECT_EQ(get.fields.at("allow"), "POST");
  EXPECT_EQ(ask("POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Type: application/tlsrpt+gzip\r\n"
                "Content-Length: 10000001\r\n\r\n")
                .status,
            413);
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(ReceivedServiceTest, AnswersSayWhy) {
  use("domains = [\"a.example\"]\n");
  start();
  EXPECT_THAT(ask(request(gzip(report("1", "z.example")))).body,
              HasSubstr("it is not about our domains but about z.example"));
  EXPECT_THAT(ask(request("hello")).body, HasSubstr("neither JSON nor gzip"));
}

TEST_F(ReceivedServiceTest, AReloadHoldsForTheNextPost) {
  start();
  EXPECT_EQ(ask(request(report("1", "z.example"))).status, 201);
  use("domains = [\"a.example\"]\n");
  ASSERT_TRUE(service->use(shared->config.get()->received));
  EXPECT_EQ(ask(request(report("2", "z.example"))).status, 400);
}

TEST_F(ReceivedServiceTest, AClientThatAsksTooOftenIsPutOff) {
  start();
  RawClient client(port);
  std::vector<int> answers;
  for (std::size_t i = 0; i < TlsrptRoutes::kPostBurst + 100; ++i) {
    ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    const auto answer = client.read();
    answers.push_back(answer.status);
    if (answer.status != 429) continue;
    EXPECT_TRUE(answer.fields.contains("retry-after"));
    break;
  }
  ASSERT_EQ(answers.back(), 429);
  EXPECT_GE(answers.size(), TlsrptRoutes::kPostBurst);
  answers.pop_back();
  EXPECT_THAT(answers, Each(404));
  EXPECT_EQ(log.count("http-too-many-requests"), 1U);
}

TEST_F(ReceivedServiceTest, AClientHasSoManyConnections) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    clients.back()->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_EQ(clients.back()->read().status, 404) << i;
  }
  RawClient one_more(port);
  one_more.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(one_more.read().status, 0);
  EXPECT_EQ(shared->metrics.http_connections_full.value(), 1U);
  clients.clear();
  eventually([&] { return ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").status == 404; },
             "places become free");
}

// Uploads that stop half-way: one client must not take the room of all.
TEST_F(ReceivedServiceTest, AClientHasSoMuchRoom) {
  start();
  const std::string half(9'000'000, 'x');
  const std::string head =
      "POST /v1/tlsrpt HTTP/1.1\r\nHost: x\r\nContent-Type: application/tlsrpt+gzip\r\n"
      "Content-Length: 9999999\r\n\r\n";
  RawClient first(port);
  ASSERT_TRUE(first.send(head + half));
  RawClient second(port);
  second.send(head + half);
  EXPECT_EQ(second.read().status, 503);
  first.end_sending();
  EXPECT_EQ(first.read().status, 0) << "it was never complete";
  EXPECT_EQ(ask(request(report("1"))).status, 201);
}

TEST_F(ReceivedServiceTest, ACommandHoldsUpNoAnswer) {
  const auto mark = folder / "mark";
  use("onNewFailure = [\"/bin/sh\", \"-c\", \"touch '" + mark.string() + "'; exec sleep 600\"]\n");
  start();
  auto failing = report("1");
  const std::string none = "\"total-failure-session-count\":0}";
  failing.replace(failing.find(none), none.size(),
                  "\"total-failure-session-count\":2},\"failure-details\":[{\"result-type\":"
                  "\"certificate-expired\",\"failed-session-count\":2}]");
  EXPECT_EQ(ask(request(failing)).status, 201);
  eventually([&] { return fs::exists(mark); }, "the command runs");
  EXPECT_EQ(ask(request(report("2"))).status, 201);
  stop();
  EXPECT_EQ(log.count("new-failure-command-failed"), 1U);
}

TEST_F(ReceivedServiceTest, AStopAnswersWhatItHasTaken) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    clients.back()->send(request(report(std::to_string(i))));
  }
  EXPECT_EQ(clients.front()->read().status, 201);
  stop();
  std::size_t answered = 1;
  for (std::size_t i = 1; i < clients.size(); ++i) {
    if (clients[i]->read().status == 201) ++answered;
  }
  EXPECT_EQ(kept().size(), answered) << "what is stored was answered, and the reverse";
}

TEST_F(ReceivedServiceTest, OthersThanThisMachineNeedTls) {
  ReceivedService other(ReceivedService::Needs{
      .post_store = open(), .mail_store = open(), .clock = clock, .log = log, .shared = *shared});
  auto listener = open_http_listener("127.0.0.1:0", "received");
  ASSERT_TRUE(listener);
  listener->loopback = false;
  const auto listening = other.listen(shared->config.get()->received, *std::move(listener));
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().fault, Fault::kConfig);
  EXPECT_THAT(listening.error().text, HasSubstr("needs certificate and key in [received]"));
}

TEST_F(ReceivedServiceTest, AMaildirIsWatched) {
  std::ofstream(maildir / "new" / "1") << "From: a@b.example\n\n" + report("1");
  std::ofstream(maildir / "new" / "2") << "Subject: no report\n\nhello\n";
  start();
  eventually([&] { return fs::is_empty(maildir / "new"); }, "the Maildir is emptied");
  const auto stored = kept();
  ASSERT_THAT(stored, SizeIs(1));
  EXPECT_EQ(stored[0].trust, Trust::kUnverified);
  EXPECT_EQ(log.count("report-refused"), 1U);
  EXPECT_TRUE(fs::exists(maildir / "cur" / "2:2,S"));
}

TEST_F(ReceivedServiceTest, AMaildirThatIsMissingIsAProblemUntilItIsThere) {
  fs::remove_all(maildir);
  start();
  eventually([&] { return !shared->health.problems().empty(); }, "it is a problem");
  ASSERT_THAT(shared->health.problems(), SizeIs(1));
  EXPECT_EQ(log.count("reports-not-taken"), 1U);
  EXPECT_EQ(shared->health.problems()[0].problem, Problem::kReceivedMail);
  for (const auto* part : {"tmp", "new", "cur"}) fs::create_directories(maildir / part);
  eventually([&] { return shared->health.problems().empty(); }, "it is mended");
}

TEST_F(ReceivedServiceTest, WhatWasKeptLongEnoughIsRemoved) {
  use("keep = \"5d\"\n");
  {
    start();
    EXPECT_EQ(ask(request(report("1"))).status, 201);
    stop();
  }
  clock.advance(std::chrono::hours(24 * 6));
  shared->stopping = false;
  start();
  eventually([&] { return kept().empty(); }, "it is removed");
}

}  // namespace
}  // namespace rapporteur
