#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace rapporteur {

namespace {

struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

// The child gets no signal mask, ignored signal or descriptor of ours.
void isolate(SpawnSettings& settings, int input, int errors) {
  sigset_t none{};
  sigset_t all{};
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(
      &settings.attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  posix_spawn_file_actions_adddup2(&settings.actions, input, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&settings.actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&settings.actions, errors, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&settings.actions, STDERR_FILENO + 1);
}

}  // namespace

Result<void> ChildProcess::start(const std::vector<std::string>& words) {
  std::array<int, 2> in{};
  std::array<int, 2> err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) {
    return Error{Fault::kTransient, system_error("cannot make a pipe")};
  }
  Fd in_read(in[0]);
  input_ = Fd(in[1]);
  if (::pipe2(err.data(), O_CLOEXEC) != 0) {
    return Error{Fault::kTransient, system_error("cannot make a pipe")};
  }
  errors_pipe_ = Fd(err[0]);
  const Fd err_write(err[1]);
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(errors_pipe_.get(), F_SETFL, O_NONBLOCK);
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (auto& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  SpawnSettings settings;
  isolate(settings, in_read.get(), err_write.get());
  errno = ::posix_spawn(&pid_, words.front().c_str(), &settings.actions, &settings.attributes,
                        arguments.data(), environ);
  if (errno != 0) {
    pid_ = -1;
    return Error{Fault::kTransient, system_error("cannot run " + words.front())};
  }
  // By number: <sys/pidfd.h> of glibc 2.36 declares the function with C++ linkage.
  process_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_) return Error{Fault::kTransient, system_error("cannot watch " + words.front())};
  return {};
}

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  constexpr int kPatienceMs = 500;
  ::kill(-pid_, SIGTERM);
  pollfd ended{process_.get(), POLLIN, 0};
  if (!process_ || ::poll(&ended, 1, kPatienceMs) != 1) ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::write_some(std::string_view& input) {
  while (!input.empty()) {
    const auto size = ::write(input_.get(), input.data(), input.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
      broken_pipe_ = true;
      break;
    }
    input.remove_prefix(static_cast<std::size_t>(size));
  }
  input_ = Fd();
  input_open_ = false;
}

void ChildProcess::read_some() {
  constexpr std::size_t kKept = kMostErrorBytes;
  std::array<char, 1024> buffer{};
  for (;;) {
    const auto size = ::read(errors_pipe_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    if (size == 0) {
      errors_pipe_ = Fd();
      return;
    }
    errors_.append(buffer.data(), std::min(static_cast<std::size_t>(size), kKept - errors_.size()));
  }
}

bool ChildProcess::turn(std::string_view& input) {
  constexpr int kTickMs = 200;
  std::array<pollfd, 3> watched = {pollfd{process_.get(), POLLIN, 0},
                                   pollfd{errors_pipe_.get(), POLLIN, 0},
                                   pollfd{input_.get(), POLLOUT, 0}};
  ::poll(watched.data(), watched.size(), kTickMs);
  if (watched[1].revents != 0) read_some();
  if (input_open_ && watched[2].revents != 0) write_some(input);
  if (watched[0].revents == 0) return true;
  ::waitpid(pid_, &status_, 0);
  pid_ = -1;
  if (errors_pipe_) read_some();
  return false;
}

bool ChildProcess::succeeded() const {
  return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

std::string ChildProcess::status_text() const {
  return WIFEXITED(status_) ? "exit code " + std::to_string(WEXITSTATUS(status_))
                            : "ended by signal " + std::to_string(WTERMSIG(status_));
}

}  // namespace rapporteur
