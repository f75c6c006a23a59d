#include "aggregate/session_table.h"

#include <bit>
#include <utility>

namespace rapporteur {

namespace {

constexpr std::size_t kFirstSlots = 16;
constexpr unsigned kFirstSegmentBits = 6;  // 64 entries

struct Place {
  std::size_t segment = 0;
  std::size_t index = 0;
};

Place place_of(SessionTable::Number number) {
  const auto shifted = std::size_t{number} + (std::size_t{1} << kFirstSegmentBits);
  const auto bits = static_cast<unsigned>(std::bit_width(shifted)) - 1;
  return {bits - kFirstSegmentBits, shifted - (std::size_t{1} << bits)};
}

}  // namespace

// Where the key is, or where it would be put.
std::size_t SessionTable::slot_of(const Hash128& key) const {
  const auto mask = slots_.size() - 1;
  auto slot = static_cast<std::size_t>(key.low) & mask;
  while (slots_[slot].number != kNone && !(slots_[slot].key == key)) slot = (slot + 1) & mask;
  return slot;
}

SessionTable::Number SessionTable::find(const Hash128& key) const {
  return slots_.empty() ? kNone : slots_[slot_of(key)].number;
}

void SessionTable::grow() {
  auto old = std::exchange(slots_, {});
  slots_.resize(old.empty() ? kFirstSlots : old.size() * 2);
  for (const auto& slot : old) {
    if (slot.number != kNone) slots_[slot_of(slot.key)] = slot;
  }
}

SessionTable::Number SessionTable::insert(const Hash128& key, std::string_view packed) {
  if ((std::size_t{size_} + 1) * 4 > slots_.size() * 3) grow();
  const auto [segment, index] = place_of(size_);
  auto& entries = segments_.at(segment);
  if (!entries) {
    entries = std::make_unique_for_overwrite<std::string_view[]>(std::size_t{1}
                                                                 << (kFirstSegmentBits + segment));
  }
  entries[index] = arena_.copy(packed);
  slots_[slot_of(key)] = {key, size_};
  return size_++;
}

std::string_view SessionTable::entry(Number number) const {
  const auto [segment, index] = place_of(number);
  return segments_.at(segment)[index];
}

std::size_t SessionTable::bytes() const {
  return arena_.size() + slots_.capacity() * sizeof(Slot) + size_ * 2 * sizeof(std::string_view);
}

}  // namespace rapporteur
