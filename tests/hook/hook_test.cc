// The promises of hook/rapporteur_hook.h, against a socket of the test's own. That a call does not
// wait is shown by construction: nobody reads, or nobody is there, and all calls return.

#include "hook/rapporteur_hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

constexpr int kDeadlineMs = 30'000;
constexpr std::size_t kSmallRing = 256 * 1024;
constexpr std::size_t kHeader = 8;

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/rapporteur-hook-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string socket() const { return path_ / "socket"; }

 private:
  fs::path path_;
};

// The daemon's end of the socket.
class Receiver {
 public:
  explicit Receiver(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path.c_str());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, generic, sizeof address), 0) << std::strerror(errno);
  }
  ~Receiver() { close(fd_); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // The next datagram; empty if none comes within `timeout_ms`.
  std::string receive(int timeout_ms = kDeadlineMs) const {
    pollfd polled{fd_, POLLIN, 0};
    if (poll(&polled, 1, timeout_ms) <= 0) return {};
    const auto size = recv(fd_, buffer_.get(), RAPPORTEUR_MOST_BYTES + 1, 0);
    return {buffer_.get(), size < 0 ? 0 : static_cast<std::size_t>(size)};
  }

  std::vector<std::string> receive_many(std::size_t count) const {
    std::vector<std::string> texts;
    while (texts.size() < count) {
      texts.push_back(receive());
      if (texts.back().empty()) break;
    }
    return texts;
  }

 private:
  int fd_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(RAPPORTEUR_MOST_BYTES + 1);
};

struct Closer {
  void operator()(rapporteur_hook* hook) const { rapporteur_close(hook, 0); }
};
using Hook = std::unique_ptr<rapporteur_hook, Closer>;

Hook open_hook(const std::string& path, std::size_t ring_bytes = 0) {
  rapporteur_options options{};
  options.socket_path = path.c_str();
  options.ring_bytes = ring_bytes;
  Hook hook(rapporteur_open(&options));
  EXPECT_NE(hook, nullptr) << std::strerror(errno);
  return hook;
}

int hand_over(const Hook& hook, const std::string& text) {
  return rapporteur_hand_over(hook.get(), text.data(), text.size());
}

rapporteur_counters count(const Hook& hook) {
  rapporteur_counters counters;
  rapporteur_count(hook.get(), &counters);
  return counters;
}

// Different in content and in length, so that records stand at every place of the ring.
std::string text_of(std::size_t number) {
  std::string text = std::to_string(number) + ':';
  text.append(number * 7919 % 1500, static_cast<char>('a' + number % 26));
  return text;
}

TEST(Hook, WhatIsHandedOverArrivesAsItWasAndInOrder) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket());
  const std::vector<std::string> texts = {"{}", "a", std::string("with\0zeros\0", 11),
                                          std::string(4095, 'x'), std::string(100'000, 'y')};
  for (const auto& text : texts) EXPECT_EQ(hand_over(hook, text), RAPPORTEUR_DONE);
  EXPECT_EQ(receiver.receive_many(texts.size()), texts);
  EXPECT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
  EXPECT_EQ(count(hook).handed_over, texts.size());
  EXPECT_EQ(count(hook).sent, texts.size());
}

TEST(Hook, AFullRingLosesTheNewestAndCountsThem) {
  const Directory directory;
  const auto hook = open_hook(directory.socket(), kSmallRing);  // nobody is there
  const std::string text(1000, 'x');
  constexpr std::size_t kFits = kSmallRing / (kHeader + 1000);
  constexpr std::size_t kCalls = 100'000;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < kCalls; ++i) {
    const int result = hand_over(hook, text);
    ASSERT_EQ(result, i < kFits ? RAPPORTEUR_DONE : RAPPORTEUR_FULL) << i;
    taken += result == RAPPORTEUR_DONE ? 1 : 0;
  }
  EXPECT_EQ(taken, kFits);
  EXPECT_EQ(count(hook).handed_over, kFits);
  EXPECT_EQ(count(hook).lost_full, kCalls - kFits);
  EXPECT_EQ(count(hook).sent, 0U);
  const Receiver receiver(directory.socket());
  for (std::size_t i = 0; i < kFits; ++i) ASSERT_EQ(receiver.receive(), text);
  EXPECT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
  EXPECT_EQ(receiver.receive(0), "") << "one was sent twice";
  EXPECT_EQ(hand_over(hook, text), RAPPORTEUR_DONE) << "there is room again";
}

TEST(Hook, CallsReturnWhileTheReceiverReadsNothing) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket(), kSmallRing);
  constexpr std::size_t kCalls = 20'000;
  std::vector<std::string> taken;
  for (std::size_t i = 0; i < kCalls; ++i) {
    const auto text = text_of(i);
    if (hand_over(hook, text) == RAPPORTEUR_DONE) taken.push_back(text);
  }
  EXPECT_EQ(taken.size() + count(hook).lost_full, kCalls);
  EXPECT_GT(count(hook).lost_full, 0U);
  EXPECT_EQ(rapporteur_flush(hook.get(), 0), RAPPORTEUR_TIMED_OUT);
  EXPECT_EQ(receiver.receive_many(taken.size()), taken);
}

TEST(Hook, ADatagramOfTheLargestSizeArrivesAndALargerOneIsCounted) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket(), 1);  // becomes the least, which holds it
  const std::string largest(RAPPORTEUR_MOST_BYTES, 'x');
  EXPECT_EQ(hand_over(hook, largest), RAPPORTEUR_DONE);
  EXPECT_EQ(hand_over(hook, largest + 'y'), RAPPORTEUR_TOO_LARGE);
  EXPECT_EQ(receiver.receive(), largest);
  EXPECT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
  EXPECT_EQ(count(hook).handed_over, 1U);
  EXPECT_EQ(count(hook).lost_too_large, 1U);
}

TEST(Hook, WhatWaitsIsSentWhenTheReceiverComesBack) {
  const Directory directory;
  const auto hook = open_hook(directory.socket());
  std::size_t number = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 500; ++i) texts.push_back(text_of(number++));
    for (const auto& text : texts) ASSERT_EQ(hand_over(hook, text), RAPPORTEUR_DONE);
    const Receiver receiver(directory.socket());  // a new one each time
    ASSERT_EQ(receiver.receive_many(texts.size()), texts) << round;
    ASSERT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
  }
  EXPECT_EQ(count(hook).sent, 1500U);
}

TEST(Hook, AReceiverThatIsStuckIsLeftForTheOneThatServesThePath) {
  const Directory directory;
  const Receiver stuck(directory.socket());
  const auto hook = open_hook(directory.socket());
  constexpr std::size_t kCalls = 1000;  // more than any queue takes
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kCalls; ++i) texts.push_back(text_of(i));
  for (const auto& text : texts) ASSERT_EQ(hand_over(hook, text), RAPPORTEUR_DONE);
  ASSERT_FALSE(stuck.receive().empty());  // it was the one that was served
  std::vector<std::string> arrived;
  const Receiver successor(directory.socket());
  std::thread flusher([&] {
    EXPECT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
    EXPECT_EQ(hand_over(hook, "the last"), RAPPORTEUR_DONE);
  });
  for (std::size_t i = 0; i <= kCalls; ++i) {
    auto text = successor.receive();
    if (text.empty() || text == "the last") break;
    arrived.push_back(std::move(text));
  }
  flusher.join();
  EXPECT_GT(arrived.size(), kCalls / 2) << "the rest is in the queue of the stuck one";
  texts.erase(texts.begin(), texts.end() - static_cast<std::ptrdiff_t>(arrived.size()));
  EXPECT_EQ(arrived, texts);
}

TEST(Hook, EightThreadsHandOverEachDataPointExactlyOnce) {
  constexpr std::size_t kThreads = 8;
  constexpr std::size_t kEach = 2000;
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket(), kSmallRing);  // goes round some fifty times
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      start.arrive_and_wait();
      for (std::size_t i = 0; i < kEach;) {
        if (hand_over(hook, text_of(thread * kEach + i)) == RAPPORTEUR_DONE) {
          ++i;
        } else {
          // Full: this test waits and hands over again, an MTA would not.
          if (rapporteur_flush(hook.get(), kDeadlineMs) != RAPPORTEUR_DONE) break;
        }
      }
    });
  }
  std::vector<int> seen(kThreads * kEach);
  std::vector<std::size_t> last(kThreads);
  for (std::size_t i = 0; i < kThreads * kEach; ++i) {
    const auto text = receiver.receive();
    ASSERT_FALSE(text.empty()) << "only " << i << " arrived";
    const auto number = std::stoul(text);
    ASSERT_EQ(text, text_of(number));
    ++seen.at(number);
    auto& before = last.at(number / kEach);
    ASSERT_GE(number % kEach, before) << "out of order";
    before = number % kEach;
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(seen, testing::Each(1));
  EXPECT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
  EXPECT_EQ(count(hook).handed_over, kThreads * kEach);
  EXPECT_EQ(count(hook).sent, kThreads * kEach);
}

// What was in the ring before is never taken for a record, wherever it stood.
TEST(Hook, TextThatLooksLikeRecordsIsNoRecord) {
  constexpr std::size_t kRounds = 400;  // some thirteen times round the ring
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket(), kSmallRing);
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<std::uint64_t> words(1000 + round % 50, 17);  // headers of 16 bytes of text
    words.front() = round;
    const std::string text(reinterpret_cast<const char*>(words.data()), words.size() * 8);
    ASSERT_EQ(hand_over(hook, text), RAPPORTEUR_DONE);
    ASSERT_EQ(rapporteur_flush(hook.get(), kDeadlineMs), RAPPORTEUR_DONE);
    ASSERT_EQ(receiver.receive(), text) << round;
  }
  EXPECT_EQ(count(hook).sent, kRounds);
  EXPECT_EQ(receiver.receive(0), "");
}

TEST(Hook, ClosingSendsWhatWaits) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  auto hook = open_hook(directory.socket());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 300; ++i) texts.push_back(text_of(i));
  for (const auto& text : texts) ASSERT_EQ(hand_over(hook, text), RAPPORTEUR_DONE);
  std::vector<std::string> arrived;
  std::thread reader([&] { arrived = receiver.receive_many(texts.size()); });
  EXPECT_EQ(rapporteur_close(hook.release(), kDeadlineMs), 0U);
  reader.join();
  EXPECT_EQ(arrived, texts);
}

TEST(Hook, ClosingTellsHowManyAreLeftBehind) {
  const Directory directory;
  auto hook = open_hook(directory.socket());
  for (std::size_t i = 0; i < 5; ++i) ASSERT_EQ(hand_over(hook, text_of(i)), RAPPORTEUR_DONE);
  EXPECT_EQ(rapporteur_close(hook.release(), 1), 5U);
}

TEST(Hook, LossesAreToldAndAgainWhenThereAreMore) {
  const Directory directory;
  struct Told {
    std::atomic<std::uint64_t> too_large{0}, by_caller{0};
    std::atomic<int> calls{0};
  } told;
  const auto path = directory.socket();
  rapporteur_options options{};
  options.socket_path = path.c_str();
  options.closure = &told;
  options.loss_interval_ms = 1;
  options.on_loss = [](void* closure, const rapporteur_counters* counters) {
    auto& to = *static_cast<Told*>(closure);
    to.too_large = counters->lost_too_large;
    to.by_caller = counters->lost_by_caller;
    ++to.calls;
    to.calls.notify_all();
  };
  Hook hook(rapporteur_open(&options));
  ASSERT_NE(hook, nullptr);
  hand_over(hook, std::string(RAPPORTEUR_MOST_BYTES + 1, 'x'));
  told.calls.wait(0);
  EXPECT_EQ(told.too_large, 1U);
  rapporteur_count_loss(hook.get());
  told.calls.wait(1);
  EXPECT_EQ(told.by_caller, 1U);
  rapporteur_count_loss(hook.get());
  hook.reset();  // tells whatever has not been told
  EXPECT_EQ(told.by_caller, 2U);
  EXPECT_LE(told.calls, 3);
}

TEST(Hook, AForkedChildHandsNothingOverAndLeavesTheParentAlone) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket());
  ASSERT_EQ(hand_over(hook, "before"), RAPPORTEUR_DONE);
  ASSERT_EQ(receiver.receive(), "before");
  const auto child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool refused = hand_over(hook, "from the child") == RAPPORTEUR_FORKED &&
                         rapporteur_flush(hook.get(), kDeadlineMs) == RAPPORTEUR_FORKED &&
                         count(hook).handed_over == 0;
    rapporteur_count_loss(hook.get());
    // Where the parent has its ring, the child has something of its own.
    std::vector<char*> own;
    for (int i = 0; i < 256; ++i) {
      own.push_back(static_cast<char*>(
          mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    }
    const bool closed = rapporteur_close(hook.get(), kDeadlineMs) == 0;
    for (auto* memory : own) memory[0] = 'x';
    _exit(refused && closed ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_EQ(hand_over(hook, "after"), RAPPORTEUR_DONE);
  EXPECT_EQ(receiver.receive(), "after");
  EXPECT_EQ(count(hook).handed_over, 2U);
  EXPECT_EQ(count(hook).lost_by_caller, 0U);
}

TEST(Hook, WithoutAHandleNothingHappens) {
  EXPECT_EQ(rapporteur_hand_over(nullptr, "x", 1), RAPPORTEUR_NOTHING);
  EXPECT_EQ(rapporteur_flush(nullptr, 1), RAPPORTEUR_NOTHING);
  EXPECT_EQ(rapporteur_close(nullptr, 1), 0U);
  rapporteur_count_loss(nullptr);
  rapporteur_counters counters;
  counters.sent = 1;
  rapporteur_count(nullptr, &counters);
  EXPECT_EQ(counters.sent, 0U);
  const Directory directory;
  const auto hook = open_hook(directory.socket());
  EXPECT_EQ(rapporteur_hand_over(hook.get(), "x", 0), RAPPORTEUR_NOTHING);
  EXPECT_EQ(rapporteur_hand_over(hook.get(), nullptr, 1), RAPPORTEUR_NOTHING);
}

TEST(Hook, APathThatCannotBeASocketIsRefused) {
  const std::string longest = '/' + std::string(106, 'x');
  const std::string too_long = longest + 'x';
  const struct {
    const char* name;
    const char* path;
    int want;
  } cases[] = {
      {"none", nullptr, EINVAL},           {"empty", "", EINVAL},
      {"relative", "run/socket", EINVAL},  {"too long", too_long.c_str(), ENAMETOOLONG},
      {"the longest", longest.c_str(), 0},
  };
  for (const auto& [name, path, want] : cases) {
    rapporteur_options options{};
    options.socket_path = path;
    errno = 0;
    const Hook hook(rapporteur_open(&options));
    EXPECT_EQ(hook == nullptr ? errno : 0, want) << name;
  }
  EXPECT_EQ(rapporteur_open(nullptr), nullptr);
}

TEST(Hook, TheCallKeepsErrnoAndTheThreadTakesNoSignals) {
  const Directory directory;
  const Receiver receiver(directory.socket());
  const auto hook = open_hook(directory.socket());
  errno = ENOTTY;
  hand_over(hook, "x");
  hand_over(hook, std::string(RAPPORTEUR_MOST_BYTES + 1, 'x'));
  EXPECT_EQ(errno, ENOTTY);
  ASSERT_EQ(receiver.receive(), "x");  // by then the thread has its own mask
  int threads = 0;
  for (const auto& task : fs::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string name;
    std::uint64_t blocked = 0;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Name:\t")) name = line.substr(6);
      if (line.starts_with("SigBlk:\t")) blocked = std::stoull(line.substr(8), nullptr, 16);
    }
    if (name != "rapporteur") continue;
    ++threads;
    constexpr std::uint64_t kTerm = 1U << 14, kHangUp = 1U << 0, kUser = 1U << 9, kAlarm = 1U << 13;
    EXPECT_EQ(blocked & (kTerm | kHangUp | kUser | kAlarm), kTerm | kHangUp | kUser | kAlarm);
  }
  EXPECT_EQ(threads, 1);
}

}  // namespace
