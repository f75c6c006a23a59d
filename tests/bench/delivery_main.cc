// rapporteur_delivery_bench: how many deliveries a second go from an SQLite store on disk into a
// folder, and what each costs the delivery thread. scripts/bench builds and runs it. Argument: the
// number of deliveries.

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "bench/table.h"
#include "deliver/courier.h"
#include "deliver/directory.h"
#include "store/open.h"

namespace rapporteur::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
constexpr Time kDue = kDay + 25h;
constexpr int kRuns = 3;

// What one delivery may cost the delivery thread.
constexpr double kMostMicroseconds = 150;

class StandingClock final : public Clock {
 public:
  Time now() const override { return kDue; }
};

// Accepts everything at once: what is left is the courier and its store.
class Nowhere final : public MailTransport {
 public:
  Reply send(const std::string&, const std::string&, std::string_view) override {
    return {Reply::Outcome::kAccepted, Stage::kFinal, 250, "250 ok (end of data)", {}};
  }
  Reply probe() override { return send({}, {}, {}); }
};

struct Folder {
  Folder() {
    path = (fs::temp_directory_path() / "delivery-bench-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) std::abort();
    fs::create_directory(path + "/mails");
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path;
};

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().text.c_str());
    std::exit(1);
  }
  return *std::move(result);
}

// One window a delivery, with a mail of a usual size, to so many domains.
void fill(Store& store, int deliveries, int domains) {
  CountBatch batch;
  batch.now = kDay + 3h;
  for (int i = 0; i < deliveries; ++i) {
    WindowDelta delta;
    delta.domain = "w" + std::to_string(i) + ".example";
    delta.period = {kDay, kDay + 24h};
    delta.first = delta.last = kDay + 1h;
    delta.counts = {{{PolicyType::kSts, delta.domain, {}, {}}, 1, 0, {}}};
    delta.due = delta.supplement_due.emplace(kDue);
    batch.windows.push_back(std::move(delta));
  }
  must(store.add(batch));
  std::vector<Conclusion> assemblies;
  for (const auto& window :
       must(store.claim_due(kDue, static_cast<std::size_t>(deliveries), std::nullopt))) {
    Assembly assembly;
    assembly.window = window.id;
    assembly.now = kDue;
    Part part;
    part.report_id = window.domain;
    part.gz = std::string(600, 'z');
    part.mail_body = std::string(2'500, 'm');
    assembly.parts = {part};
    Delivery delivery;
    delivery.id = "d" + std::to_string(window.id);
    delivery.window = window.id;
    delivery.destination = "mailto:tls@r" + std::to_string(window.id % domains) + ".example";
    delivery.destination_key = destination_key(delivery.destination);
    delivery.envelope_from = "noreply-tls@example.net";
    delivery.header =
        "Message-ID: <" + delivery.id + "@example.net>\r\nX: " + std::string(1'200, 'h') + "\r\n";
    delivery.next_attempt = kDue;
    assembly.deliveries = {delivery};
    assemblies.emplace_back(std::move(assembly));
  }
  must(store.conclude(assemblies));
}

double processor_time() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

struct Cost {
  double seconds = 0;    // until all is recorded
  double processor = 0;  // of the delivery thread
};

Cost deliver(int deliveries, int domains, bool into_files) {
  const Folder folder;
  SystemRandom random;
  const StandingClock clock;
  const auto store = must(open_store("sqlite:" + folder.path + "/store.db", random));
  fill(*store, deliveries, domains);
  CourierOptions options;
  options.mail = [&](const Interrupt&) -> std::unique_ptr<MailTransport> {
    if (into_files) return make_directory_transport(folder.path + "/mails");
    return std::make_unique<Nowhere>();
  };
  const auto log = make_silent_log();
  Courier courier(*store, clock, random, *log, options);
  const auto start = std::chrono::steady_clock::now();
  const auto spent = processor_time();
  for (;;) {
    const auto started = must(courier.step(true, false));
    if (started == 0 && courier.under_way() == 0) break;
    if (started == 0) courier.wait(1s);
  }
  Cost cost;
  cost.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  cost.processor = processor_time() - spent;
  if (courier.counts().accepted != static_cast<std::uint64_t>(deliveries)) std::abort();
  return cost;
}

// Whether the claim holds.
bool measure(const char* what, int deliveries, int domains, bool into_files) {
  std::vector<double> rates;
  std::vector<double> micros;
  for (int run = 0; run < kRuns; ++run) {
    const auto cost = deliver(deliveries, domains, into_files);
    rates.push_back(deliveries / cost.seconds);
    micros.push_back(1e6 * cost.processor / deliveries);
  }
  std::ranges::sort(rates);
  std::ranges::sort(micros);
  return tell({.what = std::string(what) + ": microseconds of the delivery thread",
               .limit = "none",
               .ratio = micros[kRuns / 2],
               .bar = kMostMicroseconds,
               .figures = std::to_string(static_cast<long long>(rates[kRuns / 2])) + " a second"});
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  using rapporteur::bench::measure;
  const int deliveries = argc > 1 ? std::atoi(argv[1]) : 20'000;
  bool holds = measure("mails to 2,000 domains, accepted at once", deliveries, 2'000, false);
  holds &= measure("mails to one domain, accepted at once", deliveries, 1, false);
  holds &= measure("mails to 2,000 domains, each a file", deliveries, 2'000, true);
  return holds ? 0 : 1;
}
