#include "bench/intake_memory.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "bench/table.h"
#include "daemon/intake.h"
#include "store/open.h"

namespace rapporteur::bench {

namespace {

constexpr std::size_t kDomains = 1'000'000;

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// With one policy, and the record text that libtlsrpt sends along.
std::string datagram(std::size_t number) {
  const auto domain = "d" + std::to_string(number * 7919 % 99'999'989) + ".example.org";
  return "{\"dpv\": \"1\",\"d\": \"" + domain + "\",\"pr\": \"v=TLSRPTv1; rua=mailto:tls@" +
         domain + "\",\"policies\":[{\"policy-type\":9,\"policy-domain\": \"" + domain +
         "\",\"t\":0,\"f\":0}]}";
}

}  // namespace

bool memory_of_a_million_domains() {
  std::string folder = (std::filesystem::temp_directory_path() / "memory-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  bool holds = false;
  {
    auto loaded = parse_config(
        "[system]\ndomain = \"example.net\"\n[store]\nurl = \"sqlite:" + folder + "/m.db\"\n", "m");
    const SystemClock clock;
    SystemRandom random;
    const auto log = make_stderr_log(LogLevel::kError, LogFormat::kText);
    auto store = open_store("sqlite:" + folder + "/m.db", random);
    if (!loaded.config || !store) std::abort();
    SharedState shared(loaded.config);
    Recording recording(**store, clock, *log, shared);
    Intake intake(recording, clock, *log, *loaded.config);
    const auto before = resident_bytes();
    for (std::size_t i = 0; i < kDomains; ++i) intake.take(datagram(i));
    const auto collecting = resident_bytes() - before;
    intake.hand_over();
    recording.store_waiting();
    recording.store_waiting(true);
    const auto after = resident_bytes() - before;
    const auto domains = static_cast<double>(kDomains);
    holds = tell({.what = "a million domains in memory: bytes each while they collect",
                  .limit = "none",
                  .ratio = collecting / domains,
                  .bar = 300,
                  .figures = std::to_string(after / domains) + " after they were recorded",
                  .valid = recording.idle() && after <= collecting / 2});
  }
  std::filesystem::remove_all(folder);
  return holds;
}

}  // namespace rapporteur::bench
