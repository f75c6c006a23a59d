// rapporteur_schedule_bench: very many windows that are due, through the daemon into files, beside
// signing and compressing the same reports alone; our signatures beside libopendkim's, and the
// memory that signatures take. scripts/bench builds and runs it. Arguments: the program
// `rapporteur`, the number of windows, the number of signatures of each kind.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

// dkim.h is written for C and uses its Boolean type.
#define _Bool bool
#include <opendkim/dkim.h>
#undef _Bool

#include "base/private_key.h"
#include "bench/schedule_rig.h"
#include "bench/table.h"
#include "dkim/canonical.h"
#include "dkim/signer.h"
#include "report/gzip.h"
#include "store/open.h"

namespace rapporteur::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kSample = 2'000;  // reports that are signed and compressed alone
constexpr double kLeastOfAlone = 0.35;
constexpr double kLeastOfOpendkim = 0.7;
constexpr double kMostGrowth = 10;  // MB
constexpr auto kLongest = 30min;
constexpr auto kSlice = 1500ms;  // of the daemon's work, between looks at what is done alone

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string rounded(double value) {
  return std::to_string(static_cast<long long>(value));
}

double best_of(int times, const std::function<void()>& work) {
  double best = seconds_of(work);
  for (int i = 1; i < times; ++i) best = std::min(best, seconds_of(work));
  return best;
}

struct Sample {
  Message message;  // without signature
  std::string json;
};

std::vector<Sample> sample(Store& store, std::size_t most) {
  std::vector<Sample> samples;
  DeliveryFilter filter;
  filter.limit = most;
  for (const auto& delivery : need(store.deliveries(filter))) {
    auto submission = need(store.submission(delivery.id));
    const auto report = need(store.report(delivery.report_id));
    if (!submission || !report) die("a delivery is gone");
    auto& header = submission->delivery.header;
    for (const auto field : header_fields(header)) {
      if (!field.starts_with("DKIM-Signature:")) break;
      header.erase(0, header.find(field) + field.size() + 2);
      break;
    }
    samples.push_back(
        {{header, std::move(submission->body)}, need(gunzip(report->part.gz, 1 << 20))});
  }
  return samples;
}

// What one thread does that signs and compresses these reports.
double rate_alone(const Signer& signer, const std::vector<Sample>& samples) {
  const Time now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  std::size_t bytes = 0;
  const auto seconds = seconds_of([&] {
    for (const auto& one : samples) {
      bytes += need(signer.sign("a.example", one.message, now)).size();
      bytes += gzip(one.json).size();
    }
  });
  if (bytes == 0) die("nothing was signed");
  return static_cast<double>(samples.size()) / seconds;
}

// The daemon's work on all windows.
struct Work {
  double seconds = 0;    // until all mails were in their files
  double assembled = 0;  // seconds until all windows were assembled
  double alone = 0;      // what could have been signed and compressed in these seconds
  std::vector<Sample> samples;
};

// The machine is not equally fast all the time, so the daemon's work is stopped every now and then
// to see what one thread alone does just then.
Work run_daemon(const Place& place, Store& store, const std::string& program, std::size_t windows) {
  const auto signer = place.signer("ed25519");
  const auto child = start(program, place.config());
  if (child < 0) die("fork");
  Work work;
  for (std::uint64_t done = 0; done < windows;) {
    if (work.seconds > std::chrono::duration<double>(kLongest).count()) die("it takes too long");
    const auto began = std::chrono::steady_clock::now();
    const auto elapsed = [&] { return std::chrono::steady_clock::now() - began; };
    while (done < windows && elapsed() < kSlice) {
      std::this_thread::sleep_for(100ms);
      if (waitpid(child, nullptr, WNOHANG) != 0) die("the daemon has ended");
      done = in_state(store, WindowState::kDone);
      if (work.assembled == 0 && done + in_state(store, WindowState::kAssembled) >= windows) {
        work.assembled = work.seconds + std::chrono::duration<double>(elapsed()).count();
      }
    }
    kill(child, SIGSTOP);
    const auto seconds = std::chrono::duration<double>(elapsed()).count();
    work.seconds += seconds;
    if (work.samples.empty()) work.samples = sample(store, std::min(windows, kSample));
    work.alone += seconds * rate_alone(*signer, work.samples);
    kill(child, SIGCONT);
  }
  kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
  const auto files = std::distance(fs::directory_iterator(place.path("mails")), {});
  if (static_cast<std::size_t>(files) != windows) die(std::to_string(files) + " mails");
  return work;
}

bool measure_windows(const Place& place, const std::string& program, std::size_t windows,
                     std::vector<Sample>& samples) {
  testing_support::DnsResponder name_server(records(windows, 1));
  place.configure(name_server.address());
  SystemRandom random;
  const auto store = need(open_store(place.url(), random));
  fill(*store, windows);
  auto work = run_daemon(place, *store, program, windows);
  samples = std::move(work.samples);
  const auto total = static_cast<double>(windows);
  return tell({.what = std::to_string(windows) + " due windows, SQLite, Ed25519, into files",
               .limit = "signing and gzip alone, one thread",
               .ratio = total / work.alone,
               .side = Row::Bar::kAtLeast,
               .bar = kLeastOfAlone,
               .figures = rounded(total / work.seconds) + " windows a second, " +
                          rounded(total / work.assembled) + " until they are assembled; alone " +
                          rounded(work.alone / work.seconds)});
}

const unsigned char* bytes_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}
unsigned char* writable(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

void sign_plainly(DKIM_LIB* library, const PrivateKey& key, const Message& message) {
  static const std::string id = "report";
  static const std::string selector = "s";
  static const std::string domain = "a.example";
  DKIM_STAT status = DKIM_STAT_OK;
  auto* const handle = dkim_sign(library, bytes_of(id), nullptr, writable(key.pem()),
                                 bytes_of(selector), bytes_of(domain), DKIM_CANON_RELAXED,
                                 DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &status);
  if (handle == nullptr) die("dkim_sign");
  for (const auto field : header_fields(message.header)) {
    if (dkim_header(handle, writable(field), field.size()) != DKIM_STAT_OK) die("dkim_header");
  }
  unsigned char* text = nullptr;
  std::size_t length = 0;
  if (dkim_eoh(handle) != DKIM_STAT_OK ||
      dkim_body(handle, writable(message.body), message.body.size()) != DKIM_STAT_OK ||
      dkim_eom(handle, nullptr) != DKIM_STAT_OK ||
      dkim_getsighdr_d(handle, 0, &text, &length) != DKIM_STAT_OK) {
    die("libopendkim");
  }
  dkim_free(handle);
}

bool measure_rsa(const Place& place, const std::vector<Sample>& samples) {
  const auto few = std::min<std::size_t>(samples.size(), 2000);
  const auto key = need(PrivateKey::from_file(place.path("rsa.pem")));
  const auto signer = place.signer("rsa");
  const Time now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  auto* const library = dkim_init(nullptr, nullptr);
  const auto plain = best_of(3, [&] {
    for (std::size_t i = 0; i < few; ++i) sign_plainly(library, key, samples[i].message);
  });
  dkim_close(library);
  const auto ours = best_of(3, [&] {
    for (std::size_t i = 0; i < few; ++i) need(signer->sign("a.example", samples[i].message, now));
  });
  const auto count = static_cast<double>(few);
  return tell({.what = "RSA-2048 signatures of the same mails",
               .limit = "libopendkim alone",
               .ratio = plain / ours,
               .side = Row::Bar::kAtLeast,
               .bar = kLeastOfOpendkim,
               .figures = rounded(count / ours) + " and " + rounded(count / plain) + " a second"});
}

bool measure_memory(const Place& place, const std::vector<Sample>& samples, std::size_t count) {
  bool holds = true;
  const Time now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  for (const char* const kind : {"ed25519", "rsa"}) {
    const auto signer = place.signer(kind);
    const auto some = [&](std::size_t signatures) {
      for (std::size_t i = 0; i < signatures; ++i) {
        need(signer->sign("a.example", samples[i % samples.size()].message, now));
      }
    };
    some(100);  // what is allocated once
    const auto before = resident_mb(getpid());
    some(count);
    const auto growth = resident_mb(getpid()) - before;
    holds &= tell({.what = std::to_string(count) + " signatures with " + kind + ": MB more",
                   .limit = "none",
                   .ratio = growth,
                   .bar = kMostGrowth,
                   .figures = "resident memory of the process"});
  }
  return holds;
}

int run(const std::string& program, std::size_t windows, std::size_t signatures) {
  const Place place;
  std::vector<Sample> samples;
  bool holds = measure_windows(place, program, windows, samples);
  holds &= measure_rsa(place, samples);
  holds &= measure_memory(place, samples, signatures);
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: rapporteur_schedule_bench PROGRAM [WINDOWS [SIGNATURES]]\n");
    return 2;
  }
  const auto number = [&](int index, std::size_t otherwise) {
    return argc > index ? static_cast<std::size_t>(std::atol(argv[index])) : otherwise;
  };
  return rapporteur::bench::run(argv[1], number(2, 100'000), number(3, 200'000));
}
