#pragma once
// `rapporteur ingest` of a file into a store of its own, and what it is compared with.

#include <cstdint>
#include <string>

namespace rapporteur::bench {

// A file of sessions as libtlsrpt writes them, a line each, of 1,000 domains.
class SessionFile {
 public:
  explicit SessionFile(std::uint64_t bytes);
  ~SessionFile();
  SessionFile(const SessionFile&) = delete;
  SessionFile& operator=(const SessionFile&) = delete;

  const std::string& folder() const { return folder_; }
  std::string path() const { return folder_ + "/sessions.jsonl"; }
  std::uint64_t lines() const { return lines_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::string folder_;
  std::uint64_t lines_ = 0;
  std::uint64_t bytes_ = 0;
};

// Seconds that each takes. They abort where not every line is counted.
double time_of_ingest(const SessionFile& file);
// simdjson's DOM parser over the lines, which are in memory.
double time_of_dom_parser(const SessionFile& file);
// The same work as ingest, with every line read by nlohmann/json.
double time_of_nlohmann(const SessionFile& file);

}  // namespace rapporteur::bench
