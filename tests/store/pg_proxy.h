#pragma once
// A way to the database that can be cut where a test wants it: a socket whose bytes are passed on.

#include <array>
#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/file.h"

namespace rapporteur::testing_support {

class PgProxy {
 public:
  // What becomes of connections that are about to COMMIT.
  enum class Cut {
    kNone,
    kBeforeCommit,  // the database never hears of it
    kAfterCommit,   // the database has done it and its answer is lost
  };

  // `target` is the server's socket folder.
  explicit PgProxy(const std::string& target) : target_(target + "/.s.PGSQL.5432") {
    auto name = (std::filesystem::temp_directory_path() / "proxy.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    const auto address = address_of(folder_ + "/.s.PGSQL.5432");
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener_.get(), generic(address), sizeof address) != 0 ||
        ::listen(listener_.get(), 8) != 0) {
      std::abort();
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~PgProxy() {
    ending_ = true;
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  PgProxy(const PgProxy&) = delete;
  PgProxy& operator=(const PgProxy&) = delete;

  const std::string& folder() const { return folder_; }

  // The next `times` commits are cut so.
  void cut(Cut cut, int times = 1) {
    cut_ = cut;
    left_ = times;
  }
  // After the next cut nobody is let through, until it is told otherwise.
  void stay_away_after_cut(bool away) { stay_away_ = away; }
  // Nobody who comes is let through, until it is told otherwise.
  void turn_away() { away_ = true; }
  void let_through() { away_ = false; }
  int cuts() const { return cuts_; }

 private:
  struct Link {
    Fd client;
    Fd server;
    bool deaf = false;  // the server's next answer is the last, and is lost
    bool over = false;
  };

  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  static const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
  }

  void serve() {
    std::vector<Link> links;
    while (!ending_) {
      std::vector<pollfd> waits{{listener_.get(), POLLIN, 0}};
      for (const auto& link : links) {
        waits.push_back({link.client.get(), POLLIN, 0});
        waits.push_back({link.server.get(), POLLIN, 0});
      }
      if (::poll(waits.data(), waits.size(), 20) <= 0) continue;
      for (std::size_t index = 0; index < links.size(); ++index) {
        auto& link = links[index];
        if (waits[1 + 2 * index].revents != 0) from_client(link);
        if (!link.over && waits[2 + 2 * index].revents != 0) from_server(link);
      }
      std::erase_if(links, [](const Link& link) { return link.over; });
      if (waits[0].revents != 0) accept_into(links);
    }
  }

  void accept_into(std::vector<Link>& links) {
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (away_) return;
    Fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = address_of(target_);
    if (::connect(server.get(), generic(address), sizeof address) != 0) return;
    links.push_back({std::move(client), std::move(server)});
  }

  void from_client(Link& link) {
    const auto bytes = read_some(link.client);
    // A client waits for the answer before it says more: this message comes alone.
    const bool commit = bytes.starts_with('Q') && bytes.find("COMMIT") != bytes.npos;
    const bool now = commit && left_ > 0;
    if (now) --left_;
    if (bytes.empty() || (now && cut_ == Cut::kBeforeCommit)) {
      end(link, now);
    } else {
      link.deaf = now;
      write_all(link.server, bytes);
    }
  }

  void from_server(Link& link) {
    const auto bytes = read_some(link.server);
    if (bytes.empty() || link.deaf) {
      end(link, link.deaf);
    } else {
      write_all(link.client, bytes);
    }
  }

  void end(Link& link, bool cut) {
    link.over = true;
    if (!cut) return;
    away_ = stay_away_.load();
    ++cuts_;
  }

  static std::string read_some(const Fd& from) {
    std::array<char, 65536> buffer{};
    const auto got = ::recv(from.get(), buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
  }
  static void write_all(const Fd& to, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto put = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  const std::string target_;
  std::string folder_;
  Fd listener_;
  std::thread thread_;
  std::atomic<bool> ending_ = false;
  std::atomic<bool> stay_away_ = false;
  std::atomic<bool> away_ = false;
  std::atomic<Cut> cut_ = Cut::kNone;
  std::atomic<int> left_ = 0;
  std::atomic<int> cuts_ = 0;
};

}  // namespace rapporteur::testing_support
