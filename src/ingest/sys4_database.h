#pragma once
// The database of tlsrpt-collectd (SQLite), as its authors make it: docs/formats.md, "The database
// of tlsrpt-collectd". Only read. What its columns hold is not looked at here.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace rapporteur {

// One kind of failure of a row of `failures`.
struct Sys4Failure {
  std::string reason;                 // JSON: a failure detail of a datagram
  std::optional<std::int64_t> count;  // absent: it is no integer
};

// A row of `finalresults` with its rows of `failures`.
struct Sys4Row {
  std::string day;  // "2026-11-20"
  std::string domain;
  std::string record;                    // the TXT record
  std::string policy;                    // JSON: a policy of a datagram
  std::optional<std::int64_t> total;     // absent: it is no integer
  std::optional<std::int64_t> failures;  // of these, likewise
  std::vector<Sys4Failure> details;
};

class Sys4Database {
 public:
  // Copies the database as it is at one moment, so that its collector waits for the copy alone.
  // Fails with Fault::kInput if it cannot be read or is no such database.
  static Result<std::unique_ptr<Sys4Database>> open(const std::string& path);
  ~Sys4Database();
  Sys4Database(const Sys4Database&) = delete;
  Sys4Database& operator=(const Sys4Database&) = delete;

  // SHA-256 of all its rows in their order, as 64 hexadecimal digits: the same for a database that
  // holds the same counts, whatever else happened to its file. Begins reading anew.
  Result<std::string> content_hash();

  // The rows by day, domain, record and policy; nullopt after the last one.
  Result<std::optional<Sys4Row>> next();
  // So that next() gives the first row again.
  void rewind();

  // How many rows of `finalresults` there are.
  std::uint64_t rows() const { return rows_; }
  // Rows of `failures` that belong to no row of `finalresults`.
  std::uint64_t orphans() const { return orphans_; }

 private:
  struct Impl;
  explicit Sys4Database(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
  std::uint64_t rows_ = 0;
  std::uint64_t orphans_ = 0;
};

}  // namespace rapporteur
