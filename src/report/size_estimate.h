#pragma once
// How well texts compress that stand in a report among their like, judged by samples of them. The
// numbers are approximate; whoever relies on a size compresses for real.

#include <cstdint>
#include <memory>
#include <string_view>

namespace rapporteur {

class SizeEstimate {
 public:
  // Adds the bytes that are compressed to `work`, which outlives the object.
  explicit SizeEstimate(std::uint64_t& work);
  ~SizeEstimate();
  SizeEstimate(const SizeEstimate&) = delete;
  SizeEstimate& operator=(const SizeEstimate&) = delete;

  // Estimated compressed bytes of this text, behind all the texts before it.
  double cost(std::string_view sample);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::uint64_t& work_;
};

}  // namespace rapporteur
