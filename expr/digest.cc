#include "expr/digest.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace expr {
namespace {

// Fractions of the sines of 1 to 64.
constexpr std::array<std::uint32_t, 64> kSines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
constexpr std::array<std::array<int, 4>, 4> kMd5Shifts = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

// Fractions of the cube roots of the first 80 primes; SHA-256 uses the upper halves of 64.
constexpr std::array<std::uint64_t, 80> kCubeRoots = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
// Fractions of the square roots of the first 8 primes; SHA-256 uses the upper halves.
constexpr std::array<std::uint64_t, 8> kSquareRoots = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

enum class Order { kLittleEndian, kBigEndian };

// The message with a one bit, zeros, and its length in bits at the end of the last block.
std::string pad(std::string_view bytes, std::size_t block, Order order) {
  std::string padded(bytes);
  const std::size_t length_bytes = block / 8;
  padded += '\x80';
  while (padded.size() % block != block - length_bytes) padded += '\0';
  padded.append(length_bytes - 8, '\0');
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned shift = 8 * (order == Order::kBigEndian ? 7 - i : i);
    padded += static_cast<char>(bits >> shift & 0xFF);
  }
  return padded;
}

template <class Word>
Word load(std::string_view bytes, Order order) {
  Word word = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) {
    const std::size_t place = order == Order::kBigEndian ? i : sizeof(Word) - 1 - i;
    word = static_cast<Word>(word << 8 | static_cast<unsigned char>(bytes[place]));
  }
  return word;
}

template <class Words>
std::string hex(const Words& words, Order order) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kSize = sizeof(typename Words::value_type);
  std::string text;
  for (const auto word : words) {
    for (std::size_t i = 0; i < kSize; ++i) {
      const std::size_t place = order == Order::kBigEndian ? kSize - 1 - i : i;
      const auto byte = static_cast<unsigned>(word >> (8 * place) & 0xFF);
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
  return text;
}

// The five amounts of the functions that FIPS 180-4 calls Σ and σ: three rotations, or two and a
// shift.
struct Mixes {
  std::array<int, 3> sum_a, sum_e, early, late;
};
constexpr Mixes kMixes256 = {{2, 13, 22}, {6, 11, 25}, {7, 18, 3}, {17, 19, 10}};
constexpr Mixes kMixes512 = {{28, 34, 39}, {14, 18, 41}, {1, 8, 7}, {19, 61, 6}};

template <class Word>
Word rotated_sum(Word word, const std::array<int, 3>& by) {
  return std::rotr(word, by[0]) ^ std::rotr(word, by[1]) ^ std::rotr(word, by[2]);
}

template <class Word>
Word shifted_sum(Word word, const std::array<int, 3>& by) {
  return std::rotr(word, by[0]) ^ std::rotr(word, by[1]) ^ (word >> by[2]);
}

template <class Word>
Word upper_part(std::uint64_t fraction) {
  return static_cast<Word>(fraction >> (64 - 8 * sizeof(Word)));
}

// SHA-256 with 32-bit words and 64 rounds, SHA-512 with 64-bit words and 80.
template <class Word, std::size_t kRounds>
std::string sha2_hex(std::string_view bytes, const Mixes& mixes) {
  constexpr std::size_t kBlock = 16 * sizeof(Word);
  std::array<Word, 8> state{};
  for (std::size_t i = 0; i < 8; ++i) state[i] = upper_part<Word>(kSquareRoots[i]);
  const std::string padded = pad(bytes, kBlock, Order::kBigEndian);
  for (std::size_t at = 0; at < padded.size(); at += kBlock) {
    std::array<Word, kRounds> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = load<Word>(std::string_view(padded).substr(at + i * sizeof(Word)), Order::kBigEndian);
    }
    for (std::size_t i = 16; i < kRounds; ++i) {
      w[i] = shifted_sum(w[i - 2], mixes.late) + w[i - 7] + shifted_sum(w[i - 15], mixes.early) +
             w[i - 16];
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < kRounds; ++i) {
      const Word choice = (e & f) ^ (~e & g);
      const Word majority = (a & b) ^ (a & c) ^ (b & c);
      const Word one =
          h + rotated_sum(e, mixes.sum_e) + choice + upper_part<Word>(kCubeRoots[i]) + w[i];
      const Word two = rotated_sum(a, mixes.sum_a) + majority;
      h = g;
      g = f;
      f = e;
      e = d + one;
      d = c;
      c = b;
      b = a;
      a = one + two;
    }
    const std::array<Word, 8> mixed = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state[i] += mixed[i];
  }
  return hex(state, Order::kBigEndian);
}

}  // namespace

std::string md5_hex(std::string_view bytes) {
  std::array<std::uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::string padded = pad(bytes, 64, Order::kLittleEndian);
  for (std::size_t at = 0; at < padded.size(); at += 64) {
    auto [a, b, c, d] = state;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::size_t round = i / 16;
      const std::array<std::uint32_t, 4> mixes = {(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d,
                                                  c ^ (b | ~d)};
      const std::array<std::size_t, 4> places = {i, 5 * i + 1, 3 * i + 5, 7 * i};
      const auto word = load<std::uint32_t>(
          std::string_view(padded).substr(at + 4 * (places[round] % 16)), Order::kLittleEndian);
      const std::uint32_t sum = a + mixes[round] + kSines[i] + word;
      a = d;
      d = c;
      c = b;
      b += std::rotl(sum, kMd5Shifts[round][i % 4]);
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d};
  }
  return hex(state, Order::kLittleEndian);
}

std::string sha1_hex(std::string_view bytes) {
  constexpr std::array<std::uint32_t, 4> kConstants = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
                                                       0xca62c1d6};
  std::array<std::uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const std::string padded = pad(bytes, 64, Order::kBigEndian);
  for (std::size_t at = 0; at < padded.size(); at += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = load<std::uint32_t>(std::string_view(padded).substr(at + 4 * i), Order::kBigEndian);
    }
    for (std::size_t i = 16; i < 80; ++i) {
      w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    auto [a, b, c, d, e] = state;
    for (std::size_t i = 0; i < 80; ++i) {
      const std::size_t round = i / 20;
      const std::uint32_t parity = b ^ c ^ d;
      const std::array<std::uint32_t, 4> mixes = {(b & c) | (~b & d), parity,
                                                  (b & c) | (b & d) | (c & d), parity};
      const std::uint32_t sum = std::rotl(a, 5) + mixes[round] + e + kConstants[round] + w[i];
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = sum;
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
  }
  return hex(state, Order::kBigEndian);
}

std::string sha256_hex(std::string_view bytes) {
  return sha2_hex<std::uint32_t, 64>(bytes, kMixes256);
}

std::string sha512_hex(std::string_view bytes) {
  return sha2_hex<std::uint64_t, 80>(bytes, kMixes512);
}

}  // namespace expr
