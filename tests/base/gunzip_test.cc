#include "base/gunzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>

namespace rapporteur {
namespace {

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

struct Inflated {
  std::string text;
  std::string error;
  std::size_t largest_piece = 0;
  bool finished = false;
};

// Given in pieces of `size` bytes.
Inflated inflated(const std::string& compressed, std::size_t size) {
  Gunzip gunzip;
  Inflated result;
  for (std::size_t at = 0; at < compressed.size(); at += size) {
    gunzip.give(std::string_view(compressed).substr(at, size));
    for (;;) {
      const auto piece = gunzip.next();
      if (!piece) {
        result.error = piece.error().text;
        return result;
      }
      if (piece->empty()) break;
      result.largest_piece = std::max(result.largest_piece, piece->size());
      result.text += *piece;
    }
  }
  result.finished = gunzip.finished();
  return result;
}

TEST(Gunzip, InflatesWhateverTheSizesOfThePieces) {
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += std::to_string(i * 7919) + '\n';
  const auto compressed = gzipped(text);
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, text.size()}) {
    const auto result = inflated(compressed, size);
    EXPECT_EQ(result.error, "") << size;
    EXPECT_EQ(result.text, text) << size;
    EXPECT_TRUE(result.finished) << size;
  }
}

TEST(Gunzip, GivesNoMoreThanAPieceAtOnce) {
  const auto result = inflated(gzipped(std::string(5'000'000, 'x')), 1 << 20);
  EXPECT_EQ(result.text.size(), 5'000'000U);
  EXPECT_EQ(result.largest_piece, Gunzip::kPieceBytes);
}

TEST(Gunzip, TakesMembersInARowForOneText) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}}) {
    const auto result = inflated(gzipped("a\n") + gzipped("") + gzipped("b\n"), size);
    EXPECT_EQ(result.text, "a\nb\n");
    EXPECT_TRUE(result.finished);
  }
}

TEST(Gunzip, KnowsThatTheEndIsMissing) {
  const auto compressed = gzipped("some text that is long enough");
  const auto result = inflated(compressed.substr(0, compressed.size() - 3), 5);
  EXPECT_EQ(result.error, "");
  EXPECT_FALSE(result.finished);
}

TEST(Gunzip, RefusesWhatIsNoGzip) {
  const auto good = gzipped("text text text text");
  auto damaged = good;
  damaged[good.size() - 6] = static_cast<char>(damaged[good.size() - 6] ^ 1);  // of the checksum
  for (const auto& bytes : {std::string("{\"epoch\": 1}"), damaged, good + "garbage"}) {
    EXPECT_TRUE(inflated(bytes, 64).error.starts_with("damaged gzip data")) << bytes;
  }
}

TEST(Gunzip, StaysBroken) {
  Gunzip gunzip;
  gunzip.give("rubbish that is none");
  EXPECT_FALSE(gunzip.next());
  const auto good = gzipped("x");
  gunzip.give(good);
  EXPECT_FALSE(gunzip.next());
  EXPECT_FALSE(gunzip.finished());
}

}  // namespace
}  // namespace rapporteur
