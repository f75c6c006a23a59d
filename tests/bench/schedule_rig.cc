#include "bench/schedule_rig.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/private_key.h"
#include "store/open.h"

namespace rapporteur::bench {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kBatch = 1000;

std::string domain_of(std::size_t number) {
  return "d" + std::to_string(number) + ".example";
}

}  // namespace

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

Place::Place() {
  folder_ = (fs::temp_directory_path() / "schedule-bench-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) die("mkdtemp");
  fs::create_directory(path("mails"));
  for (const auto* const key : {"ed25519", "rsa -pkeyopt rsa_keygen_bits:2048"}) {
    const auto file = path(std::string(key).substr(0, std::string(key).find(' ')) + ".pem");
    const auto command = "umask 077; openssl genpkey -algorithm " + std::string(key) + " -out " +
                         file + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) die(command);
  }
}
Place::~Place() {
  fs::remove_all(folder_);
}

void Place::configure(const std::string& name_server) const {
  std::ofstream(config()) << "[system]\ndomain = \"a.example\"\nhostname = \"mx.a.example\"\n"
                          << "[store]\nurl = \"" << url() << "\"\n[dns]\nservers = [\""
                          << name_server << "\"]\n[[dkim]]\ndomain = \"a.example\"\n"
                          << "selector = \"s\"\nkey = \"" << path("ed25519.pem")
                          << "\"\n[delivery.smtp]\ntransport = \"directory\"\ndirectory = \""
                          << path("mails") << "\"\n[log]\nlevel = \"error\"\n";
}
std::unique_ptr<Signer> Place::signer(const std::string& key) const {
  std::vector<SigningKey> keys;
  keys.push_back({"a.example", "s", need(PrivateKey::from_file(path(key + ".pem")))});
  return make_signer(std::move(keys));
}

// Windows of a day that is over, all of them due; a tenth of them tells of failures.
void fill(Store& store, std::size_t windows) {
  const Time today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  CountBatch batch;
  batch.now = today;
  for (std::size_t number = 0; number < windows; ++number) {
    WindowDelta delta;
    delta.domain = domain_of(number);
    delta.period = {today - 24h, today};
    delta.first = delta.last = today - 1h;
    PolicyCounts counts;
    counts.policy = {
        PolicyType::kSts,
        delta.domain,
        {"version: STSv1", "mode: enforce", "mx: mx." + delta.domain, "max_age: 86400"},
        {"mx." + delta.domain}};
    counts.successful = 1 + number % 1000;
    if (number % 10 == 0) {
      FailureDetail detail;
      detail.result_type = ResultType::kCertificateExpired;
      detail.receiving_mx_hostname = "mx." + delta.domain;
      counts.failed = 3;
      counts.details.push_back({detail, 3});
    }
    delta.counts = {counts};
    delta.due = today;
    batch.windows.push_back(std::move(delta));
    if (batch.windows.size() < kBatch && number + 1 < windows) continue;
    if (!need(store.add(batch)).stored()) die("a batch was not stored");
    batch.windows.clear();
  }
}

std::map<std::string, testing_support::DnsResponder::Reply> records(std::size_t windows,
                                                                    std::size_t each) {
  std::map<std::string, testing_support::DnsResponder::Reply> replies;
  for (std::size_t number = 0; number < windows; number += each) {
    testing_support::DnsResponder::Reply reply;
    reply.records = {
        testing_support::txt_record({"v=TLSRPTv1; rua=mailto:tls-reports@" + domain_of(number)})};
    replies.emplace("_smtp._tls." + domain_of(number), std::move(reply));
  }
  return replies;
}

pid_t start(const std::string& program, const std::string& config) {
  const auto child = fork();
  if (child != 0) return child;
  execl(program.c_str(), program.c_str(), "--config", config.c_str(), "run", nullptr);
  _exit(127);
}

std::uint64_t in_state(Store& store, WindowState state) {
  const auto states = need(store.window_states());
  const auto found = states.find(state);
  return found == states.end() ? 0 : found->second;
}

double resident_mb(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  long total = 0;
  long resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / 1e6;
}

}  // namespace rapporteur::bench
