#include "daemon/daemon.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/url.h"
#include "config/config.h"
#include "daemon/delivery.h"
#include "daemon/http_service.h"
#include "daemon/intake.h"
#include "daemon/monitor.h"
#include "daemon/received_service.h"
#include "daemon/scheduler.h"
#include "daemon/service_manager.h"
#include "daemon/shared_state.h"
#include "daemon/spill.h"
#include "ingest/datagram_socket.h"
#include "schedule/keeping.h"
#include "store/open.h"

namespace rapporteur {

namespace {

constexpr int kExitConfiguration = 78;

// How small the kernel's datagram queue may be before a burst of sessions is lost in it.
constexpr int kSmallDatagramQueue = 100;

// What a stop takes beside the replies that it waits for: HTTP requests, the socket, the last
// flush.
constexpr std::chrono::seconds kStopMargin{60};

// Of what tells this process's flushes from those of earlier ones of its node.
constexpr std::size_t kTokenLength = 16;

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
  Daemon(std::shared_ptr<const Config> config, const DaemonRequest& request)
      : shared_(std::move(config)),
        role_(request.role),
        manager_(request.notify_socket),
        log_(make_stderr_log(shared_.config.get()->log.level, shared_.config.get()->log.format)) {}

  // Everything that can be refused is tried before the first thread starts.
  Result<void> open() {
    const auto config = shared_.config.get();
    auto lock = lock_for_daemon(config->store.url);
    if (!lock) return std::move(lock).error();
    lock_ = *std::move(lock);
    for (auto* store : {&intake_store_, &schedule_store_, &delivery_store_}) {
      auto opened = open_one_store();
      if (!opened) return std::move(opened).error();
      *store = *std::move(opened);
    }
    auto options = courier_options(*config);
    if (!options) return std::move(options).error();
    courier_options_ = *std::move(options);
    if (auto opened = open_spill(); !opened) return opened;
    if (auto opened = open_http(); !opened) return opened;
    if (auto opened = open_received(); !opened) return opened;
    if (!ingests() || !config->ingest.datagram) return {};
    const auto& datagram = *config->ingest.datagram;
    auto socket =
        DatagramSocket::open({datagram.path, datagram.mode, datagram.owner, datagram.group});
    if (!socket) return std::move(socket).error();
    socket_ = *std::move(socket);
    return {};
  }

  // One connection. A database that is away keeps nobody from counting: what works with it begins
  // when it is back.
  Result<std::unique_ptr<Store>> open_one_store() {
    const auto config = shared_.config.get();
    auto options = store_options(*config);
    options.connect_later = true;
    auto store = open_store(config->store.url, random_, options);
    if (!store || store_away_) return store;
    if (auto reached = (*store)->reach(); !reached) {
      if (reached.error().fault != Fault::kTransient) return std::move(reached).error();
      store_away_ = reached.error();
      log_->warning("store-away", {{"error", store_away_->text}});
    }
    return store;
  }

  // A folder that cannot be used keeps nobody from counting: Recording tells, and tries it again.
  Result<void> open_spill() {
    const auto config = shared_.config.get();
    const auto& store = config->store;
    if (!ingests() || !store_is_shared(store.url) || store.spill_max_bytes == 0) return {};
    spill_.emplace(store.spill, store_options(*config).node, random_, *log_, shared_.metrics);
    auto opened = spill_->open();
    const bool taken = !opened && opened.error().fault == Fault::kConfig;
    return taken ? std::move(opened) : Result<void>();
  }

  RecordingOptions recording_options() {
    const auto config = shared_.config.get();
    RecordingOptions options;
    // A journal in the database of another machine costs more than the counts.
    if (store_is_shared(config->store.url)) options.few_entries = SIZE_MAX;
    options.source = store_options(*config).node + '/' + random_token(random_, kTokenLength);
    options.spill = spill_ ? &*spill_ : nullptr;
    return options;
  }

  Result<void> open_http() {
    const auto config = shared_.config.get();
    if (!config->http) return {};
    auto store = open_one_store();
    if (!store) return std::move(store).error();
    monitor_.emplace(*std::move(store), clock_, shared_.metrics, shared_.health);
    auto listener = open_http_listener(config->http->listen);
    if (!listener) return std::move(listener).error();
    http_listener_ = *std::move(listener);
    return {};
  }

  Result<void> open_received() {
    const auto config = shared_.config.get();
    if (!ingests()) return {};
    std::array<std::unique_ptr<Store>, 2> stores;
    for (auto& store : stores) {
      auto opened = open_one_store();
      if (!opened) return std::move(opened).error();
      store = *std::move(opened);
    }
    received_.emplace(ReceivedService::Needs{.post_store = std::move(stores[0]),
                                             .mail_store = std::move(stores[1]),
                                             .clock = clock_,
                                             .log = *log_,
                                             .shared = shared_});
    if (config->received.listen.empty()) return {};
    auto listener = open_http_listener(config->received.listen, "received");
    if (!listener) return std::move(listener).error();
    return received_->listen(config->received, *std::move(listener));
  }

  int run() {
    const auto config = shared_.config.get();
    shared_.metrics.start_time.set(clock_.now().time_since_epoch().count());
    DeliveryLoop delivery(*delivery_store_, random_, clock_, *log_, *courier_options_,
                          shared_.metrics);
    Scheduler scheduler(*schedule_store_, clock_, *log_, [&] { delivery.wake(); });
    std::unique_ptr<HttpService> http;  // goes after whoever answers through it
    Recording recording(*intake_store_, clock_, *log_, shared_, recording_options());
    Intake intake(recording, clock_, *log_, *config);
    if (store_away_) {
      recording.begin_without_store(*store_away_);
    } else if (auto recovered = recording.recover(); !recovered) {
      return fail(recovered.error());
    }
    recording.announce(beat_of(*config), beat_every(config->store.lease));
    auto made = make_http(*config, recording);
    if (!made) return fail(made.error());
    http = *std::move(made);
    bool settled = true;
    bool recorded = true;

    std::thread recording_thread;
    std::thread intake_thread;
    std::thread schedule_thread;
    std::thread delivery_thread;
    recording_thread = std::thread([&] { settled = recording.serve(); });
    if (socket_) {
      warn_of_small_queue();
      intake_thread = std::thread([&] { intake.serve(*socket_, shared_); });
    }
    if (schedules()) {
      schedule_thread = std::thread([&] { scheduler.serve(shared_); });
      delivery_thread = std::thread([&] { recorded = delivery.serve(shared_); });
    }
    if (http) http->start();
    if (received_) received_->start();
    tell_started(*config);
    warn_unless(manager_.ready());
    serve_signals();

    warn_unless(manager_.stopping(longest_stop()));

    shared_.health.set_problem(Problem::kStopping, "the daemon is about to end");
    shared_.stopping = true;
    if (socket_) socket_->wake();
    scheduler.interrupt();
    shared_.schedule.ring();
    delivery.wake();
    if (http) http->stop();
    if (received_) received_->stop();
    if (intake_thread.joinable()) intake_thread.join();
    recording.stop();  // after all who submit to it
    for (auto* thread : {&recording_thread, &schedule_thread, &delivery_thread}) {
      if (thread->joinable()) thread->join();
    }
    const bool clean = settled && recorded;
    log_->info("stopped", {{"clean", clean ? "yes" : "no"}});
    return clean ? 0 : 1;
  }

 private:
  bool ingests() const { return role_ != "schedule"; }
  bool schedules() const { return role_ != "ingest"; }

  // Null: [http] is not configured.
  Result<std::unique_ptr<HttpService>> make_http(const Config& config, Recording& recording) {
    if (!http_listener_) return std::unique_ptr<HttpService>();
    auto made = HttpService::make(config, *std::move(http_listener_),
                                  {.recording = recording,
                                   .monitor = *monitor_,
                                   .metrics = shared_.metrics,
                                   .clock = clock_,
                                   .random = random_,
                                   .log = *log_,
                                   .takes_sessions = ingests()});
    if (made) http_ = made->get();
    return made;
  }

  void tell_started(const Config& config) {
    log_->info("started", {{"config", config.path},
                           {"store", without_password(config.store.url)},
                           {"role", role_},
                           {"socket", socket_address()},
                           {"http", http_ != nullptr ? http_->address() : "none"},
                           {"received", received_address()}});
  }

  NodeBeat beat_of(const Config& config) const {
    return {.name = store_options(config).node,
            .role = role_,
            .host = host_name(),
            .process = getpid(),
            .version = RAPPORTEUR_VERSION,
            .started = clock_.now()};
  }

  std::string received_address() const {
    return received_ && !received_->address().empty() ? received_->address() : "none";
  }

  // How long a stop may take, generously.
  std::chrono::seconds longest_stop() const {
    return shared_.config.get()->delivery.stop_grace + kStopMargin;
  }

  void warn_unless(const Result<void>& told) {
    if (!told) log_->warning("service-manager-not-told", {{"error", told.error().text}});
  }

  std::string socket_address() const {
    if (!socket_) return "none";
    return socket_->is_activated() ? "systemd" : shared_.config.get()->ingest.datagram->path;
  }

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
      warn_unless(manager_.reloading());
      reload();
      warn_unless(manager_.ready());
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
      refuse_reload("the file has errors: `rapporteur config check` tells them");
      return;
    }
    if (const auto options = courier_options(*loaded.config); !options) {
      log_->error("reload-refused", {{"config", before->path}, {"error", options.error().text}});
      refuse_reload(options.error().text);
      return;
    }
    if (const auto used = use_listeners(*loaded.config); !used) {
      log_->error("reload-refused", {{"config", before->path}, {"error", used.error().text}});
      refuse_reload(used.error().text);
      return;
    }
    say_what_needs_a_restart(*before, *loaded.config);
    shared_.config.set(loaded.config);
    shared_.metrics.reloads_accepted.add();
    shared_.health.clear_problem(Problem::kConfiguration);
    log_->info("reloaded", {{"config", before->path}});
    shared_.schedule.ring();
    if (socket_) socket_->wake();
  }

  // Both or neither.
  Result<void> use_listeners(const Config& config) {
    if (received_) {
      if (auto usable = received_->can_use(config.received); !usable) return usable;
    }
    if (http_) {
      if (auto used = http_->use(config); !used) return used;
    }
    return received_ ? received_->use(config.received) : Result<void>();
  }

  void refuse_reload(const std::string& why) {
    shared_.metrics.reloads_refused.add();
    shared_.health.set_problem(Problem::kConfiguration, "the old configuration stays: " + why);
  }

  void say_what_needs_a_restart(const Config& before, const Config& after) {
    const auto say = [this](std::string_view key) {
      log_->warning("restart-needed", {{"key", std::string(key)}});
    };
    if (before.store.url != after.store.url) say("store.url");
    if (store_options(before).node != store_options(after).node) say("store.node");
    if (before.store.lease != after.store.lease) say("store.lease");
    if (before.store.spill != after.store.spill) say("store.spill");
    if (before.log.level != after.log.level || before.log.format != after.log.format) say("log");
    const auto socket = [](const Config& config) {
      const auto& datagram = config.ingest.datagram;
      return datagram ? datagram->path + ' ' + std::to_string(datagram->mode) + ' ' +
                            datagram->owner + ' ' + datagram->group
                      : std::string();
    };
    if (socket(before) != socket(after)) say("ingest.datagram");
    const auto listen = [](const Config& config) {
      return config.http ? config.http->listen : std::string();
    };
    if (listen(before) != listen(after)) say("http.listen");
    if (before.received.listen != after.received.listen) say("received.listen");
  }

  SharedState shared_;
  const std::string role_;
  const ServiceManager manager_;
  const std::unique_ptr<Log> log_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<DaemonLock> lock_;
  std::optional<Error> store_away_;  // why it could not be reached at the start
  std::optional<Spill> spill_;
  std::unique_ptr<Store> intake_store_;
  std::unique_ptr<Store> schedule_store_;
  std::unique_ptr<Store> delivery_store_;
  std::unique_ptr<DatagramSocket> socket_;
  std::optional<CourierOptions> courier_options_;
  std::optional<Monitor> monitor_;
  std::optional<HttpListener> http_listener_;  // until it is served
  HttpService* http_ = nullptr;                // while it runs, if it does
  std::optional<ReceivedService> received_;
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
  Daemon daemon(std::move(loaded.config), request);
  if (const auto opened = daemon.open(); !opened) return fail(opened.error());
  return daemon.run();
}

}  // namespace rapporteur
