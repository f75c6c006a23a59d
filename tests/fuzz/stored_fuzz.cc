// Any bytes as what stands in the store: packed lists, words, compressed reports and their JSON.
// Nothing of it can be trusted more than the disk under it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/json.h"
#include "deliver/judge.h"
#include "fuzz/require.h"
#include "model/delivery.h"
#include "model/session.h"
#include "model/window.h"
#include "report/gzip.h"
#include "store/sqlite_rows.h"

namespace {

using namespace rapporteur;
using fuzz::require;

void check_packed(const std::string& text) {
  const auto texts = unpack(text);
  if (texts) {
    std::size_t size = 0;
    for (const auto& one : *texts) size += one.size() + 3;  // its length, ':' and ','
    require(size <= text.size(), "a list holds no more than its text");
    require(unpack(pack(*texts)) == texts, "a list is the same when it was packed again", text);
  }
  std::vector<std::string> pieces;
  for (const auto piece : split(text, ',')) pieces.emplace_back(piece);
  require(unpack(pack(pieces)) == pieces, "every list can be packed", text);
}

template <class Parse>
void check_word(const Parse& parse, const std::string& text) {
  const auto word = parse(text);
  require(!word || to_string(*word) == text, "a word stands for itself only", text);
}

void check_words(const std::string& text) {
  check_word(parse_window_state, text);
  check_word(parse_delivery_state, text);
  check_word(parse_policy_type, text);
  check_word(parse_result_type, text);
  if (text != "disable") check_word(parse_frequency, text);
}

void check_compressed(const std::string& text) {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  const auto content = gunzip(text, kMost);
  require(!content || content->size() <= kMost, "what is unpacked is bounded");
  require(content || !content.error().text.empty(), "what is refused has a reason");
  const auto again = gunzip(gzip(text), text.size());
  require(again && *again == text, "what was compressed comes back");
}

void check_json(const std::string& text) {
  const auto value = Json::parse(text);
  if (!value) return;
  const auto shown = value->text();
  require(is_valid_utf8(shown), "JSON is printed as UTF-8", shown);
  require(shown.size() <= 150 * text.size(), "JSON is printed in proportion to its text", text);
  const auto again = Json::parse(shown);
  require(again && again->text() == shown, "printed JSON is the same JSON", shown);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  check_packed(text);
  check_words(text);
  check_compressed(text);
  check_json(text);
  // What is sent is asked once more whether it is an address: a mailto of the store may be damaged.
  const auto address = mail_address(text);
  require(address.size() <= text.size(), "an address is no longer than its destination");
  if (is_safe_address(address)) {
    require(address.find_first_of("\r\n<> ") == address.npos, "an address is one word", address);
  }
  return 0;
}
