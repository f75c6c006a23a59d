#include "bench/intake_rig.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "daemon/intake.h"
#include "store/open.h"

namespace rapporteur::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "intake-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

double since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

std::shared_ptr<const Config> config_of(const Folder& folder) {
  auto loaded = parse_config("[system]\ndomain = \"example.net\"\n[store]\nurl = \"sqlite:" +
                                 folder.file("bench.db") + "\"\n",
                             "bench.toml");
  if (!loaded.config) std::abort();
  return loaded.config;
}

std::uint64_t counted_in(Store& store) {
  const auto counters = store.counters();
  if (!counters) std::abort();
  std::uint64_t sum = 0;
  for (const auto& [name, count] : *counters) {
    if (name.starts_with("datagram.")) sum += count;
  }
  return sum;
}

// Receives into its own buffers until the senders have ended and the queue is empty.
std::uint64_t receive_all(int socket, const std::atomic<bool>& ended) {
  constexpr std::size_t kBatch = 64;
  constexpr std::size_t kLargest = 212'960;
  const auto memory = std::make_unique_for_overwrite<char[]>(kBatch * kLargest);
  std::array<iovec, kBatch> vectors{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {memory.get() + i * kLargest, kLargest};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::uint64_t received = 0;
  for (;;) {
    const bool last = ended;
    pollfd waited{socket, POLLIN, 0};
    poll(&waited, 1, 10);
    const int count = recvmmsg(socket, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (count > 0) received += static_cast<std::uint64_t>(count);
    if (count <= 0 && last) return received;
  }
}

}  // namespace

IntakeRun run_bare_loop(const Datagrams& datagrams, const Traffic& traffic, bool first) {
  const Folder folder;
  const auto path = folder.file("bare.sock");
  const int in = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (bind(in, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  SenderGroup senders(datagrams, path, traffic.count, traffic.senders, traffic.blocking);
  IntakeRun run;
  std::atomic<bool> ended = false;
  std::thread receiver([&] {
    sched_param parameters{};
    parameters.sched_priority = 1;
    if (first) pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
    run.received = receive_all(in, ended);
  });
  const auto start = SteadyClock::now();
  senders.start();
  senders.wait();
  ended = true;
  receiver.join();
  run.seconds = since(start);
  close(in);
  return run;
}

IntakeRun run_intake(const Datagrams& datagrams, const Traffic& traffic, int rounds) {
  const Folder folder;
  const auto config = config_of(folder);
  const auto path = folder.file("intake.sock");
  const SystemClock clock;
  SystemRandom random;
  const auto log = make_stderr_log(LogLevel::kError, LogFormat::kText);
  auto store = open_store(config->store.url, random);
  auto socket = DatagramSocket::open({.path = path, .mode = 0600});
  if (!store || !socket) std::abort();
  SharedState shared(config);
  Recording recording(**store, clock, *log, shared);
  Intake intake(recording, clock, *log, *config);
  std::thread recorder([&] { recording.serve(); });
  std::thread receiver([&] { intake.serve(**socket, shared); });
  auto start = SteadyClock::now();
  for (int round = 0; round < rounds; ++round) {
    SenderGroup senders(datagrams, path, traffic.count, traffic.senders, traffic.blocking);
    if (round == 0) start = SteadyClock::now();
    senders.start();
    senders.wait();
  }
  shared.stopping = true;
  (*socket)->wake();
  receiver.join();
  while (!recording.idle()) std::this_thread::yield();
  IntakeRun run;
  run.seconds = since(start);
  recording.stop();
  recorder.join();
  run.recorded_seconds = since(start);
  run.received = counted_in(**store);
  return run;
}

}  // namespace rapporteur::bench
