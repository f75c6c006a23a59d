#include "received/container.h"

#include <algorithm>

#include "base/text.h"
#include "received/zip.h"
#include "report/gzip.h"

namespace rapporteur {

namespace {

constexpr std::string_view kGzipMagic = "\x1F\x8B";
constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_json(std::string_view bytes) {
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const auto first = bytes.find_first_not_of(" \t\r\n");
  return first != bytes.npos && (bytes[first] == '{' || bytes[first] == '[');
}

// How many bytes may come out of so many packed ones.
std::size_t most_bytes(std::size_t packed, const UnpackLimits& limits) {
  return std::min(limits.json_bytes, std::max(limits.free_bytes, packed * limits.ratio));
}

}  // namespace

bool is_container(std::string_view bytes) {
  return bytes.starts_with(kGzipMagic) || bytes.starts_with(kZipMagic) || is_json(bytes);
}

Result<Unpacked> unpack(std::string_view bytes, const UnpackLimits& limits) {
  Unpacked result;
  const auto most = most_bytes(bytes.size(), limits);
  if (!is_json(bytes) && bytes.size() > limits.packed_bytes) {
    return Error{Fault::kInput,
                 "it is larger than " + std::to_string(limits.packed_bytes) + " bytes"};
  }
  if (bytes.starts_with(kZipMagic)) {
    auto file = read_zip(bytes, limits.files, most);
    if (!file) return std::move(file).error();
    result.oddities.emplace_back("it came as a zip archive");
    if (file->others > 0) {
      result.oddities.push_back("the archive holds " + std::to_string(file->others) +
                                " more files, which were not read");
    }
    result.json = std::move(file->content);
    bytes = result.json;
  }
  if (bytes.starts_with(kGzipMagic)) {
    auto json = gunzip(bytes, most);
    if (!json) {
      const auto& why = json.error().text;
      return Error{Fault::kInput, why.starts_with("holds ") ? "it " + why : why};
    }
    result.json = *std::move(json);
    return result;
  }
  if (!is_json(bytes)) {
    return Error{Fault::kInput,
                 bytes.empty() ? "it is empty" : "it is neither JSON nor gzip nor a zip archive"};
  }
  if (bytes.size() > limits.json_bytes) {
    return Error{Fault::kInput,
                 "its JSON is larger than " + std::to_string(limits.json_bytes) + " bytes"};
  }
  if (result.json.empty()) result.json = bytes;
  return result;
}

}  // namespace rapporteur
