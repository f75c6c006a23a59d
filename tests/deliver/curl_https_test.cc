#include "deliver/curl_https.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "deliver/loopback.h"

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using Outcome = Reply::Outcome;
using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing_support::DeadPort;
using testing_support::LoopbackServer;
using testing_support::Peer;
using testing_support::TestCertificate;

// An HTTPS server that gives one answer to every request and keeps what was asked.
class HttpsServer {
 public:
  struct Request {
    std::vector<std::string> header;
    std::string body;
  };

  // Closes a connection behind so many requests, without a word.
  explicit HttpsServer(std::string answer, int requests_each = 1'000)
      : answer_(std::move(answer)),
        requests_each_(requests_each),
        server_([this](Peer& peer) { serve(peer); }) {}

  std::string url(const std::string& host = "localhost") const {
    return "https://" + host + ":" + server_.port() + "/v1/tlsrpt?x=1";
  }
  const TestCertificate& certificate() const { return certificate_; }
  int connections() const { return server_.connections(); }
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(Peer& peer) {
    if (!peer.start_tls(certificate_.server())) return;
    for (int taken = 0; taken < requests_each_; ++taken) {
      Request request;
      std::size_t length = 0;
      for (auto line = peer.line(); line != ""; line = peer.line()) {
        if (!line) return;
        if (starts_with_ignoring_case(*line, "Content-Length: ")) {
          length = std::strtoul(line->c_str() + 16, nullptr, 10);
        }
        request.header.push_back(*line);
      }
      request.body = peer.bytes(length);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      if (answer_.empty()) return;
      peer.write(answer_);
    }
  }

  TestCertificate certificate_;
  std::string answer_;  // empty: closes instead
  const int requests_each_;
  std::mutex mutex_;
  std::vector<Request> requests_;
  LoopbackServer server_;  // last: its thread uses the others
};

std::string answer(const std::string& status, const std::string& body = "",
                   const std::string& header = "") {
  return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

HttpsOptions options_for(const HttpsServer& server) {
  HttpsOptions options;
  options.ca_file = server.certificate().path();
  options.timeout = 10s;
  options.exceptions.networks.push_back(*parse_ip_network("127.0.0.0/8"));
  return options;
}

const std::string kBody("\x1f\x8b\x08\0gzip\0\xff", 10);

Reply post_once(const HttpsOptions& options, const std::string& url) {
  const Interrupt interrupt;
  return make_https_transport(options, interrupt)->post(url, kBody);
}

TEST(CurlHttps, PostsTheGzipBodyAndNothingElse) {
  HttpsServer server(answer("201 Created"));
  const auto reply = post_once(options_for(server), server.url());
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(reply.text, "201 Created (POST)");
  ASSERT_THAT(server.requests(), SizeIs(1));
  const auto request = server.requests().front();
  EXPECT_EQ(request.body, kBody);
  EXPECT_EQ(request.header.front(), "POST /v1/tlsrpt?x=1 HTTP/1.1");
  EXPECT_THAT(
      request.header,
      AllOf(Contains("Content-Type: application/tlsrpt+gzip"), Contains("Content-Length: 10"),
            Not(Contains(StartsWith("Expect"))), Not(Contains(StartsWith("Content-Encoding")))));
}

TEST(CurlHttps, ReusesItsConnection) {
  HttpsServer server(answer("200 OK"));
  const Interrupt interrupt;
  const auto transport = make_https_transport(options_for(server), interrupt);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(transport->post(server.url(), kBody).outcome, Outcome::kAccepted);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlHttps, ReusesTheConnectionsOfHostsThatTakeTurns) {
  std::vector<std::unique_ptr<HttpsServer>> servers;
  for (int i = 0; i < 6; ++i) {
    servers.push_back(std::make_unique<HttpsServer>(answer("200 OK")));
  }
  auto options = options_for(*servers[0]);
  options.verify = false;  // each has a certificate of its own
  const Interrupt interrupt;
  const auto transport = make_https_transport(options, interrupt);
  for (int round = 0; round < 3; ++round) {
    for (const auto& server : servers) {
      EXPECT_EQ(transport->post(server->url(), kBody).outcome, Outcome::kAccepted);
    }
  }
  for (const auto& server : servers) {
    EXPECT_EQ(server->connections(), 1);
    EXPECT_THAT(server->requests(), SizeIs(3));
  }
}

TEST(CurlHttps, OpensANewConnectionWhenTheServerHasClosedTheOldOne) {
  HttpsServer server(answer("200 OK"), 1);
  const Interrupt interrupt;
  const auto transport = make_https_transport(options_for(server), interrupt);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(transport->post(server.url(), kBody).outcome, Outcome::kAccepted);
  }
  EXPECT_THAT(server.requests(), SizeIs(3)) << "each once";
}

struct StatusCase {
  const char* name;
  std::string answer;
  Outcome want;
  const char* text;
};
void PrintTo(const StatusCase& status, std::ostream* out) {
  *out << status.name;
}
class HttpsAnswer : public testing::TestWithParam<StatusCase> {};

TEST_P(HttpsAnswer, IsJudgedByItsStatus) {
  HttpsServer server(GetParam().answer);
  const auto reply = post_once(options_for(server), server.url());
  EXPECT_EQ(reply.outcome, GetParam().want);
  EXPECT_EQ(reply.text, GetParam().text);
  EXPECT_THAT(server.requests(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(
    Status, HttpsAnswer,
    testing::Values(StatusCase{"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", Outcome::kAccepted,
                               "204 No Content (POST)"},
                    StatusCase{"NoReason", answer("200"), Outcome::kAccepted, "200 (POST)"},
                    StatusCase{"RedirectIsNotFollowed",
                               answer("307 Moved", "", "Location: https://localhost/\r\n"),
                               Outcome::kPermanent, "307 Moved (POST)"},
                    StatusCase{"RefusedWithWords",
                               answer("400 Bad Request", "report too\r\nold\r\n"),
                               Outcome::kPermanent, "400 Bad Request: report tooold (POST)"},
                    StatusCase{"RefusedWithAPage", answer("404 Not Found", "<html>…</html>"),
                               Outcome::kPermanent, "404 Not Found (POST)"},
                    StatusCase{"Unavailable", answer("503 Service Unavailable"),
                               Outcome::kTemporary, "503 Service Unavailable (POST)"},
                    StatusCase{"InterimAnswersAreSkipped",
                               "HTTP/1.1 103 Early Hints\r\n\r\n" + answer("200 OK"),
                               Outcome::kAccepted, "200 OK (POST)"}),
    [](const auto& test) { return test.param.name; });

TEST(CurlHttps, HonoursRetryAfterOfATemporaryAnswerOnly) {
  HttpsServer busy(answer("429 Too Many Requests", "", "retry-after: 120\r\n"));
  EXPECT_EQ(post_once(options_for(busy), busy.url()).retry_after, 120s);
  HttpsServer refusing(answer("403 Forbidden", "", "Retry-After: 120\r\n"));
  EXPECT_EQ(post_once(options_for(refusing), refusing.url()).retry_after, std::nullopt);
}

TEST(CurlHttps, ReadsNoMoreThanItsLimitOfAnAnswer) {
  const std::string much(4 * kMaxResponseBytes, 'x');
  HttpsServer wordy(answer("200 OK", much));
  EXPECT_EQ(post_once(options_for(wordy), wordy.url()).outcome, Outcome::kAccepted);
  HttpsServer refusing(answer("400 Bad Request", much));
  const auto refused = post_once(options_for(refusing), refusing.url());
  EXPECT_EQ(refused.outcome, Outcome::kPermanent);
  EXPECT_THAT(refused.text, SizeIs(testing::Lt(300U)));
  std::string header = "HTTP/1.1 200 OK\r\n";
  while (header.size() < 2 * kMaxResponseBytes)
    header += "X-Much: " + std::string(1000, 'x') + "\r\n";
  HttpsServer endless(header);
  const auto reply = post_once(options_for(endless), endless.url());
  EXPECT_EQ(reply.outcome, Outcome::kAccepted) << "its status said so";
}

TEST(CurlHttps, AConnectionLostWithoutAnAnswerIsUncertain) {
  HttpsServer server("");
  const auto reply = post_once(options_for(server), server.url());
  EXPECT_EQ(reply.outcome, Outcome::kUncertain);
  EXPECT_EQ(reply.stage, Stage::kRequest);
  EXPECT_EQ(reply.code, 0);
}

TEST(CurlHttps, VerifiesChainAndName) {
  HttpsServer server(answer("200 OK"));
  const TestCertificate other;
  auto options = options_for(server);
  options.ca_file = other.path();
  const auto untrusted = post_once(options, server.url());
  EXPECT_EQ(untrusted.outcome, Outcome::kTemporary);
  EXPECT_EQ(untrusted.stage, Stage::kConnect);
  EXPECT_THAT(untrusted.text, HasSubstr("certificate"));
  EXPECT_EQ(post_once(options_for(server), server.url("127.0.0.2")).outcome, Outcome::kTemporary);
  options.verify = false;
  EXPECT_EQ(post_once(options, server.url()).outcome, Outcome::kAccepted);
}

TEST(CurlHttps, AServerThatDoesNotAnswerIsGivenUpAfterTheTimeLimit) {
  LoopbackServer server([](Peer& peer) { peer.await_close(); });
  HttpsOptions options;
  options.timeout = 100ms;
  options.exceptions.hosts = {"localhost"};
  const auto reply = post_once(options, "https://localhost:" + server.port() + "/");
  EXPECT_EQ(reply.outcome, Outcome::kTemporary);
  EXPECT_EQ(reply.stage, Stage::kConnect);
}

TEST(CurlHttps, ARefusedConnectionIsTemporary) {
  const DeadPort dead;
  HttpsOptions options;
  options.exceptions.hosts = {"localhost"};
  const auto reply = post_once(options, "https://localhost:" + dead.port() + "/");
  EXPECT_EQ(reply.outcome, Outcome::kTemporary);
  EXPECT_EQ(reply.stage, Stage::kConnect);
  EXPECT_THAT(reply.text, EndsWith("(connect)"));
}

struct GuardCase {
  const char* name;
  const char* host;
  const char* text;
};
class GuardedHost : public testing::TestWithParam<GuardCase> {};

TEST_P(GuardedHost, IsNeverConnectedTo) {
  HttpsServer server(answer("200 OK"));
  auto options = options_for(server);
  options.exceptions = {};
  const auto reply = post_once(options, server.url(GetParam().host));
  EXPECT_EQ(reply.outcome, Outcome::kRefusedByGuard);
  EXPECT_EQ(reply.text, "refused: " + std::string(GetParam().text) + " (connect)");
  EXPECT_EQ(server.connections(), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Spelling, GuardedHost,
    testing::Values(GuardCase{"Dotted", "127.0.0.1", "127.0.0.1 is not globally reachable"},
                    GuardCase{"Decimal", "2130706433", "127.0.0.1 is not globally reachable"},
                    GuardCase{"Hex", "0x7f.1", "127.0.0.1 is not globally reachable"},
                    GuardCase{"Mapped", "[::ffff:127.0.0.1]",
                              "127.0.0.1 is not globally reachable"},
                    GuardCase{"Private", "10.0.0.1", "10.0.0.1 is not globally reachable"}),
    [](const auto& test) { return test.param.name; });

TEST(CurlHttpsGuard, JudgesWhatANameResolvesTo) {
  HttpsServer server(answer("200 OK"));
  auto options = options_for(server);
  EXPECT_EQ(post_once(options, server.url("localhost")).outcome, Outcome::kAccepted);
  options.exceptions = {};
  EXPECT_EQ(post_once(options, server.url("localhost")).outcome, Outcome::kRefusedByGuard);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CurlHttpsGuard, RefusesPortsOfOtherServices) {
  HttpsOptions options;
  options.exceptions.hosts = {"localhost"};
  EXPECT_EQ(post_once(options, "https://localhost:25/").text,
            "refused: port 25 is neither 443 nor in 1024 to 65535 (connect)");
}

TEST(CurlHttpsGuard, RefusesUrlsOfOtherKinds) {
  for (const std::string url : {"http://localhost:8080/", "https://user:pw@localhost:8443/",
                                "https://", "file:///etc/passwd", "", "https://a b/"}) {
    const auto reply = post_once({}, url);
    EXPECT_EQ(reply.outcome, Outcome::kPermanent) << url;
    EXPECT_EQ(reply.text, "refused: not a usable https URL (connect)") << url;
  }
}

TEST(CurlHttpsGuard, WithAProxyJudgesTheUrlAndLeavesTheProxyAlone) {
  std::atomic<bool> asked{false};
  LoopbackServer proxy([&](Peer& peer) {
    const auto line = peer.line();
    asked = line && line->starts_with("CONNECT reports.example.com:443 ");
    peer.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  HttpsOptions options;
  options.proxy = "http://127.0.0.1:" + proxy.port();
  const auto reply = post_once(options, "https://reports.example.com/");
  EXPECT_TRUE(asked);
  EXPECT_EQ(reply.outcome, Outcome::kTemporary) << "the proxy's answer is not the destination's";
  EXPECT_EQ(post_once(options, "https://10.0.0.1/").outcome, Outcome::kRefusedByGuard);
  EXPECT_EQ(post_once(options, "https://localhost/").outcome, Outcome::kRefusedByGuard);
  EXPECT_EQ(proxy.connections(), 1);
}

TEST(CurlHttps, TakesNoProxyFromTheEnvironment) {
  LoopbackServer proxy([](Peer&) {});
  const auto value = "http://127.0.0.1:" + proxy.port();
  ::setenv("https_proxy", value.c_str(), 1);
  ::setenv("all_proxy", value.c_str(), 1);
  HttpsServer server(answer("200 OK"));
  const auto reply = post_once(options_for(server), server.url());
  ::unsetenv("https_proxy");
  ::unsetenv("all_proxy");
  EXPECT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(CurlHttps, IsBrokenOffBeforeTheBodyIsOut) {
  Interrupt interrupt;
  LoopbackServer server([&](Peer& peer) {
    interrupt.before_final = true;  // connected, the handshake never ends
    peer.await_close();
  });
  HttpsOptions options;
  options.exceptions.hosts = {"localhost"};
  const auto transport = make_https_transport(options, interrupt);
  const auto reply = transport->post("https://localhost:" + server.port() + "/", kBody);
  EXPECT_EQ(reply.outcome, Outcome::kInterrupted);
}

TEST(CurlHttps, AnAnswerThatIsBrokenOffIsUncertain) {
  const TestCertificate certificate;
  Interrupt interrupt;
  LoopbackServer server([&](Peer& peer) {
    if (!peer.start_tls(certificate.server())) return;
    while (const auto line = peer.line()) {
      if (line->empty()) break;
    }
    peer.bytes(kBody.size());
    interrupt.before_final = true;
    interrupt.everything = true;
    peer.await_close();
  });
  HttpsOptions options;
  options.ca_file = certificate.path();
  options.exceptions.hosts = {"localhost"};
  const auto transport = make_https_transport(options, interrupt);
  const auto reply = transport->post("https://localhost:" + server.port() + "/", kBody);
  EXPECT_EQ(reply.outcome, Outcome::kUncertain);
  EXPECT_EQ(reply.text, "broken off by a stop (POST)");
}

}  // namespace
}  // namespace rapporteur
