#include "base/gunzip.h"

#include <zlib.h>

#include <array>
#include <new>
#include <string>

namespace rapporteur {

namespace {

// The largest window, and gzip's header and trailer instead of zlib's.
constexpr int kGzipWindowBits = 15 + 16;

// zlib reads through a pointer that is not const, and writes nothing through it.
Bytef* input_of(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

}  // namespace

struct Gunzip::State {
  z_stream stream{};
  std::array<char, kPieceBytes> piece;
  bool between_members = false;  // the last member is complete
  bool broken = false;

  State() {
    if (inflateInit2(&stream, kGzipWindowBits) != Z_OK) throw std::bad_alloc();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { inflateEnd(&stream); }
};

Gunzip::Gunzip() : state_(std::make_unique<State>()) {}
Gunzip::~Gunzip() = default;

void Gunzip::give(std::string_view compressed) {
  state_->stream.next_in = input_of(compressed);
  state_->stream.avail_in = static_cast<uInt>(compressed.size());
}

Result<std::string_view> Gunzip::next() {
  auto& stream = state_->stream;
  if (state_->broken) return Error{Fault::kInput, "damaged gzip data"};
  stream.next_out = reinterpret_cast<Bytef*>(state_->piece.data());
  stream.avail_out = static_cast<uInt>(state_->piece.size());
  // Also without input: inflate() may hold back what had no room in the last piece.
  while (stream.avail_out > 0) {
    if (state_->between_members) {
      if (stream.avail_in == 0) break;
      inflateReset(&stream);
      state_->between_members = false;
    }
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      state_->between_members = true;
    } else if (result == Z_BUF_ERROR) {
      break;  // it needs more
    } else if (result != Z_OK) {
      state_->broken = true;
      const std::string why = stream.msg == nullptr ? "" : std::string(": ") + stream.msg;
      return Error{Fault::kInput, "damaged gzip data" + why};
    }
  }
  return std::string_view(state_->piece.data(), state_->piece.size() - stream.avail_out);
}

bool Gunzip::finished() const {
  return state_->between_members && state_->stream.avail_in == 0 && !state_->broken;
}

}  // namespace rapporteur
