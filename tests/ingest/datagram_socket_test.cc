#include "ingest/datagram_socket.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

Fd datagram_socket() {
  return Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// One non-blocking send, as libtlsrpt does it. 0 or the error number.
int send_to(const std::string& path, const std::string& datagram) {
  const auto fd = datagram_socket();
  const auto address = address_of(path);
  const auto sent = sendto(fd.get(), datagram.data(), datagram.size(), MSG_DONTWAIT,
                           generic(address), sizeof address);
  return sent == static_cast<ssize_t>(datagram.size()) ? 0 : errno;
}

class DatagramSocketTest : public testing::Test {
 protected:
  DatagramSocketTest() {
    std::string name = testing::TempDir() + "dgram.XXXXXX";
    directory = mkdtemp(name.data());
    options.path = directory + "/s";
  }
  ~DatagramSocketTest() override { fs::remove_all(directory); }

  std::unique_ptr<DatagramSocket> open() {
    auto opened = DatagramSocket::open(options);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text);
    return opened ? *std::move(opened) : nullptr;
  }
  std::string refusal() {
    const auto opened = DatagramSocket::open(options);
    if (opened) return "opened";
    EXPECT_EQ(opened.error().fault, Fault::kConfig);
    return opened.error().text;
  }
  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  mode_t mode_of(const std::string& path) const {
    struct stat status {};
    EXPECT_EQ(lstat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  std::string directory;
  DatagramSocketOptions options;
  std::vector<std::string> got;
  DatagramSocket::Callback collect = [this](std::string_view text) { got.emplace_back(text); };
};

TEST_F(DatagramSocketTest, HandsOutDatagramsInOrder) {
  const auto socket = open();
  EXPECT_EQ(send_to(options.path, "one"), 0);
  EXPECT_EQ(send_to(options.path, ""), 0);
  EXPECT_EQ(send_to(options.path, std::string(3000, 'x')), 0);
  const auto received = socket->receive(collect, -1);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->datagrams, 3U);
  EXPECT_EQ(received->truncated, 0U);
  EXPECT_FALSE(received->woken);
  EXPECT_THAT(got, ElementsAre("one", "", std::string(3000, 'x')));
}

TEST_F(DatagramSocketTest, ReturnsEmptyAfterTheTimeout) {
  const auto socket = open();
  const auto received = socket->receive(collect, 0);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->datagrams, 0U);
  EXPECT_FALSE(received->woken);
}

TEST_F(DatagramSocketTest, WakesFromAnotherThread) {
  const auto socket = open();
  std::thread waker([&] { socket->wake(); });
  const auto received = socket->receive(collect, -1);
  waker.join();
  ASSERT_TRUE(received);
  EXPECT_TRUE(received->woken);
  const auto again = socket->receive(collect, 0);
  EXPECT_FALSE(again->woken);
}

TEST_F(DatagramSocketTest, HandsOutWhatCameTogetherWithAWake) {
  const auto socket = open();
  EXPECT_EQ(send_to(options.path, "one"), 0);
  socket->wake();
  const auto received = socket->receive(collect, -1);
  EXPECT_TRUE(received->woken);
  EXPECT_THAT(got, ElementsAre("one"));
}

TEST_F(DatagramSocketTest, OnceShutItLetsNothingMoreInAndKeepsWhatItHas) {
  const auto socket = open();
  EXPECT_EQ(send_to(options.path, "one"), 0);
  socket->shut();
  EXPECT_EQ(send_to(options.path, "two"), EPIPE);
  ASSERT_TRUE(socket->drain(collect));
  EXPECT_THAT(got, ElementsAre("one"));
}

TEST_F(DatagramSocketTest, DrainsUntilNothingWaits) {
  const auto socket = open();
  std::size_t sent = 0;
  while (sent < 500 && send_to(options.path, std::to_string(sent)) == 0) ++sent;
  ASSERT_GT(sent, 5U);
  const auto drained = socket->drain(collect);
  ASSERT_TRUE(drained);
  EXPECT_EQ(drained->datagrams, sent);
  EXPECT_THAT(got, SizeIs(sent));
  EXPECT_EQ(socket->drain(collect)->datagrams, 0U);
}

TEST_F(DatagramSocketTest, TakesTheLargestDatagramAndCountsALargerOne) {
  const auto socket = open();
  const auto sender = datagram_socket();
  const int room = 1 << 20;
  setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  const auto address = address_of(options.path);
  const std::string largest(DatagramSocket::kMaxDatagram, 'x');
  const std::string larger = largest + "y";
  ASSERT_EQ(
      sendto(sender.get(), largest.data(), largest.size(), 0, generic(address), sizeof address),
      static_cast<ssize_t>(largest.size()));
  // A kernel with a small net.core.wmem_max refuses it at the sender: then there is none to count.
  const bool sent_larger =
      sendto(sender.get(), larger.data(), larger.size(), 0, generic(address), sizeof address) >= 0;
  EXPECT_EQ(send_to(options.path, "small"), 0);
  const auto received = socket->receive(collect, -1);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->datagrams, 2U);
  EXPECT_EQ(received->truncated, sent_larger ? 1U : 0U);
  EXPECT_THAT(got, ElementsAre(largest, "small"));
}

TEST_F(DatagramSocketTest, SetsTheModeWhateverTheUmaskIs) {
  for (const mode_t mask : {0U, 077U}) {
    const auto before = umask(mask);
    options.mode = 0660;
    const auto socket = open();
    umask(before);
    EXPECT_EQ(mode_of(options.path), 0660U);
  }
}

TEST_F(DatagramSocketTest, SetsOwnerAndGroupByNumber) {
  options.owner = std::to_string(geteuid());
  options.group = std::to_string(getegid());
  const auto socket = open();
  struct stat status {};
  ASSERT_EQ(lstat(options.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, geteuid());
  EXPECT_EQ(status.st_gid, getegid());
}

TEST_F(DatagramSocketTest, RefusesUnknownOwnersAndGroups) {
  options.owner = "no-such-user-here";
  EXPECT_EQ(refusal(), "there is no user 'no-such-user-here'");
  options.owner.clear();
  options.group = "no-such-group-here";
  EXPECT_EQ(refusal(), "there is no group 'no-such-group-here'");
  EXPECT_THAT(entries(), IsEmpty());
}

TEST_F(DatagramSocketTest, LeavesNothingButItsFileWhichItRemoves) {
  auto socket = open();
  EXPECT_THAT(entries(), ElementsAre("s"));
  EXPECT_FALSE(socket->is_activated());
  socket.reset();
  EXPECT_THAT(entries(), IsEmpty());
}

TEST_F(DatagramSocketTest, ReplacesASocketThatNobodyServes) {
  {
    const auto stale = datagram_socket();
    const auto address = address_of(options.path);
    ASSERT_EQ(bind(stale.get(), generic(address), sizeof address), 0);
  }
  ASSERT_EQ(send_to(options.path, "x"), ECONNREFUSED);
  const auto socket = open();
  EXPECT_EQ(send_to(options.path, "x"), 0);
}

TEST_F(DatagramSocketTest, RefusesAPathThatAnotherServes) {
  const auto first = open();
  EXPECT_EQ(refusal(), options.path + " is served by another process");
  EXPECT_EQ(send_to(options.path, "x"), 0);
}

TEST_F(DatagramSocketTest, RefusesAPathThatAStreamSocketServes) {
  const Fd stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(options.path);
  ASSERT_EQ(bind(stream.get(), generic(address), sizeof address), 0);
  ASSERT_EQ(listen(stream.get(), 1), 0);
  EXPECT_EQ(refusal(), options.path + " is served by another process");
}

TEST_F(DatagramSocketTest, RefusesAPathWithAnotherFile) {
  std::ofstream(options.path) << "precious";
  EXPECT_EQ(refusal(), options.path + " exists and is no socket");
  EXPECT_EQ(*read_file(options.path), "precious");
}

TEST_F(DatagramSocketTest, LeavesAFileThatReplacedItsOwn) {
  auto first = open();
  fs::remove(options.path);
  const auto second = open();
  first.reset();
  EXPECT_EQ(send_to(options.path, "x"), 0);
}

TEST_F(DatagramSocketTest, AcceptsTheLongestPathAndSaysWhyALongerOneIsRefused) {
  const std::string folder = directory + "/" + std::string(105 - directory.size(), 'd').substr(1);
  fs::create_directory(folder);
  options.path = folder + "/s";
  ASSERT_EQ(options.path.size(), 107U);
  {
    const auto socket = open();
    EXPECT_EQ(send_to(options.path, "x"), 0);
    EXPECT_EQ(socket->receive(collect, -1)->datagrams, 1U);
  }
  EXPECT_TRUE(fs::is_empty(folder));
  options.path += "s";
  EXPECT_EQ(refusal(),
            "the socket path " + options.path + " has 108 bytes; at most 107 are possible");
}

TEST_F(DatagramSocketTest, NamesADirectoryThatIsNotThere) {
  options.path = directory + "/missing/s";
  EXPECT_EQ(refusal(),
            "cannot open the directory " + directory + "/missing/: No such file or directory");
  options.path = directory + "/";
  EXPECT_THAT(refusal(), HasSubstr("names no file"));
}

// systemd's protocol: the socket is descriptor 3 and LISTEN_PID names the process.
TEST_F(DatagramSocketTest, TakesOverAnInheritedSocketAndLeavesItsFile) {
  const auto inherited = datagram_socket();
  const auto address = address_of(options.path);
  ASSERT_EQ(bind(inherited.get(), generic(address), sizeof address), 0);
  ASSERT_EQ(send_to(options.path, "early"), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (dup2(inherited.get(), 3) != 3) _exit(10);
    // NOLINTBEGIN(concurrency-mt-unsafe): the child has one thread
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "1", 1);
    // NOLINTEND(concurrency-mt-unsafe)
    int failed = 0;
    for (int round = 0; round < 2; ++round) {  // a second time, as after a reload
      auto opened = DatagramSocket::open({});
      if (!opened || !(*opened)->is_activated()) _exit(11);
      got.clear();
      const auto received = (*opened)->drain(collect);
      if (!received || received->datagrams != (round == 0 ? 1U : 0U)) failed = 12;
    }
    _exit(failed);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(fs::exists(options.path));
}

TEST(MaxDgramQlen, IsWhatTheKernelTells) {
  const auto text = read_file("/proc/sys/net/unix/max_dgram_qlen");
  EXPECT_EQ(max_dgram_qlen(), text ? std::stoi(*text) : 0);
}

}  // namespace
}  // namespace rapporteur
