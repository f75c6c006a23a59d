#include "bench/http_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "daemon/http_service.h"
#include "daemon/recording.h"
#include "daemon/shared_state.h"
#include "store/open.h"

namespace rapporteur::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

double since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

class Connection {
 public:
  explicit Connection(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const auto* to = reinterpret_cast<const sockaddr*>(&address);
    if (connect(socket_, to, sizeof address) != 0) std::abort();
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The status of the answer, which is read to its end.
  std::string post(const std::string& path, const std::string& type, const std::string& body) {
    send_all("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    send_all(body);
    return read_answer();
  }

 private:
  void send_all(const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto count = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) std::abort();
      sent += static_cast<std::size_t>(count);
    }
  }

  std::string read_answer() {
    constexpr std::string_view kLength = "Content-Length: ";
    std::string answer;
    char buffer[4096];
    for (;;) {
      const auto head = answer.find("\r\n\r\n");
      if (head != answer.npos) {
        const auto at = answer.find(kLength);
        if (at == answer.npos) std::abort();
        const auto length = std::strtoul(answer.c_str() + at + kLength.size(), nullptr, 10);
        if (answer.size() >= head + 4 + length) return answer.substr(9, 3);
      }
      const auto count = recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) std::abort();
      answer.append(buffer, static_cast<std::size_t>(count));
    }
  }

  int socket_;
};

std::string document(unsigned number) {
  return R"({"timestamp":)" + std::to_string(1'795'000'000'000 + number) +
         R"(,"transactionid":"5f0a7c1e-f1a2-11f0-9b1c-)" + std::to_string(number) +
         R"(:1","policy-domain":"d)" + std::to_string(number % 1000) +
         R"(.example","policy-type":"no-policy-found","result-type":"success",)"
         R"("sending-mta-ip":"192.0.2.10","receiving-mx-hostname":"mx.example",)"
         R"("receiving-ip":"198.51.100.25"})";
}

}  // namespace

void with_http_server(const std::string& folder, const std::function<void(std::uint16_t)>& client) {
  auto loaded = parse_config(
      "[system]\ndomain = \"example.net\"\n[ingest]\nmaxAge = \"3650d\"\n"
      "[http]\nlisten = \"127.0.0.1:0\"\n",
      "bench.toml");
  if (!loaded.config) std::abort();
  const SystemClock clock;
  SystemRandom random;
  const auto log = make_stderr_log(LogLevel::kError, LogFormat::kText);
  const auto url = "sqlite:" + folder + "/http.db";
  auto store = open_store(url, random);
  auto looked_at = open_store(url, random);
  auto listener = open_http_listener(loaded.config->http->listen);
  if (!store || !looked_at || !listener) std::abort();
  const auto port = listener->port;
  SharedState shared(loaded.config);
  Monitor monitor(*std::move(looked_at), clock, shared.metrics, shared.health);
  std::unique_ptr<HttpService> service;  // ends after the recording
  Recording recording(**store, clock, *log, shared);
  auto made = HttpService::make(*loaded.config, *std::move(listener),
                                {recording, monitor, shared.metrics, clock, random, *log});
  if (!made) std::abort();
  service = *std::move(made);
  std::thread recorder([&] { recording.serve(); });
  service->start();
  client(port);
  service->stop();
  recording.stop();
  recorder.join();
}

double time_of_post(std::uint16_t port, const std::string& body) {
  Connection connection(port);
  const auto start = SteadyClock::now();
  if (connection.post("/v1/sessions", "application/x-ndjson", body) != "200") std::abort();
  return since(start);
}

Latencies documents(std::uint16_t port, unsigned connections, unsigned requests) {
  std::vector<std::vector<double>> milliseconds(connections);
  std::vector<std::thread> clients;
  const auto start = SteadyClock::now();
  for (unsigned c = 0; c < connections; ++c) {
    clients.emplace_back([&, c] {
      Connection connection(port);
      for (unsigned number = c; number < requests; number += connections) {
        const auto body = document(number);
        const auto began = SteadyClock::now();
        if (connection.post("/tlsrpt-alias/_doc", "application/json", body) != "201") std::abort();
        milliseconds[c].push_back(since(began) * 1000);
      }
    });
  }
  for (auto& client : clients) client.join();
  const auto seconds = since(start);
  std::vector<double> all;
  for (const auto& some : milliseconds) all.insert(all.end(), some.begin(), some.end());
  std::ranges::sort(all);
  return {static_cast<double>(requests) / seconds, all[all.size() / 2], all[all.size() * 99 / 100]};
}

}  // namespace rapporteur::bench
