#pragma once
// A server on 127.0.0.1 with a port of the kernel's choice, one connection at a time, with TLS by a
// certificate of its own. What is served is told by a function.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace rapporteur::testing_support {

// A self-signed certificate for localhost and 127.0.0.1, its own CA, with its key.
class TestCertificate {
 public:
  TestCertificate() : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    auto* name = X509_get_subject_name(certificate_);
    const auto* common = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate_, certificate_, nullptr, nullptr, 0);
    auto* names =
        X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(certificate_, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate_, key_, EVP_sha256());
    server_ = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server_, certificate_);
    SSL_CTX_use_PrivateKey(server_, key_);
    std::string path = (std::filesystem::temp_directory_path() / "rapporteur-ca-XXXXXX").string();
    const int fd = ::mkstemp(path.data());
    auto* file = ::fdopen(fd, "w");
    PEM_write_X509(file, certificate_);
    std::fclose(file);
    path_ = path;
  }
  ~TestCertificate() {
    SSL_CTX_free(server_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
    std::filesystem::remove(path_);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  SSL_CTX* server() const { return server_; }
  const std::string& path() const { return path_; }  // as a CA file

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  SSL_CTX* server_ = nullptr;
  std::string path_;
};

// The server's side of one connection.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool start_tls(SSL_CTX* context) {
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd_);
    return SSL_accept(ssl_) == 1;
  }

  void write(std::string_view text) {
    if (ssl_ != nullptr) {
      SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
      return;
    }
    while (!text.empty()) {
      const auto size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  // Without its line end; nullopt once the client has closed.
  std::optional<std::string> line() {
    for (;;) {
      const auto end = buffer_.find('\n');
      if (end != buffer_.npos) {
        auto text = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        if (text.ends_with('\r')) text.pop_back();
        return text;
      }
      if (!fill()) return std::nullopt;
    }
  }

  std::string bytes(std::size_t size) {
    while (buffer_.size() < size && fill()) {
    }
    auto text = buffer_.substr(0, size);
    buffer_.erase(0, text.size());
    return text;
  }

  // Reads until the client closes.
  void await_close() {
    while (fill()) buffer_.clear();
  }

  // The client sees a reset instead of an orderly end.
  void reset_when_closed() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  bool fill() {
    std::array<char, 16384> chunk{};
    const auto size =
        ssl_ != nullptr
            ? static_cast<ssize_t>(SSL_read(ssl_, chunk.data(), static_cast<int>(chunk.size())))
            : ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (size <= 0) return false;
    buffer_.append(chunk.data(), static_cast<std::size_t>(size));
    return true;
  }

  int fd_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

// A port on which nobody listens: it was free a moment ago and stays bound, without listening.
class DeadPort {
 public:
  DeadPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~DeadPort() { ::close(fd_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;

  std::string port() const { return std::to_string(port_); }

 private:
  int fd_;
  int port_ = 0;
};

class LoopbackServer {
 public:
  explicit LoopbackServer(std::function<void(Peer&)> serve)
      : serve_(std::move(serve)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::signal(SIGPIPE, SIG_IGN);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener_, 16);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~LoopbackServer() { close(); }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string port() const { return std::to_string(port_); }
  int connections() const { return connections_; }

  // Ends the connection under way and serves no more.
  void close() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

 private:
  void run() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      {
        const std::lock_guard lock(mutex_);
        if (closing_) {
          ::close(fd);
          return;
        }
        current_ = fd;
      }
      ++connections_;
      auto peer = std::make_unique<Peer>(fd);
      serve_(*peer);
      const std::lock_guard lock(mutex_);
      current_ = -1;
      peer.reset();
    }
  }

  std::function<void(Peer&)> serve_;
  int listener_;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  int current_ = -1;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace rapporteur::testing_support
