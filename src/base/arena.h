#pragma once
// Memory for bytes that are written once and freed together.

#include <cstddef>
#include <string_view>
#include <vector>

namespace rapporteur {

// Blocks come from the kernel and go back to it when the arena ends. What was copied in never
// moves, so that other threads may read it while more is copied in. One thread copies.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // A copy of the bytes that lives as long as the arena.
  std::string_view copy(std::string_view bytes);

  // Bytes that it holds of the kernel.
  std::size_t size() const { return size_; }

 private:
  struct Block {
    char* memory;
    std::size_t length;
  };
  void add_block(std::size_t least);

  std::vector<Block> blocks_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
  std::size_t size_ = 0;
};

}  // namespace rapporteur
