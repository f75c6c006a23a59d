#pragma once
// An HTTP client that sends what a test gives it, byte for byte, and reads answers.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/text.h"

namespace rapporteur::testing_support {

struct RawAnswer {
  int status = 0;                             // 0: the connection ended instead
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  bool connected() const { return connected_; }

  // False: the other side has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void end_sending() { ::shutdown(socket_.get(), SHUT_WR); }

  // The next answer. `head`: it has no body, whatever its fields say.
  RawAnswer read(bool head = false) {
    RawAnswer answer;
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return answer;
    }
    const auto text = input_.substr(0, end);
    input_.erase(0, end + 4);
    const auto lines = split(text, '\n');
    answer.status = std::stoi(std::string(lines.at(0).substr(9, 3)));
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const auto colon = lines[i].find(':');
      answer.fields[to_lower(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
    }
    const auto length = answer.fields.find("content-length");
    if (head || length == answer.fields.end()) return answer;
    const auto size = std::stoul(length->second);
    while (input_.size() < size) {
      if (!read_more()) return answer;
    }
    answer.body = input_.substr(0, size);
    input_.erase(0, size);
    return answer;
  }

  RawAnswer ask(std::string_view text) {
    EXPECT_TRUE(send(text));
    return read();
  }

  // Nothing more comes, and the other side has closed.
  bool ended() { return input_.empty() && !read_more(); }

 private:
  bool read_more() {
    std::array<char, 65'536> room;
    const auto size = ::recv(socket_.get(), room.data(), room.size(), 0);
    if (size < 0 && errno == EAGAIN) ADD_FAILURE() << "nothing comes";
    if (size <= 0) return false;
    input_.append(room.data(), static_cast<std::size_t>(size));
    return true;
  }

  Fd socket_;
  bool connected_ = false;
  std::string input_;
};

}  // namespace rapporteur::testing_support
