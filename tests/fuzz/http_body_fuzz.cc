// Any bytes as the body of a request: however it is cut into pieces, the same texts are cut out of
// it, and no more of it is held than a session may have.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/http_splitter.h"
#include "fuzz/require.h"
#include "ingest/decoder.h"

namespace {

using rapporteur::SessionSplitter;

struct Cut {
  std::vector<std::string> texts;
  bool whole = false;

  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(std::string_view body, std::size_t piece, bool json) {
  Cut made;
  SessionSplitter splitter(json);
  const auto sink = [&made](std::string_view text) {
    fuzz::require(text.size() <= rapporteur::kMaxLineBytes + 1, "a text is bounded");
    made.texts.emplace_back(text);
  };
  for (std::size_t at = 0; at < body.size(); at += piece) {
    if (!splitter.add(body.substr(at, piece), sink)) return made;
  }
  made.whole = splitter.finish(sink);
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(data, data + size);
  for (const bool json : {false, true}) {
    const auto whole = cut(body, std::max<std::size_t>(size, 1), json);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
      fuzz::require(cut(body, piece, json) == whole, "pieces make no difference");
    }
  }
  return 0;
}
