// Any bytes as what a report came wrapped in, and as what is in the wrapping: nothing larger than
// the limits allow comes out of it, and what was wrapped properly comes out whole.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "fuzz/require.h"
#include "received/container.h"
#include "received/zip.h"
#include "report/gzip.h"

namespace {

using namespace rapporteur;
using fuzz::require;

// So small that the fuzzer's inputs pass them.
constexpr UnpackLimits kSmall{
    .packed_bytes = 3000, .json_bytes = 6000, .ratio = 8, .free_bytes = 1500, .files = 3};
constexpr std::size_t kMostErrorBytes = 300;

bool is_packed(std::string_view bytes) {
  return bytes.starts_with("\x1F\x8B") || bytes.starts_with("PK\x03\x04");
}

void check_phrase(const std::string& text) {
  require(!text.empty() && text.size() <= kMostErrorBytes, "a phrase says something", text);
  require(is_valid_utf8(text) && without_controls(text) == text, "a phrase is one line", text);
}

void check_error(const Error& error) {
  require(error.fault == Fault::kInput, "what cannot be unpacked is a fault of input", error.text);
  check_phrase(error.text);
}

Result<Unpacked> check_unpack(const std::string& bytes, const UnpackLimits& limits) {
  auto unpacked = unpack(bytes, limits);
  const auto again = unpack(bytes, limits);
  require(!unpacked == !again &&
              (!again || (again->json == unpacked->json && again->oddities == unpacked->oddities)),
          "unpacking it again gives the same");
  if (!unpacked) {
    check_error(unpacked.error());
    return unpacked;
  }
  require(is_container(bytes), "what can be unpacked begins like it");
  require(!bytes.empty(), "nothing comes out of nothing");
  std::ranges::for_each(unpacked->oddities, check_phrase);
  const auto size = unpacked->json.size();
  require(size <= limits.json_bytes, "JSON is no larger than its limit", std::to_string(size));
  if (!is_packed(bytes)) {
    require(unpacked->json == bytes && unpacked->oddities.empty(), "bare JSON is left as it is");
    return unpacked;
  }
  require(bytes.size() <= limits.packed_bytes, "what is packed is no larger than its limit");
  require(size <= std::max(limits.free_bytes, limits.ratio * bytes.size()),
          "JSON is in proportion to what was packed",
          std::to_string(bytes.size()) + " made " + std::to_string(size));
  return unpacked;
}

void check_zip(const std::string& bytes, std::size_t most_files, std::size_t most_bytes) {
  const auto file = read_zip(bytes, most_files, most_bytes);
  if (!file) return check_error(file.error());
  require(file->content.size() <= most_bytes, "no more is inflated than asked for");
  require(file->others < most_files, "an archive has no more files than asked for");
}

// ---- Proper archives of any content

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text += static_cast<char>(value & 0xFF);
  return text;
}

struct ZipMember {
  std::string name;
  std::string_view content;
};

// A zip archive of files that are stored as they are.
std::string zip_of(const std::vector<ZipMember>& members) {
  std::string archive;
  std::string directory;
  for (const auto& [name, content] : members) {
    // Version, flags, method, time and date; the sum, both sizes, the name's length.
    const auto common = number(20, 2) + std::string(8, '\0') + number(crc32(content), 4) +
                        number(content.size(), 4) + number(content.size(), 4) +
                        number(name.size(), 2);
    directory += "PK\x01\x02" + number(20, 2) + common + std::string(12, '\0') +
                 number(archive.size(), 4) + name;
    archive += "PK\x03\x04" + common + number(0, 2) + name;
    archive += content;
  }
  const auto end = "PK\x05\x06" + std::string(4, '\0') + number(members.size(), 2) +
                   number(members.size(), 2) + number(directory.size(), 4) +
                   number(archive.size(), 4) + number(0, 2);
  return archive + directory + end;
}

void require_same(const Result<Unpacked>& unpacked, const std::string& json, std::string_view how) {
  require(static_cast<bool>(unpacked), how, unpacked ? std::string() : unpacked.error().text);
  require(unpacked->json == json, how);
}

void check_wrapped(const std::string& text) {
  const auto packed = gzip(text);
  const auto from_gzip = check_unpack(packed, kSmall);
  // Stored, so that nothing but what the text itself is can be a bomb.
  const auto zipped = zip_of({{"report.json", text}});
  const auto from_zip = check_unpack(zipped, kSmall);
  const auto second = zip_of({{"readme.txt", "read me"}, {"report.JSON.gz", packed}});
  const auto from_second = check_unpack(second, kSmall);
  const auto many = zip_of({{"a/", ""}, {"a/1.json", text}, {"a/2.json", ""}, {"3.json", text}});
  require(!check_unpack(many, kSmall), "an archive of too many files is refused");
  check_zip(zipped, 1, text.size());
  if (!text.empty()) {
    require(!read_zip(zipped, 1, text.size() - 1), "a file that is too large is refused");
  }
  if (text.size() > kSmall.free_bytes || packed.size() > kSmall.free_bytes) return;
  require_same(from_gzip, text, "what was compressed comes back");
  require_same(from_second, text, "the report of an archive comes back");
  require(from_second->oddities.size() == 2, "an archive and a second file are odd");
  if (is_packed(text) || !is_container(text)) return;
  require_same(from_zip, text, "JSON of an archive comes back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  static_cast<void>(check_unpack(text, kSmall));
  static_cast<void>(check_unpack(text, {}));
  check_zip(text, kSmall.files, kSmall.json_bytes);
  check_wrapped(text);
  return 0;
}
