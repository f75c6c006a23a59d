#pragma once
// A DNS server on a free UDP port of 127.0.0.1 that answers from a table, for the resolver's tests.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rapporteur::testing_support {

class DnsResponder {
 public:
  struct Record {
    unsigned type = 0;
    std::string data;
  };
  struct Reply {
    int rcode = 0;
    bool silent = false;
    std::string cname;            // lower case, without the last dot; or empty
    std::vector<Record> records;  // of several types; an answer has those of the type asked for
    std::uint32_t ttl = 60;
    std::uint32_t negative_ttl = 0;  // of the SOA record of an answer without records; 0: no SOA
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

// Records for replies. Names without the last dot; "" is the root.
std::string encode_name(std::string_view name);
DnsResponder::Record txt_record(const std::vector<std::string>& strings);
DnsResponder::Record mx_record(unsigned preference, std::string_view host);
DnsResponder::Record address_record(const char* address);  // A or AAAA
DnsResponder::Record ptr_record(std::string_view host);

}  // namespace rapporteur::testing_support
