// rapporteur_million_bench: a million windows that fall due at once, one in twenty of a domain that
// asks for reports: what the daemon takes of memory and time, and how quickly it can be looked at.
// scripts/bench builds and runs it. Arguments: the program `rapporteur`, the number of windows.

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/random.h"
#include "bench/schedule_rig.h"
#include "bench/table.h"
#include "store/open.h"

namespace rapporteur::bench {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kEach = 20;
constexpr std::size_t kFew = 10'000;
constexpr auto kLongest = 60min;

double seconds_since(Steady::time_point began) {
  return std::chrono::duration<double>(Steady::now() - began).count();
}

struct Course {
  double starts = 0;       // seconds until the first window had its run
  double seconds = 0;      // until all had theirs
  double list = 0;         // seconds that `schedule list` took, at the most
  double resident_mb = 0;  // of the daemon, at the most
};

double time_of_list(const Place& place, const std::string& program) {
  const auto command =
      program + " --config " + place.config() + " schedule list --all > " + place.path("list");
  const auto began = Steady::now();
  if (std::system(command.c_str()) != 0) die(command);
  return seconds_since(began);
}

Course run(const std::string& program, std::size_t windows, bool look) {
  const Place place;
  testing_support::DnsResponder name_server(records(windows, kEach));
  place.configure(name_server.address());
  SystemRandom random;
  const auto store = need(open_store(place.url(), random));
  fill(*store, windows);
  Course course;
  const auto began = Steady::now();
  const auto child = start(program, place.config());
  std::uint64_t ended = 0;
  while (ended < windows && Steady::now() - began < kLongest) {
    std::this_thread::sleep_for(50ms);
    if (waitpid(child, nullptr, WNOHANG) != 0) die("the daemon has ended");
    ended = in_state(*store, WindowState::kSuppressed) + in_state(*store, WindowState::kDone);
    if (ended > 0 && course.starts == 0) course.starts = seconds_since(began);
    course.resident_mb = std::max(course.resident_mb, resident_mb(child));
    if (look && ended > 0 && course.list == 0) course.list = time_of_list(place, program);
  }
  course.seconds = seconds_since(began);
  kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
  if (ended < windows) die(std::to_string(ended) + " windows have ended");
  return course;
}

bool measure(const std::string& program, std::size_t windows) {
  const auto few = run(program, kFew, false);
  const auto many = run(program, windows, true);
  const auto each = [](const Course& course, std::size_t count) {
    return 1e6 * (course.seconds - course.starts) / static_cast<double>(count);
  };
  const auto name = std::to_string(windows) + " windows fall due: ";
  bool holds = tell({.what = name + "MB of the daemon",
                     .limit = "none",
                     .ratio = many.resident_mb,
                     .bar = 300,
                     .figures = std::to_string(few.resident_mb) + " MB with 10,000"});
  holds &= tell({.what = name + "seconds until the first has its run",
                 .limit = "none",
                 .ratio = many.starts,
                 .bar = 2,
                 .figures = "from the start of the daemon"});
  holds &= tell({.what = name + "seconds of `schedule list`, first page",
                 .limit = "none",
                 .ratio = many.list,
                 .bar = 0.1,
                 .figures = "the whole command, while the daemon works"});
  holds &= tell({.what = name + "cost of a window",
                 .limit = "the same with 10,000",
                 .ratio = each(many, windows) / each(few, kFew),
                 .bar = 1.5,
                 .figures = std::to_string(each(many, windows)) + " and " +
                            std::to_string(each(few, kFew)) + " microseconds"});
  return holds;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int argc, char** argv) {
  if (argc < 2) rapporteur::bench::die("usage: rapporteur_million_bench PROGRAM [WINDOWS]");
  const auto windows = argc > 2 ? static_cast<std::size_t>(std::atol(argv[2])) : 1'000'000;
  return rapporteur::bench::measure(argv[1], windows) ? 0 : 1;
}
