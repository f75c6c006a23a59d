#include "deliver/sendmail.h"

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
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "base/time.h"
#include "deliver/judge.h"

namespace rapporteur {

namespace {

using Clock = std::chrono::steady_clock;

std::string with_lf(std::string_view message) {
  std::string text;
  text.reserve(message.size());
  for (std::size_t i = 0; i < message.size(); ++i) {
    const bool crlf = message[i] == '\r' && i + 1 < message.size() && message[i + 1] == '\n';
    if (!crlf) text += message[i];
  }
  return text;
}

// A program that runs with a pipe to its standard input and one from its standard error, in a
// process group of its own. Its end kills what still runs of it.
class Child {
 public:
  // Fails with Fault::kTransient and the system's reason.
  Result<void> start(const std::vector<std::string>& words);
  ~Child();
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Moves what can be moved within about a fifth of a second: `input` shrinks by what was written,
  // and is closed when all of it is. False if the program has ended.
  bool turn(std::string_view& input);

  // False: it ended without reading everything, or runs.
  bool has_read_everything() const { return !input_open_ && !broken_pipe_; }
  // The status as waitpid(2) tells it, once turn() has returned false.
  int status() const { return status_; }
  const std::string& errors() const { return errors_; }

 private:
  void write_some(std::string_view& input);
  void read_some();

  pid_t pid_ = -1;
  int status_ = 0;
  Fd input_, errors_pipe_, process_;
  bool input_open_ = true;
  bool broken_pipe_ = false;
  std::string errors_;
};

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

Result<void> Child::start(const std::vector<std::string>& words) {
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

Child::~Child() {
  if (pid_ < 0) return;
  constexpr int kPatienceMs = 500;
  ::kill(-pid_, SIGTERM);
  pollfd ended{process_.get(), POLLIN, 0};
  if (!process_ || ::poll(&ended, 1, kPatienceMs) != 1) ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::write_some(std::string_view& input) {
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

void Child::read_some() {
  constexpr std::size_t kKept = 4 * kMaxReplyText;
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

bool Child::turn(std::string_view& input) {
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

class Sendmail final : public MailTransport {
 public:
  Sendmail(const SendmailOptions& options, const Interrupt& interrupt)
      : options_(options), interrupt_(interrupt) {
    for (const auto word : split(options_.command, ' ')) {
      if (!trim(word).empty()) words_.emplace_back(trim(word));
    }
  }

  Reply send(const std::string& envelope_from, const std::string& recipient,
             std::string_view message) override;
  Reply probe() override;

 private:
  static Reply trouble(std::string_view why) {
    return {
        Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, reply_text(why, Stage::kConnect), {}};
  }
  static Reply broken_off(const Child& child, std::string_view why, Reply::Outcome before);
  static Reply judge(const Child& child);

  const SendmailOptions options_;
  const Interrupt& interrupt_;
  std::vector<std::string> words_;
};

Reply Sendmail::probe() {
  if (words_.empty() || ::access(words_.front().c_str(), X_OK) != 0) {
    return trouble(words_.empty() ? "no sendmail command is configured"
                                  : system_error("cannot run " + words_.front()));
  }
  return {Reply::Outcome::kAccepted,
          Stage::kConnect,
          0,
          reply_text(words_.front() + " can be run", Stage::kConnect),
          {}};
}

// A program that has read the whole message may have queued it.
Reply Sendmail::broken_off(const Child& child, std::string_view why, Reply::Outcome before) {
  const bool uncertain = child.has_read_everything();
  const auto stage = uncertain ? Stage::kFinal : Stage::kData;
  return {uncertain ? Reply::Outcome::kUncertain : before, stage, 0, reply_text(why, stage), {}};
}

Reply Sendmail::judge(const Child& child) {
  const int status = child.status();
  if (!WIFEXITED(status)) {
    return trouble("the sendmail program was ended by signal " + std::to_string(WTERMSIG(status)));
  }
  Reply reply;
  reply.code = WEXITSTATUS(status);
  reply.outcome = judge_exit(reply.code);
  if (reply.outcome == Reply::Outcome::kAccepted && !child.has_read_everything()) {
    return trouble("the sendmail program ended before it had read the message");
  }
  reply.stage = reply.outcome == Reply::Outcome::kAccepted    ? Stage::kFinal
                : reply.outcome == Reply::Outcome::kPermanent ? Stage::kRcptTo
                                                              : Stage::kConnect;
  std::string text = "exit code " + std::to_string(reply.code);
  if (!exit_name(reply.code).empty()) text += " " + std::string(exit_name(reply.code));
  auto said = std::string(trim(child.errors()));
  std::replace(said.begin(), said.end(), '\n', ' ');
  if (!said.empty()) text += ": " + said;
  reply.text = reply_text(text, reply.stage);
  return reply;
}

Reply Sendmail::send(const std::string& envelope_from, const std::string& recipient,
                     std::string_view message) {
  for (const auto* address : {&recipient, &envelope_from}) {
    if (is_safe_address(*address)) continue;
    const auto stage = address == &recipient ? Stage::kRcptTo : Stage::kMailFrom;
    return {
        Reply::Outcome::kPermanent, stage, 0, reply_text("refused: no usable address", stage), {}};
  }
  if (words_.empty()) return trouble("no sendmail command is configured");
  auto words = words_;
  words.insert(words.end(), {"-f", envelope_from, "--", recipient});
  Child child;
  if (const auto started = child.start(words); !started) return trouble(started.error().text);
  const auto text = with_lf(message);
  std::string_view input = text;
  const auto deadline = Clock::now() + options_.timeout;
  while (child.turn(input)) {
    const bool read = child.has_read_everything();
    if (interrupt_.everything || (interrupt_.before_final && !read)) {
      return broken_off(child, "broken off by a stop", Reply::Outcome::kInterrupted);
    }
    if (Clock::now() > deadline) {
      const auto limit = format_duration(std::chrono::ceil<Seconds>(options_.timeout));
      return broken_off(child, "not finished within " + limit, Reply::Outcome::kRelayTrouble);
    }
  }
  return judge(child);
}

}  // namespace

std::unique_ptr<MailTransport> make_sendmail_transport(const SendmailOptions& options,
                                                       const Interrupt& interrupt) {
  return std::make_unique<Sendmail>(options, interrupt);
}

}  // namespace rapporteur
