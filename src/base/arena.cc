#include "base/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace rapporteur {

namespace {

// The first block is small: most arenas hold one request.
constexpr std::size_t kFirstBlock = std::size_t{4} << 10;
constexpr std::size_t kLargestBlock = std::size_t{1} << 20;

}  // namespace

Arena::~Arena() {
  for (const auto& [memory, length] : blocks_) munmap(memory, length);
}

void Arena::add_block(std::size_t least) {
  const auto usual = blocks_.empty() ? kFirstBlock : std::min(size_, kLargestBlock);
  const auto length = (std::max(least, usual) + kFirstBlock - 1) / kFirstBlock * kFirstBlock;
  blocks_.reserve(blocks_.size() + 1);
  void* const memory =
      mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  free_ = static_cast<char*>(memory);
  left_ = length;
  size_ += length;
  blocks_.push_back({free_, length});
}

std::string_view Arena::copy(std::string_view bytes) {
  if (bytes.size() > left_) add_block(bytes.size());
  if (!bytes.empty()) std::memcpy(free_, bytes.data(), bytes.size());
  const std::string_view copied(free_, bytes.size());
  free_ += bytes.size();
  left_ -= bytes.size();
  return copied;
}

}  // namespace rapporteur
