#include "daemon/daemon.h"

#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "config/config.h"
#include "daemon/delivery.h"
#include "daemon/intake.h"
#include "daemon/scheduler.h"
#include "daemon/shared_state.h"
#include "ingest/datagram_socket.h"
#include "store/open.h"

namespace rapporteur {

namespace {

constexpr int kExitConfiguration = 78;

// How small the kernel's datagram queue may be before a burst of sessions is lost in it.
constexpr int kSmallDatagramQueue = 100;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

int fail(const Error& error) {
  std::fprintf(stderr, "rapporteur: %s\n", error.text.c_str());
  return error.fault == Fault::kConfig ? kExitConfiguration : 1;
}

// One daemon: what lives as long as it, in the order in which it is made.
class Daemon {
 public:
  Daemon(std::shared_ptr<const Config> config, std::string role)
      : shared_(std::move(config)),
        role_(std::move(role)),
        log_(make_stderr_log(shared_.config.get()->log.level, shared_.config.get()->log.format)) {}

  // Everything that can be refused is tried before the first thread starts.
  Result<void> open() {
    const auto config = shared_.config.get();
    auto lock = lock_for_daemon(config->store.url);
    if (!lock) return std::move(lock).error();
    lock_ = *std::move(lock);
    for (auto* store : {&intake_store_, &schedule_store_, &delivery_store_}) {
      auto opened = open_store(config->store.url, random_);
      if (!opened) return std::move(opened).error();
      *store = *std::move(opened);
    }
    auto options = courier_options(*config);
    if (!options) return std::move(options).error();
    courier_options_ = *std::move(options);
    if (!ingests() || !config->ingest.datagram) return {};
    const auto& datagram = *config->ingest.datagram;
    auto socket =
        DatagramSocket::open({datagram.path, datagram.mode, datagram.owner, datagram.group});
    if (!socket) return std::move(socket).error();
    socket_ = *std::move(socket);
    return {};
  }

  int run() {
    const auto config = shared_.config.get();
    DeliveryLoop delivery(*delivery_store_, random_, clock_, *log_, *courier_options_);
    Scheduler scheduler(*schedule_store_, clock_, *log_, [&] { delivery.wake(); });
    Intake intake(*intake_store_, clock_, *log_, config);
    bool settled = true;
    bool recorded = true;

    std::thread intake_thread;
    std::thread schedule_thread;
    std::thread delivery_thread;
    if (socket_) {
      warn_of_small_queue();
      intake_thread = std::thread([&] { settled = intake.serve(*socket_, shared_); });
    }
    if (schedules()) {
      schedule_thread = std::thread([&] { scheduler.serve(shared_); });
      delivery_thread = std::thread([&] { recorded = delivery.serve(shared_); });
    }
    if (config->http) log_->warning("not-served", {{"table", "http"}});
    if (!config->received.listen.empty() || !config->received.maildir.empty()) {
      log_->warning("not-served", {{"table", "received"}});
    }
    log_->info("started", {{"config", config->path},
                           {"store", config->store.url},
                           {"role", role_},
                           {"socket", socket_ ? config->ingest.datagram->path : "none"}});
    serve_signals();

    shared_.stopping = true;
    if (socket_) socket_->wake();
    scheduler.interrupt();
    shared_.schedule.ring();
    delivery.wake();
    for (auto* thread : {&intake_thread, &schedule_thread, &delivery_thread}) {
      if (thread->joinable()) thread->join();
    }
    const bool clean = settled && recorded;
    log_->info("stopped", {{"clean", clean ? "yes" : "no"}});
    return clean ? 0 : 1;
  }

 private:
  bool ingests() const { return role_ != "schedule"; }
  bool schedules() const { return role_ != "ingest"; }

  void warn_of_small_queue() {
    const int length = max_dgram_qlen();
    if (length == 0 || length >= kSmallDatagramQueue) return;
    log_->warning("small-datagram-queue",
                  {{"net.unix.max_dgram_qlen", std::to_string(length)},
                   {"advice", "run: sysctl -w net.unix.max_dgram_qlen=512, then restart"}});
  }

  // Returns when the daemon is to stop.
  void serve_signals() {
    const auto set = handled_signals();
    for (;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      if (signal != SIGHUP) {
        log_->info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
        return;
      }
      reload();
    }
  }

  void reload() {
    const auto before = shared_.config.get();
    const auto loaded = load_config(before->path);
    for (const auto& diagnostic : loaded.diagnostics) {
      const bool error = diagnostic.severity == expr::Severity::kError;
      log_->write(error ? LogLevel::kError : LogLevel::kWarning, "configuration",
                  {{"file", diagnostic.where.file},
                   {"line", std::to_string(diagnostic.where.line)},
                   {"column", std::to_string(diagnostic.where.column)},
                   {"message", diagnostic.message},
                   {"suggestion", diagnostic.suggestion}});
    }
    if (!loaded.config) {
      log_->error("reload-refused", {{"config", before->path}, {"kept", "the old configuration"}});
      return;
    }
    if (const auto options = courier_options(*loaded.config); !options) {
      log_->error("reload-refused", {{"config", before->path}, {"error", options.error().text}});
      return;
    }
    say_what_needs_a_restart(*before, *loaded.config);
    shared_.config.set(loaded.config);
    log_->info("reloaded", {{"config", before->path}});
    shared_.schedule.ring();
    if (socket_) socket_->wake();
  }

  void say_what_needs_a_restart(const Config& before, const Config& after) {
    const auto say = [this](std::string_view key) {
      log_->warning("restart-needed", {{"key", std::string(key)}});
    };
    if (before.store.url != after.store.url) say("store.url");
    if (before.log.level != after.log.level || before.log.format != after.log.format) say("log");
    const auto socket = [](const Config& config) {
      const auto& datagram = config.ingest.datagram;
      return datagram ? datagram->path + ' ' + std::to_string(datagram->mode) + ' ' +
                            datagram->owner + ' ' + datagram->group
                      : std::string();
    };
    if (socket(before) != socket(after)) say("ingest.datagram");
  }

  SharedState shared_;
  const std::string role_;
  const std::unique_ptr<Log> log_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<DaemonLock> lock_;
  std::unique_ptr<Store> intake_store_;
  std::unique_ptr<Store> schedule_store_;
  std::unique_ptr<Store> delivery_store_;
  std::unique_ptr<DatagramSocket> socket_;
  std::optional<CourierOptions> courier_options_;
};

}  // namespace

int run_daemon(const DaemonRequest& request) {
  // Before any thread exists, so that all of them inherit it: signals come to sigwait() only.
  const auto set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a write that is too much for RLIMIT_FSIZE fails instead

  auto loaded = load_config(request.config_path);
  for (const auto& diagnostic : loaded.diagnostics) {
    std::fprintf(stderr, "%s\n", diagnostic.text().c_str());
  }
  if (!loaded.config) return kExitConfiguration;
  Daemon daemon(std::move(loaded.config), request.role);
  if (const auto opened = daemon.open(); !opened) return fail(opened.error());
  return daemon.run();
}

}  // namespace rapporteur
