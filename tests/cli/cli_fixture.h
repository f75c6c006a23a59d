#pragma once
// The command line with a configuration and an SQLite store in a folder of its own, a clock that
// stands still and a DNS that is a table.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "report/gzip.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/fixed_random.h"
#include "support/table_resolver.h"

namespace rapporteur {

using OrderedJson = nlohmann::ordered_json;  // the order of keys is part of what is promised

inline Time at(const char* text) {
  return *parse_time(text);
}

// Hands on what several owners ask of one resolver.
class SharedResolver final : public Resolver {
 public:
  explicit SharedResolver(Resolver& resolver) : resolver_(resolver) {}
  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    return resolver_.ask(questions);
  }
  void interrupt() override { resolver_.interrupt(); }

 private:
  Resolver& resolver_;
};

class CliTest : public testing::Test {
 protected:
  struct Outcome {
    int code = 0;
    std::string out;
    std::string err;

    OrderedJson json() const { return OrderedJson::parse(out, nullptr, false); }
  };

  CliTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cli_testXXXXXX").string();
    folder = mkdtemp(pattern.data());
    config_path = folder / "rapporteur.toml";
    configure("");
  }
  ~CliTest() override { std::filesystem::remove_all(folder); }

  // `more` follows the tables that every test needs.
  void configure(const std::string& more) {
    write(config_path,
          "[system]\ndomain = \"reporter.example\"\nhostname = \"mx.reporter.example\"\n"
          "[store]\nurl = \"" +
              store_url() +
              "\"\n"
              "[schedule]\nspread = { hourly = \"0s\", daily = \"0s\", weekly = \"0s\" }\n"
              "[delivery.smtp]\nrelaySigns = true\n" +
              more);
  }

  std::string store_url() const { return "sqlite:" + (folder / "store.db").string(); }

  static void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  std::unique_ptr<Store> store() {
    auto opened = open_store(store_url(), random);
    EXPECT_TRUE(opened) << opened.error().text;
    return *std::move(opened);
  }

  // Runs with --config, so that arguments may be anything.
  Outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--config", config_path.string()});
    return run_bare(arguments);
  }

  Outcome run_bare(const std::vector<std::string>& arguments) {
    std::ostringstream out;
    std::ostringstream err;
    const World world{
        .clock = clock,
        .random = random,
        .open_store =
            [this](const std::string& url, const StoreOptions& options) {
              store_options = options;
              return open_store(url, random, options);
            },
        .make_resolver =
            [this](const ResolverOptions& options) -> Result<std::unique_ptr<Resolver>> {
          resolver_options = options;
          return std::unique_ptr<Resolver>(std::make_unique<SharedResolver>(resolver));
        },
        .run_daemon =
            [this](const RunRequest& request) {
              daemon_requests.push_back(request);
              return daemon_exit;
            },
        .environment =
            [this](const char* name) {
              return std::string(name) == "RAPPORTEUR_CONFIG" ? environment_config : "";
            },
        .confirm =
            [this] {
              ++asked;
              return answer;
            },
        .out = out,
        .err = err,
        .make_transports = make_transports,
        .clock_is_synchronised = [this] { return clock_is_kept; },
    };
    Outcome outcome;
    outcome.code = run_command_line(arguments, world);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  // A line of the native form: one session of `domain`, failed if `failure` is a result type.
  static std::string session(const std::string& domain, const std::string& time,
                             const std::string& failure = "") {
    OrderedJson policy = {
        {"policy", {{"policy-type", "no-policy-found"}, {"policy-domain", domain}}},
        {"type", failure.empty() ? 1 : 0}};
    if (!failure.empty()) {
      policy["failure-details"] = {{{"result-type", failure},
                                    {"sending-mta-ip", "192.0.2.1"},
                                    {"receiving-mx-hostname", "mx." + domain}}};
    }
    OrderedJson line = {{"epoch", at(time.c_str()).time_since_epoch().count()},
                        {"recipient-domain", domain},
                        {"tlsrpt-record", "v=TLSRPTv1; rua=mailto:tls@" + domain},
                        {"policies", {policy}}};
    return line.dump() + "\n";
  }

  // Counts the lines through `rapporteur ingest`.
  void ingest(const std::string& lines) {
    const auto path = folder / ("sessions" + std::to_string(++files) + ".jsonl");
    write(path, lines);
    const auto outcome = run({"ingest", path.string()});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  // One window of the domain, of 2026-11-20, with one successful and one failed session.
  void ingest_window(const std::string& domain) {
    ingest(session(domain, "2026-11-20T10:00:00Z") +
           session(domain, "2026-11-20T11:00:00Z", "certificate-expired"));
  }

  // The state of each of the domain's windows, oldest first.
  std::vector<std::string> states(const std::string& domain) {
    std::vector<std::string> texts;
    const auto json = run({"schedule", "show", domain, "--json"}).json();
    for (const auto& window : json["windows"]) texts.push_back(window["state"]);
    return texts;
  }

  // Assembles the one due window of the store into two parts with a mail and a post each.
  void assemble() {
    const auto opened = store();
    const auto due = opened->claim_due(clock.now(), 10, std::nullopt);
    ASSERT_TRUE(due);
    ASSERT_EQ(due->size(), 1U);
    Assembly assembly;
    assembly.window = due->front().id;
    assembly.record = "v=TLSRPTv1; rua=mailto:tls@decided.example";
    assembly.now = clock.now();
    for (int number = 1; number <= 2; ++number) {
      Part part;
      part.number = number;
      part.of = 2;
      part.report_id = "report-" + std::to_string(number) + "@reporter.example";
      part.file_name = "file-" + std::to_string(number) + ".json.gz";
      part.gz = gzip("{\"part\":" + std::to_string(number) + "}");
      part.mail_body = "--b\r\nbody " + std::to_string(number) + "\r\n--b--\r\n";
      part.successful = 1;
      part.failed = number == 1 ? 1 : 0;
      assembly.parts.push_back(part);
      for (int rank = 0; rank < 2; ++rank) {
        Delivery delivery;
        delivery.id = std::string(rank == 0 ? "mail" : "post") + "0000000" + std::to_string(number);
        delivery.window = assembly.window;
        delivery.domain = due->front().domain;
        delivery.part = number;
        delivery.report_id = part.report_id;
        delivery.destination =
            rank == 0 ? "mailto:tls@decided.example" : "https://decided.example/tls";
        if (rank == 0) {
          delivery.envelope_from = "noreply@reporter.example";
          delivery.header = "Subject: part " + std::to_string(number) + "\r\n";
        }
        delivery.next_attempt = clock.now();
        delivery.rank = rank;
        assembly.deliveries.push_back(delivery);
      }
    }
    const auto done = opened->conclude(assembly);
    ASSERT_TRUE(done && *done);
  }

  // The state that a delivery ends in after one attempt.
  void end_delivery(const std::string& id, DeliveryState state, const std::string& response) {
    const auto opened = store();
    const std::vector<std::string> ids = {id};
    ASSERT_TRUE(opened->begin_attempts(ids, clock.now()));
    ASSERT_TRUE(opened->record_attempt({.delivery = id,
                                        .state = state,
                                        .first_attempt = clock.now(),
                                        .next_attempt = std::nullopt,
                                        .last_response = response,
                                        .now = clock.now()}));
  }

  std::filesystem::path folder;
  std::filesystem::path config_path;
  testing_support::FakeClock clock;  // 2026-11-20T12:00:00Z
  testing_support::FixedRandom random;
  testing_support::TableResolver resolver;
  ResolverOptions resolver_options;
  // What carries reports; a test that sends sets it.
  std::function<Result<Transports>(const Config&, const ConversationListener&)> make_transports;
  StoreOptions store_options;  // with which the last store was opened
  std::vector<RunRequest> daemon_requests;
  int daemon_exit = 0;
  std::string environment_config;
  bool clock_is_kept = true;
  bool answer = false;
  int asked = 0;
  int files = 0;
};

}  // namespace rapporteur
