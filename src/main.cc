// Wiring and exit codes: makes everything that touches the world and hands it to the command line.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/clock_sync.h"
#include "base/random.h"
#include "base/text.h"
#include "cli/cli.h"
#include "daemon/daemon.h"
#include "dns/resolver.h"
#include "schedule/transports.h"
#include "store/open.h"

namespace {

// A file opened later must not become standard output by its number.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDWR) != fd) std::abort();
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As wide as its window, or as terminals were that tell no width.
rapporteur::Terminal terminal_at(int fd) {
  constexpr std::size_t kColumns = 80;
  if (isatty(fd) == 0) return {};
  winsize size{};
  const bool told = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const bool colours = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
  return {told ? size.ws_col : kColumns, colours};
}

bool confirm() {
  std::string answer;
  std::getline(std::cin, answer);
  answer = rapporteur::to_lower(rapporteur::trim(answer));
  return answer == "y" || answer == "yes";
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::ios::sync_with_stdio(false);

  const rapporteur::SystemClock clock;
  rapporteur::SystemRandom random;
  const rapporteur::World world{
      .clock = clock,
      .random = random,
      .open_store =
          [&random](const std::string& url, const rapporteur::StoreOptions& options) {
            return rapporteur::open_store(url, random, options);
          },
      .make_resolver = rapporteur::make_resolver,
      .run_daemon =
          [](const rapporteur::RunRequest& request) {
            const auto notify_socket = environment("NOTIFY_SOCKET");
            unsetenv("NOTIFY_SOCKET");  // it is not for the programs that the daemon runs
            return rapporteur::run_daemon({request.config_path, request.role, notify_socket});
          },
      .environment = environment,
      .confirm = confirm,
      .out = std::cout,
      .err = std::cerr,
      .make_transports = rapporteur::make_transports,
      .clock_is_synchronised = rapporteur::clock_is_synchronised,
      .out_terminal = terminal_at(STDOUT_FILENO),
      .err_terminal = terminal_at(STDERR_FILENO),
  };
  return rapporteur::run_command_line({argv + (argc > 0 ? 1 : 0), argv + argc}, world);
}
