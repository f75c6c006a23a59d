#include "bench/file_rig.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <simdjson.h>
#include <nlohmann/json.hpp>

#include "aggregate/recorder.h"
#include "base/log.h"
#include "base/random.h"
#include "bench/datagrams.h"
#include "config/config.h"
#include "ingest/file_ingest.h"
#include "ingest/normalise.h"
#include "schedule/planner.h"
#include "store/open.h"

namespace rapporteur::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

double since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// A fresh store and what records into it.
struct Rig {
  explicit Rig(const std::string& folder) : path(folder + "/ingest.db") {
    for (const auto* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    auto opened = open_store("sqlite:" + path, random);
    if (!opened) std::abort();
    store = *std::move(opened);
    auto loaded = parse_config("[system]\ndomain = \"example.net\"\n", "bench.toml");
    planner = std::make_unique<SettingsPlanner>(loaded.config);
    recorder =
        std::make_unique<Recorder>(*store, *planner, clock, RecorderOptions{.from_file = true});
  }

  std::string path;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<Store> store;
  std::unique_ptr<SettingsPlanner> planner;
  std::unique_ptr<Recorder> recorder;
};

std::vector<std::string_view> texts(const nlohmann::json& policy, const char* key) {
  std::vector<std::string_view> found;
  if (const auto at = policy.find(key); at != policy.end()) {
    for (const auto& text : *at) found.push_back(text.get_ref<const std::string&>());
  }
  return found;
}

std::string text(const nlohmann::json& object, const char* key) {
  return object.value(key, std::string());
}

ResultType result_type(int code) {
  return code == 202 ? ResultType::kCertificateHostMismatch : ResultType::kValidationFailure;
}

Session session_of(const nlohmann::json& object) {
  Session session;
  session.recipient_domain = normalise_host(text(object, "d"));
  session.tlsrpt_record = normalise_record(text(object, "pr"));
  for (const auto& policy : object.at("policies")) {
    PolicyOutcome outcome;
    outcome.policy =
        normalise_policy(PolicyType::kSts, normalise_host(text(policy, "policy-domain")),
                         texts(policy, "policy-string"), texts(policy, "mx-host"));
    outcome.success = policy.at("f").get<int>() == 0;
    if (const auto details = policy.find("failure-details"); details != policy.end()) {
      for (const auto& detail : *details) {
        const auto sender = text(detail, "s");
        const auto host = text(detail, "n");
        const auto helo = text(detail, "h");
        const auto receiver = text(detail, "r");
        RawDetail raw;
        raw.result_type = result_type(detail.at("c").get<int>());
        raw.sending_mta_ip = sender;
        raw.receiving_mx_hostname = host;
        raw.receiving_mx_helo = helo;
        raw.receiving_ip = receiver;
        raw.failure_reason_code = text(detail, "f");
        add_detail(outcome, normalise_detail(raw));
      }
    }
    add_outcome(session, std::move(outcome));
  }
  return session;
}

}  // namespace

SessionFile::SessionFile(std::uint64_t bytes) {
  folder_ = (std::filesystem::temp_directory_path() / "file-bench-XXXXXX").string();
  if (mkdtemp(folder_.data()) == nullptr) std::abort();
  const Datagrams datagrams({.domains = 1000, .bytes = 400});
  std::ofstream out(path());
  while (bytes_ < bytes) {
    const auto& line = datagrams.at(lines_++);
    out << line << '\n';
    bytes_ += line.size() + 1;
  }
}

SessionFile::~SessionFile() {
  std::filesystem::remove_all(folder_);
}

double time_of_ingest(const SessionFile& file) {
  Rig rig(file.folder());
  const auto log = make_stderr_log(LogLevel::kError, LogFormat::kText);
  const auto start = SteadyClock::now();
  const auto done = ingest_file(file.path(), {}, *rig.recorder, *rig.store, rig.clock, *log);
  const auto seconds = since(start);
  if (!done || done->counts.accepted != file.lines()) std::abort();
  return seconds;
}

double time_of_dom_parser(const SessionFile& file) {
  std::vector<simdjson::padded_string> lines;
  std::ifstream in(file.path());
  for (std::string line; std::getline(in, line);) lines.emplace_back(line);
  simdjson::dom::parser parser;
  std::uint64_t objects = 0;
  const auto start = SteadyClock::now();
  for (const auto& line : lines) {
    simdjson::dom::object object;
    if (parser.parse(line).get(object) == simdjson::SUCCESS) ++objects;
  }
  const auto seconds = since(start);
  if (objects != file.lines()) std::abort();
  return seconds;
}

double time_of_nlohmann(const SessionFile& file) {
  constexpr std::uint64_t kBatch = 200'000;
  Rig rig(file.folder());
  const auto start = SteadyClock::now();
  std::ifstream in(file.path());
  std::uint64_t taken = 0;
  for (std::string line; in;) {
    Tally tally("file", std::make_shared<SessionTable>());
    for (std::uint64_t i = 0; i < kBatch && std::getline(in, line); ++i) {
      const auto object = nlohmann::json::parse(line);
      if (tally.count(session_of(object), rig.clock.now(), {}) == Counted::kAccepted) ++taken;
    }
    const auto* const one = &tally;
    if (!rig.recorder->record({&one, 1})) std::abort();
  }
  const auto seconds = since(start);
  if (taken != file.lines()) std::abort();
  return seconds;
}

}  // namespace rapporteur::bench
