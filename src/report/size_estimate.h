#pragma once
// How many compressed bytes each piece of a text costs, from one pass over the whole. The numbers
// are zlib's at the same level and approximate; whoever relies on a size compresses for real.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace rapporteur {

class SizeEstimate {
 public:
  SizeEstimate();
  ~SizeEstimate();
  SizeEstimate(const SizeEstimate&) = delete;
  SizeEstimate& operator=(const SizeEstimate&) = delete;

  // The next piece, in the order in which the pieces will stand.
  void add(std::string_view piece);

  // Estimated compressed bytes of each piece added, in that order; afterwards the object is used
  // up.
  std::vector<double> finish();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace rapporteur
