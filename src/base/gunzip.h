#pragma once
// Inflates gzip (RFC 1952) that arrives in pieces, in pieces of bounded size: how much comes out in
// all is for the caller to bound. Several members in a row are one text.

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace rapporteur {

// One thread.
class Gunzip {
 public:
  // The most that next() gives at once.
  static constexpr std::size_t kPieceBytes = std::size_t{64} << 10;

  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  // The next compressed bytes. They stay where they are until next() has given nothing.
  void give(std::string_view compressed);

  // The next piece of text, good until the next call; empty: everything given is used up. Fails
  // with Fault::kInput if it is not gzip or damaged, and from then on.
  Result<std::string_view> next();

  // Whether the text ends where the bytes given do.
  bool finished() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rapporteur
