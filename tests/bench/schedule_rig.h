#pragma once
// A store full of windows that are due, the records of their domains, and the daemon that runs
// them.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "dkim/signer.h"
#include "dns/dns_responder.h"
#include "store/store.h"

namespace rapporteur::bench {

// Prints why, and ends the program with 2.
[[noreturn]] void die(const std::string& why);

template <class T>
T need(Result<T> result) {
  if (!result) die(result.error().text);
  return *std::move(result);
}

// A folder with keys and a configuration, in which mails become files.
class Place {
 public:
  Place();
  ~Place();
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string url() const { return "sqlite:" + path("store.db"); }
  std::string config() const { return path("rapporteur.toml"); }

  void configure(const std::string& name_server) const;
  std::unique_ptr<Signer> signer(const std::string& key) const;  // "ed25519", "rsa"

 private:
  std::string folder_;
};

// Windows of a day that is over, all of them due; a tenth of them tells of failures.
void fill(Store& store, std::size_t windows);

// Of every `each`th of their domains; the others have none.
std::map<std::string, testing_support::DnsResponder::Reply> records(std::size_t windows,
                                                                    std::size_t each);

// `rapporteur run` as a child.
pid_t start(const std::string& program, const std::string& config);

std::uint64_t in_state(Store& store, WindowState state);

double resident_mb(pid_t process);

}  // namespace rapporteur::bench
