#include "report/size_estimate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace rapporteur {

namespace {

// What a flush adds: an empty stored block.
constexpr std::size_t kFlush = 5;

}  // namespace

struct SizeEstimate::Stream {
  z_stream zlib{};
  std::array<Bytef, 16384> scratch;
};

SizeEstimate::SizeEstimate(std::uint64_t& work) : work_(work) {}

SizeEstimate::~SizeEstimate() {
  if (stream_) deflateEnd(&stream_->zlib);
}

double SizeEstimate::cost(std::string_view sample) {
  if (!stream_) {
    stream_ = std::make_unique<Stream>();
    if (deflateInit2(&stream_->zlib, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      stream_.reset();
      throw std::bad_alloc();
    }
  }
  work_ += sample.size();
  auto& zlib = stream_->zlib;
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(sample.data()));
  zlib.avail_in = static_cast<uInt>(sample.size());
  std::size_t made = 0;
  do {
    zlib.next_out = stream_->scratch.data();
    zlib.avail_out = static_cast<uInt>(stream_->scratch.size());
    deflate(&zlib, Z_SYNC_FLUSH);
    made += stream_->scratch.size() - zlib.avail_out;
  } while (zlib.avail_out == 0);
  return static_cast<double>(std::max(made, kFlush + 1) - kFlush);
}

}  // namespace rapporteur
