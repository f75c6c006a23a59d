#pragma once
// The part of the store that says whether what it holds agrees with itself, and what prune() and
// prune_received() would remove. The promises of store.h hold for it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace rapporteur {

enum class FindingKind : std::uint8_t {
  kDatabase,       // the database says that its file is damaged, or a row cannot be read
  kUnknownWord,    // a state, frequency, policy type, … that this program does not know
  kImpossible,     // a count that cannot be
  kWindowSums,     // a window's sums are not those of its policies
  kDetailNumber,   // a policy does not know how many failure details it has
  kOrphan,         // rows that belong to a row that is not there
  kWindowState,    // a window's state contradicts its times, parts or deliveries
  kDeliveryState,  // a delivery's state contradicts its times or its window
  kOverlap,        // two windows of a domain overlap
  kStateCount,     // a number that is kept for summaries differs from the rows
};

// The name by which programs know it: "window-sums".
std::string_view to_string(FindingKind kind);
// What the administrator is to do about it.
std::string_view advice(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kDatabase;
  std::string where;  // "window 12 of a.example from 2026-11-20T00:00:00Z"
  std::string what;   // "its sums are 3 successful and 1 failed, …"
};

// By table, how many rows were looked at.
using CheckedRows = std::map<std::string, std::uint64_t>;

// What is old enough to be removed.
struct Expiry {
  Time finished_before;  // windows, and suppressions that ended
  Time ids_before;       // session ids and flush ids
  Time received_before;  // reports of others
};

// How many rows are.
struct Prunable {
  std::uint64_t windows = 0;
  std::uint64_t reports = 0;     // their parts
  std::uint64_t deliveries = 0;  // of these
  std::uint64_t suppressions = 0;
  std::uint64_t session_ids = 0;
  std::uint64_t flush_ids = 0;
  std::uint64_t received = 0;
};

class CheckedStore {
 public:
  virtual ~CheckedStore() = default;

  // Looks at every row in one read transaction, which keeps nobody from writing, and tells each
  // finding as it is found. The function does not use the store. Fails only if the store cannot be
  // read at all: what is damaged is a finding.
  virtual Result<CheckedRows> check(const std::function<void(const Finding&)>& found) = 0;

  // What would go if all of it were removed now. Changes nothing.
  virtual Result<Prunable> prunable(const Expiry& expiry) = 0;
};

}  // namespace rapporteur
