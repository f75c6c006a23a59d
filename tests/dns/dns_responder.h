#pragma once
// A DNS server on a free UDP port of 127.0.0.1 that answers from a table, for the resolver's tests.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rapporteur::testing_support {

class DnsResponder {
 public:
  struct Reply {
    int rcode = 0;
    bool silent = false;
    std::string cname;                            // lower case, without the last dot; or empty
    std::vector<std::vector<std::string>> texts;  // records of character-strings
    std::uint32_t ttl = 60;
  };

  // Answers names that are not in the table with NXDOMAIN.
  explicit DnsResponder(std::map<std::string, Reply> replies);
  ~DnsResponder();
  DnsResponder(const DnsResponder&) = delete;
  DnsResponder& operator=(const DnsResponder&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void set(const std::string& name, Reply reply);
  int queries() const { return queries_; }

 private:
  void serve();
  std::string respond(const std::string& query);

  int socket_ = -1;
  int stop_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::map<std::string, Reply> replies_;  // guarded by mutex_
  std::atomic<int> queries_ = 0;
  std::thread thread_;
};

}  // namespace rapporteur::testing_support
