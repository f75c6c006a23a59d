#pragma once
// Sessions that were seen, packed, each with a number and found by a key: for a tally, which counts
// by number. Millions of them fit into memory (about 40 bytes each beside what they say).

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/fast_hash.h"

namespace rapporteur {

// One thread adds and finds. What it has handed to another thread since by a lock, entry() may read
// there while it goes on adding: what is in it never moves.
class SessionTable {
 public:
  using Number = std::uint32_t;  // from 0, in the order in which they came
  static constexpr Number kNone = UINT32_MAX;

  Number find(const Hash128& key) const;

  // The key must not be there.
  Number insert(const Hash128& key, std::string_view packed);

  // Lives as long as the table.
  std::string_view entry(Number number) const;

  // Bytes that live as long as the table, without a number.
  std::string_view keep(std::string_view bytes) { return arena_.copy(bytes); }

  Number size() const { return size_; }
  // Memory that it takes.
  std::size_t bytes() const;

 private:
  struct Slot {
    Hash128 key;
    Number number = kNone;
  };
  void grow();
  std::size_t slot_of(const Hash128& key) const;

  static constexpr std::size_t kSegments = 26;
  Arena arena_;
  std::vector<Slot> slots_;  // a power of two of them, at most three quarters taken
  // Segment n holds 64 * 2^n entries and never moves.
  std::array<std::unique_ptr<std::string_view[]>, kSegments> segments_;
  Number size_ = 0;
};

}  // namespace rapporteur
