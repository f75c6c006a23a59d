#include "daemon/service_manager.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

#include "base/file.h"

namespace rapporteur {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::MatchesRegex;

// The socket at which systemd would listen. "@" at the beginning: in the abstract namespace.
class Listener {
 public:
  explicit Listener(const std::string& address)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::ranges::copy(address, static_cast<char*>(to.sun_path));
    if (address.front() == '@') to.sun_path[0] = '\0';
    const auto size = offsetof(sockaddr_un, sun_path) + address.size();
    EXPECT_EQ(bind(socket_.get(), static_cast<const sockaddr*>(static_cast<const void*>(&to)),
                   static_cast<socklen_t>(size)),
              0);
  }

  // What was told next; empty: nothing.
  std::string told() const {
    std::array<char, 4096> buffer{};
    const auto size = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
  }

 private:
  Fd socket_;
};

class ServiceManagerTest : public testing::Test {
 protected:
  ~ServiceManagerTest() override { fs::remove_all(folder); }

  const std::string folder = [] {
    std::string name = fs::temp_directory_path() / "rapporteur-notify-XXXXXX";
    return mkdtemp(name.data()) == nullptr ? std::string() : name;
  }();
};

TEST_F(ServiceManagerTest, IsToldWhatHappens) {
  const Listener listener(folder + "/notify");
  const ServiceManager manager(folder + "/notify");
  ASSERT_TRUE(manager.ready());
  EXPECT_EQ(listener.told(), "READY=1");
  ASSERT_TRUE(manager.reloading());
  EXPECT_THAT(listener.told(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+"));
  ASSERT_TRUE(manager.stopping(std::chrono::seconds(90)));
  EXPECT_EQ(listener.told(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=90000000");
  EXPECT_EQ(listener.told(), "");
}

TEST_F(ServiceManagerTest, MayListenInTheAbstractNamespace) {
  const auto address = "@rapporteur-test-" + std::to_string(getpid());
  const Listener listener(address);
  ASSERT_TRUE(ServiceManager(address).ready());
  EXPECT_EQ(listener.told(), "READY=1");
}

TEST(ServiceManager, IsNotNeeded) {
  const ServiceManager nobody("");
  EXPECT_TRUE(nobody.ready());
  EXPECT_TRUE(nobody.reloading());
  EXPECT_TRUE(nobody.stopping(std::chrono::seconds(1)));
}

TEST_F(ServiceManagerTest, SaysWhyItCannotBeTold) {
  const auto gone = ServiceManager(folder + "/gone").ready();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().text,
            "cannot tell the service manager at " + folder + "/gone: No such file or directory");
  const auto relative = ServiceManager("notify").ready();
  ASSERT_FALSE(relative);
  EXPECT_EQ(relative.error().text, "$NOTIFY_SOCKET names no socket: notify");
}

TEST(ServiceManager, HasAnAddressOf107BytesAtMost) {
  const std::string longest = "/" + std::string(106, 'a');
  const auto missing = ServiceManager(longest).ready();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text, HasSubstr("No such file or directory"));
  const auto refused = ServiceManager(longest + "a").ready();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("names no socket"));
}

}  // namespace
}  // namespace rapporteur
