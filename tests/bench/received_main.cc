// rapporteur_received_bench: taking reports of others, and looking at very many of them, through
// the command line. scripts/bench builds and runs it. Argument: the number of mails.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/private_key.h"
#include "bench/table.h"
#include "cli/cli.h"
#include "dkim/signer.h"
#include "mime/message.h"
#include "report/gzip.h"
#include "store/open.h"
#include "support/table_resolver.h"

namespace rapporteur::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Time kToday{std::chrono::sys_days{std::chrono::year{2026} / 11 / 28}};
constexpr int kReports = 100'000;
constexpr int kDays = 90;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class StandingClock final : public Clock {
 public:
  Time now() const override { return kToday + 12h; }
};

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

// A folder with a configuration, and the command line over it.
class Place {
 public:
  Place() {
    folder_ = (fs::temp_directory_path() / "received-bench-XXXXXX").string();
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
    std::ofstream(config()) << "[system]\ndomain = \"a.example\"\nhostname = \"mx.a.example\"\n"
                            << "[store]\nurl = \"" << url() << "\"\n"
                            << "[delivery.smtp]\nrelaySigns = true\n[log]\nlevel = \"error\"\n";
  }
  ~Place() { fs::remove_all(folder_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string config() const { return path("rapporteur.toml"); }
  std::string url() const { return "sqlite:" + path("store.db"); }
  void forget() const {
    for (const auto* end : {"", "-wal", "-shm"}) fs::remove(path("store.db") + end);
  }

  // Everything it prints.
  std::string run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--config", config()});
    std::ostringstream out;
    std::ostringstream err;
    const World world{
        .clock = clock,
        .random = random,
        .open_store = [this](const std::string& where,
                             const StoreOptions&) { return open_store(where, random); },
        .make_resolver = [this](const ResolverOptions&) -> Result<std::unique_ptr<Resolver>> {
          return std::unique_ptr<Resolver>(std::make_unique<SharedResolver>(resolver));
        },
        .run_daemon = [](const RunRequest&) { return 1; },
        .environment = [](const char*) { return std::string(); },
        .confirm = [] { return false; },
        .out = out,
        .err = err,
    };
    if (run_command_line(arguments, world) != 0) {
      std::fprintf(stderr, "%s\n", err.str().c_str());
      std::abort();
    }
    return out.str();
  }

  StandingClock clock;
  SystemRandom random;
  testing_support::TableResolver resolver;

 private:
  std::string folder_;
};

std::string json_of(int number) {
  using Json = nlohmann::ordered_json;
  const auto domain = "d" + std::to_string(number % 500) + ".example";
  auto details = Json::array();
  for (int i = 0; i < number % 4; ++i) {
    details.push_back({{"result-type", "certificate-expired"},
                       {"sending-mta-ip", "192.0.2." + std::to_string(number % 250)},
                       {"receiving-mx-hostname", "mx" + std::to_string(i) + "." + domain},
                       {"failed-session-count", 1 + i}});
  }
  const Json policy = {
      {"policy",
       {{"policy-type", "sts"},
        {"policy-string",
         {"version: STSv1", "mode: enforce", "mx: mx0." + domain, "max_age: 86400"}},
        {"policy-domain", domain},
        {"mx-host", {"mx0." + domain}}}},
      {"summary",
       {{"total-successful-session-count", number}, {"total-failure-session-count", number % 7}}},
      {"failure-details", details}};
  return Json({{"organization-name", "Organization " + std::to_string(number % 20)},
               {"date-range",
                {{"start-datetime", "2026-11-27T00:00:00Z"},
                 {"end-datetime", "2026-11-27T23:59:59Z"}}},
               {"contact-info", "tls@b.example"},
               {"report-id", std::to_string(number) + "@b.example"},
               {"policies", {policy}}})
      .dump();
}

// Report mails in files, signed or not, and the packed reports in them.
struct Mails {
  std::vector<std::string> paths;
  std::vector<std::string> packed;
};

Mails make_mails(Place& place, int count, const Signer* signer) {
  Mails mails;
  for (int number = 0; number < count; ++number) {
    ReportMail mail;
    mail.from_name = "Reports";
    mail.from_address = "noreply@b.example";
    mail.to = "tls@a.example";
    mail.subject = "Report Domain: a.example Submitter: b.example Report-ID: <1@b.example>";
    mail.message_id = std::to_string(number) + "@b.example";
    mail.report_domain = "d" + std::to_string(number % 500) + ".example";
    mail.submitter = "b.example";
    mail.summary_text = "A summary.\n";
    mail.file_name = "b.example!a.example!1795737600!1795823999!001.json.gz";
    mail.gz = gzip(json_of(number));
    mail.date = kToday;
    mail.boundary = boundary_for(mail.message_id);
    const auto message = make_message(mail);
    mails.packed.push_back(mail.gz);
    mails.paths.push_back(place.path(std::to_string(number) + ".eml"));
    std::ofstream file(mails.paths.back(), std::ios::binary);
    if (signer != nullptr) file << *signer->sign("b.example", message, kToday);
    file << message.text();
  }
  return mails;
}

// `received add` of mails, and gunzip and nlohmann/json over their reports, in memory.
void measure_adding(int count, bool with_dkim) {
  Place place;
  std::unique_ptr<Signer> signer;
  if (with_dkim) {
    const auto command = "openssl genrsa 2048 2>/dev/null >" + place.path("key.pem") +
                         " && chmod 600 " + place.path("key.pem");
    if (std::system(command.c_str()) != 0) std::abort();
    auto made = PrivateKey::from_file(place.path("key.pem"));
    if (!made) std::abort();
    place.resolver.say("s._domainkey.b.example", {"v=DKIM1; p=" + made->dns_public_key()});
    signer = make_signer({{"b.example", "s", *std::move(made)}});
  }
  const auto mails = make_mails(place, count, signer.get());
  std::vector<std::string> arguments = {"received", "add"};
  arguments.insert(arguments.end(), mails.paths.begin(), mails.paths.end());
  std::vector<double> ours;
  std::vector<double> alone;
  for (int pair = 0; pair < 3; ++pair) {
    place.forget();
    ours.push_back(seconds_of([&] { place.run(arguments); }));
    alone.push_back(seconds_of([&] {
      for (const auto& packed : mails.packed) {
        if (nlohmann::json::parse(*gunzip(packed, 1 << 20)).empty()) std::abort();
      }
    }));
  }
  std::printf(
      "received add of %d mails, %s\n  %.0f mails a second; %.1f times gunzip and nlohmann/json\n",
      count, with_dkim ? "each with an RSA signature that is verified" : "none of them signed",
      count / median(ours), median(ours) / median(alone));
}

// 100,000 reports of 90 days, 20 organizations and 500 domains; a tenth of them tells of failures.
void fill(Store& store) {
  std::vector<ReceivedAddition> batch;
  for (int number = 0; number < kReports; ++number) {
    ReceivedAddition made;
    const auto domain = "d" + std::to_string(number % 500) + ".example";
    auto& report = made.report;
    report.organization = "Organization " + std::to_string(number % 20);
    report.report_id = std::to_string(number);
    report.start = kToday - (1 + number * kDays / kReports) * 24h;
    report.end = report.start + 24h - 1s;
    report.received = report.end + 3h;
    report.trust = number % 50 == 0 ? Trust::kUnverified : Trust::kDkim;
    report.domains = {domain};
    report.successful = 100;
    made.key = sha256(report.report_id);
    made.digest = made.key;
    made.policies = {{domain, "sts", 60, 0}, {domain, "tlsa", 40, 0}};
    if (number % 10 == 0) {
      made.policies[0].failed = report.failed = 3;
      made.failures = {{domain, "certificate-expired", "mx." + domain, 2},
                       {domain, "validation-failure", "mx." + domain, 1}};
    }
    made.json_gz = gzip(json_of(number));
    batch.push_back(std::move(made));
    if (batch.size() == 1000) {
      if (!store.add_received(batch)) std::abort();
      batch.clear();
    }
  }
}

bool within(const char* what, double least_of, double most) {
  return tell({.what = std::string(what) + " over 100,000 kept reports: seconds",
               .limit = "none",
               .ratio = least_of,
               .bar = most,
               .figures = "the whole command"});
}

bool measure_looking() {
  Place place;
  {
    auto store = open_store(place.url(), place.random);
    if (!store) std::abort();
    fill(**store);
  }
  const auto timed = [&](const std::vector<std::string>& arguments) {
    std::vector<double> times;
    for (int i = 0; i < 7; ++i) times.push_back(seconds_of([&] { place.run(arguments); }));
    return median(times);
  };
  std::printf("%d kept reports, the whole command\n", kReports);
  bool holds = true;
  holds &=
      within("summary of a month", timed({"received", "summary", "--since", "30d", "--json"}), 1.0);
  holds &= within("summary of everything",
                  timed({"received", "summary", "--since", "90d", "--json"}), 2.0);
  holds &= within("summary of a month, one domain",
                  timed({"received", "summary", "--domain", "d7.example"}), 1.0);
  holds &= within("list, the newest page", timed({"received", "list"}), 0.05);
  holds &= within("list of one domain",
                  timed({"received", "list", "--domain", "d7.example", "--limit", "20"}), 0.05);
  holds &= within("list of failed ones", timed({"received", "list", "--failed"}), 0.05);
  return holds;
}

int run(int count) {
  measure_adding(count, false);
  measure_adding(count, true);
  return measure_looking() ? 0 : 1;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  return rapporteur::bench::run(argc > 1 ? std::atoi(argv[1]) : 10'000);
}
