#include "report/size_estimate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace rapporteur {

// zlib puts out a block now and then, long after the pieces that are in it. Each block's bytes are
// shared out over the pieces that came since the block before, in proportion to their length.
struct SizeEstimate::Stream {
  z_stream zlib{};
  std::vector<double> costs;         // of the pieces whose block has been put out
  std::vector<std::size_t> waiting;  // lengths of the pieces since
  std::size_t waiting_bytes = 0;
  std::array<Bytef, 65536> scratch{};

  // Compresses what zlib was given and returns the bytes that came out.
  std::size_t run(int flush) {
    std::size_t made = 0;
    do {
      zlib.next_out = scratch.data();
      zlib.avail_out = static_cast<uInt>(scratch.size());
      deflate(&zlib, flush);
      made += scratch.size() - zlib.avail_out;
    } while (zlib.avail_out == 0);
    return made;
  }

  void share_out(std::size_t made) {
    const double each =
        static_cast<double>(made) / static_cast<double>(std::max<std::size_t>(1, waiting_bytes));
    for (const auto size : waiting) costs.push_back(each * static_cast<double>(size));
    waiting.clear();
    waiting_bytes = 0;
  }
};

SizeEstimate::SizeEstimate() : stream_(std::make_unique<Stream>()) {
  if (deflateInit2(&stream_->zlib, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

SizeEstimate::~SizeEstimate() {
  deflateEnd(&stream_->zlib);
}

void SizeEstimate::add(std::string_view piece) {
  stream_->waiting.push_back(piece.size());
  stream_->waiting_bytes += piece.size();
  std::size_t made = 0;
  while (!piece.empty()) {
    const auto size = std::min<std::size_t>(piece.size(), 1U << 30);
    stream_->zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_->zlib.avail_in = static_cast<uInt>(size);
    piece.remove_prefix(size);
    made += stream_->run(Z_NO_FLUSH);
  }
  if (made > 0) stream_->share_out(made);
}

std::vector<double> SizeEstimate::finish() {
  stream_->share_out(stream_->run(Z_FINISH));
  return std::move(stream_->costs);
}

}  // namespace rapporteur
