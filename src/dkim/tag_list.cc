#include "dkim/tag_list.h"

#include <algorithm>

#include "base/text.h"

namespace rapporteur {

TagList::TagList(std::string_view text) {
  for (const auto piece : split(text, ';')) {
    const auto equals = piece.find('=');
    if (equals == piece.npos) continue;
    std::string value;
    for (const char c : trim(piece.substr(equals + 1))) {
      if (c != '\r' && c != '\n') value += c;
    }
    tags_.emplace_back(trim(piece.substr(0, equals)), std::move(value));
  }
}

bool TagList::has(std::string_view name) const {
  return std::ranges::any_of(tags_, [&](const auto& tag) { return tag.first == name; });
}

std::string TagList::value(std::string_view name) const {
  const auto found =
      std::ranges::find_if(tags_, [&](const auto& tag) { return tag.first == name; });
  return found == tags_.end() ? std::string() : found->second;
}

std::string TagList::without(std::string_view name) const {
  std::string text;
  for (const auto& [tag, value] : tags_) {
    if (tag == name) continue;
    text.append(text.empty() ? "" : "; ").append(tag).append("=").append(value);
  }
  return text;
}

}  // namespace rapporteur
