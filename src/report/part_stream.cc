#include "report/part_stream.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

namespace rapporteur {

namespace {

// zlib's level 6 finds many short matches in a report that cost more than they save, among
// addresses and numbers. So tuned, it makes reports 2 to 5 per cent smaller in the same time: as
// small as report/gzip.h makes them.
constexpr int kLevel = 6;
constexpr int kGoodLength = 8;
constexpr int kMostLazy = 32;
constexpr int kNiceLength = 128;
constexpr int kMostChain = 64;
constexpr int kMemoryLevel = 8;

// No name, no time, no system: equal input makes equal bytes.
constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
constexpr std::size_t kTrailer = 8;

// A stored block (RFC 1951, section 3.2.4) that begins at a byte: its type, its length twice.
constexpr std::size_t kStoredBlock = 5;
constexpr std::size_t kMostDigits = std::numeric_limits<std::uint64_t>::digits10 + 1;

// zlib holds back at most 16,383 symbols and the 262 bytes behind them. None of its choices makes
// a symbol longer than fixed codes do: 9 bits a literal, 31 bits a match of three bytes or more.
constexpr std::size_t kMostPending = 65536;
constexpr std::size_t kLookAhead = 300;
std::size_t most_of(std::size_t bytes) {
  return bytes / 8 * 11 + 11;
}

// zlib is slow with shorter texts; and the less is given at once, the better pending() is.
constexpr std::size_t kSlice = 4096;

void append_little_endian(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

std::uint32_t crc_of(std::uint32_t crc, std::string_view text) {
  if (text.empty()) return crc;  // zlib takes a null pointer for a question
  return static_cast<std::uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

}  // namespace

// zlib's state points back at its z_stream, so it never moves.
struct PartStream::Deflater {
  Deflater() {
    if (deflateInit2(&zlib, kLevel, Z_DEFLATED, -MAX_WBITS, kMemoryLevel, Z_FILTERED) != Z_OK) {
      throw std::bad_alloc();
    }
    tune();
  }
  Deflater(const Deflater& other) {
    auto* source = const_cast<z_stream*>(&other.zlib);  // deflateCopy() only reads it
    if (deflateCopy(&zlib, source) != Z_OK) throw std::bad_alloc();
  }
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&zlib); }

  void tune() { deflateTune(&zlib, kGoodLength, kMostLazy, kNiceLength, kMostChain); }
  void reset() {
    deflateReset(&zlib);  // forgets what tune() said
    tune();
  }

  // Hands what comes out to `take`.
  template <class Take>
  void run(std::string_view text, int flush, const Take& take) {
    std::array<Bytef, 16384> chunk;
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    zlib.avail_in = static_cast<uInt>(text.size());
    do {
      zlib.next_out = chunk.data();
      zlib.avail_out = static_cast<uInt>(chunk.size());
      deflate(&zlib, flush);
      take(std::string_view(reinterpret_cast<const char*>(chunk.data()),
                            chunk.size() - zlib.avail_out));
    } while (zlib.avail_out == 0);
  }

  z_stream zlib{};
};

PartStream::PartStream(std::uint64_t& work) : work_(work) {}

PartStream::~PartStream() = default;

void PartStream::begin(std::string_view text) {
  if (live_) {
    live_->reset();
  } else {
    live_ = std::make_unique<Deflater>();
  }
  collected_.clear();
  out_ = kHeader;
  crc_ = 0;
  length_ = 0;
  pending_ = 0;
  has_place_ = false;
  add(text);
}

// What stands before is flushed and forgotten: nothing behind the place refers to it across a
// distance that depends on the number's length.
void PartStream::leave_place() {
  run(Z_FULL_FLUSH);
  has_place_ = true;
  place_ = out_.size();
  crc_before_ = crc_;
  length_before_ = length_;
  crc_ = 0;
  length_ = 0;
  pending_ = 0;
}

void PartStream::add(std::string_view text) {
  while (!text.empty()) {
    const auto slice = text.substr(0, kSlice - collected_.size());
    text.remove_prefix(slice.size());
    collected_ += slice;
    pending_ += slice.size();
    if (collected_.size() == kSlice) run(Z_NO_FLUSH);
  }
}

void PartStream::run(int flush) {
  work_ += collected_.size();
  crc_ = crc_of(crc_, collected_);
  length_ += collected_.size();
  const auto before = out_.size();
  live_->run(collected_, flush, [this](std::string_view made) { out_ += made; });
  if (out_.size() > before) pending_ = collected_.size() + kLookAhead;
  collected_.clear();
}

std::size_t PartStream::size_with(std::string_view closing) {
  run(Z_NO_FLUSH);
  Deflater copy(*live_);
  std::size_t size = out_.size() + kTrailer + (has_place_ ? kStoredBlock + kMostDigits : 0);
  copy.run(closing, Z_FINISH, [&size](std::string_view made) { size += made.size(); });
  return size;
}

std::size_t PartStream::most_with(std::size_t length) const {
  return out_.size() + kTrailer + kStoredBlock + kMostDigits + most_of(length) +
         std::min(kMostPending, most_of(pending_ + kLookAhead));
}

void PartStream::mark() {
  run(Z_NO_FLUSH);
  mark_ = {std::make_unique<Deflater>(*live_), crc_, length_, pending_, out_.size()};
}

void PartStream::back() {
  live_ = std::make_unique<Deflater>(*mark_.deflater);
  crc_ = mark_.crc;
  length_ = mark_.length;
  collected_.clear();
  pending_ = mark_.pending;
  out_.resize(mark_.written);
}

std::string PartStream::finish(std::string_view closing, std::uint64_t number) {
  add(closing);
  run(Z_FINISH);
  if (has_place_) {
    const auto digits = std::to_string(number);
    std::string block(1, '\0');
    const auto length = static_cast<std::uint32_t>(digits.size());
    append_little_endian(block, length, 2);
    append_little_endian(block, ~length, 2);
    out_.insert(place_, block + digits);
    const auto before = crc_of(crc_before_, digits);
    crc_ = static_cast<std::uint32_t>(crc32_combine(before, crc_, static_cast<z_off_t>(length_)));
    length_ += length_before_ + digits.size();
  }
  append_little_endian(out_, crc_, 4);
  append_little_endian(out_, static_cast<std::uint32_t>(length_), 4);  // modulo 2^32 by RFC 1952
  return std::move(out_);
}

}  // namespace rapporteur
