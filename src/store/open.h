#pragma once
// Opens the store that a URL names.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "store/store.h"

namespace rapporteur {

// For a store that several nodes share.
struct StoreOptions {
  std::string node;   // this one's name; unlike all others'
  Seconds lease{60};  // how long a due window or delivery is one node's
  // How old the numbers of windows, deliveries and received reports in a summary may be.
  Seconds summary_age{30};
  // How many ids of windows are taken at once: those of different connections are in no order.
  std::size_t id_block = 1'000;
  // open_store() asks no database server: the store connects and brings its tables up to date
  // before whatever is done first, or with Store::reach(). Until that has succeeded once every
  // method fails as open_store() would, and the store has no token.
  bool connect_later = false;
};

// "sqlite:/path/to/file", "sqlite::memory:" or "postgresql://user@host/database" as libpq reads it.
// Makes the file or the tables if there are none, and brings an older schema up to date. Fails with
// Fault::kConfig for a URL of another kind, a folder that does not exist, a file that may not be
// written or a database that refuses us, with Fault::kCorrupt for a schema newer than this program
// or a file that is no database, with Fault::kTransient otherwise. `random` gives the token of a
// new store; it outlives a store that connects later, and is then used by the store's thread.
Result<std::unique_ptr<Store>> open_store(const std::string& url, Random& random,
                                          const StoreOptions& options = {});

// Whether several nodes may work on the store: a database server's.
bool store_is_shared(const std::string& url);

// Whether there is such a store already, so that open_store() would make none. True also for a
// database that does not answer: open_store() tells why.
bool store_exists(const std::string& url);

// Whether there is room left on the disk of the store for more than what has to be stored anyhow:
// kLeastDiskRoom at least. True for a store that is on no disk of this machine.
constexpr std::uint64_t kLeastDiskRoom = std::uint64_t{256} << 20;
bool has_disk_room(const std::string& url);

// Held by the one daemon that may work on an SQLite store. Many may on a shared one.
class DaemonLock {
 public:
  virtual ~DaemonLock() = default;
};

// Fails with Fault::kConfig if another process holds it; the text names that process.
Result<std::unique_ptr<DaemonLock>> lock_for_daemon(const std::string& url);

}  // namespace rapporteur
