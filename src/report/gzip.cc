#include "report/gzip.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace rapporteur {

namespace {

// Higher levels take two to eight times as long for 1 to 3 per cent of size on report JSON.
constexpr int kLevel = 6;
constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr std::size_t kChunk = 65536;

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const {
    libdeflate_free_compressor(compressor);
  }
};

// An inflating stream over one buffer that may hold several members.
class Inflater {
 public:
  Inflater() : ready_(inflateInit2(&stream_, kGzipOnly) == Z_OK) {}
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Result<std::string> run(std::string_view bytes, std::size_t max_bytes);

 private:
  // Hands zlib the next input, whose length it can count in 32 bits only.
  void feed(std::string_view& bytes);

  z_stream stream_{};
  bool ready_;
};

void Inflater::feed(std::string_view& bytes) {
  const auto size = std::min<std::size_t>(bytes.size(), 1U << 30);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_.avail_in = static_cast<uInt>(size);
  bytes.remove_prefix(size);
}

Result<std::string> Inflater::run(std::string_view bytes, std::size_t max_bytes) {
  if (!ready_) return Error{Fault::kTransient, "no memory to decompress"};
  std::string out;
  std::array<Bytef, kChunk> chunk;
  feed(bytes);
  for (;;) {
    stream_.next_out = chunk.data();
    stream_.avail_out = static_cast<uInt>(chunk.size());
    if (stream_.avail_in == 0) feed(bytes);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    const auto made = chunk.size() - stream_.avail_out;
    if (made > max_bytes - out.size()) {
      return Error{Fault::kInput, "holds more than " + std::to_string(max_bytes) + " bytes"};
    }
    out.append(reinterpret_cast<const char*>(chunk.data()), made);
    if (status == Z_STREAM_END) {
      const std::string_view rest(reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in);
      if (rest.find_first_not_of('\0') == rest.npos &&
          bytes.find_first_not_of('\0') == bytes.npos) {
        return out;
      }
      if (inflateReset(&stream_) != Z_OK) return Error{Fault::kInput, "damaged gzip data"};
    } else if (status == Z_BUF_ERROR) {
      return Error{Fault::kInput, "gzip data that is cut off"};
    } else if (status != Z_OK) {
      return Error{Fault::kInput, out.empty() && made == 0 ? "not gzip data" : "damaged gzip data"};
    }
  }
}

}  // namespace

std::string gzip(std::string_view bytes) {
  thread_local const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor{
      libdeflate_alloc_compressor(kLevel)};
  if (!compressor) throw std::bad_alloc();
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), bytes.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data(),
                                      out.size()));
  return out;
}

Result<std::string> gunzip(std::string_view bytes, std::size_t max_bytes) {
  Inflater inflater;
  return inflater.run(bytes, max_bytes);
}

}  // namespace rapporteur
