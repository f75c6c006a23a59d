#pragma once
// The command line: docs/design.md, "Command line". Parses arguments, runs one subcommand, prints
// for people or for programs, and gives the exit code.

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "dns/resolver.h"
#include "schedule/transports.h"
#include "store/open.h"
#include "store/store.h"

namespace rapporteur {

// What `rapporteur run` was asked to do.
struct RunRequest {
  std::string config_path;
  std::string role = "all";  // "ingest", "schedule" or "all"
};

// What is at the other end of a stream.
struct Terminal {
  std::size_t columns = 0;  // 0: no terminal
  bool colours = false;
};

// Everything that the command line touches of the world; made in main.cc, faked in tests.
struct World {
  const Clock& clock;
  Random& random;
  std::function<Result<std::unique_ptr<Store>>(const std::string& url, const StoreOptions& options)>
      open_store;
  std::function<Result<std::unique_ptr<Resolver>>(const ResolverOptions&)> make_resolver;
  std::function<int(const RunRequest&)> run_daemon;
  std::function<std::string(const char* name)> environment;  // empty: not set
  std::function<bool()> confirm;  // asks the person at the terminal; false: nobody is there
  std::ostream& out;
  std::ostream& err;
  std::function<Result<Transports>(const Config&, const ConversationListener&)> make_transports;
  std::function<bool()> clock_is_synchronised;  // as the kernel says; unset: not asked
  Terminal out_terminal = {};
  Terminal err_terminal = {};
};

enum ExitCode : int {
  kExitDone = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  // EX_TEMPFAIL, of commands that the pipe of an MTA runs: it keeps the message and tries again.
  // Nothing that goes wrong here is worth a bounce to whoever sent it.
  kExitTryAgain = 75,
  kExitConfig = 78,
};

// `arguments` without the program's name. Never throws.
int run_command_line(const std::vector<std::string>& arguments, const World& world);

}  // namespace rapporteur
