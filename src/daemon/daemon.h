#pragma once
// `rapporteur run`: threads, signals and reload. docs/design.md, "Daemon".

#include <string>

namespace rapporteur {

struct DaemonRequest {
  std::string config_path;
  std::string role = "all";   // "ingest", "schedule" or "all"
  std::string notify_socket;  // daemon/service_manager.h; empty: nobody wants to know
};

// Runs until SIGTERM or SIGINT and returns the exit code: 0 after a clean stop, 1 if it could not
// start or the store failed at the end, 78 if the configuration has errors. SIGHUP reloads the
// configuration. Call it once, from the main thread, before any other thread exists.
int run_daemon(const DaemonRequest& request);

}  // namespace rapporteur
