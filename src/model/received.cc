#include "model/received.h"

#include <algorithm>

namespace rapporteur {

namespace {

int rank(Trust trust) {
  switch (trust) {
    case Trust::kDkim:
    case Trust::kMta:
    case Trust::kLocal:
      return 2;
    case Trust::kHttps:
      return 1;
    case Trust::kUnverified:
      break;
  }
  return 0;
}

}  // namespace

std::string_view to_string(Trust trust) {
  switch (trust) {
    case Trust::kDkim:
      return "dkim";
    case Trust::kMta:
      return "mta";
    case Trust::kLocal:
      return "local";
    case Trust::kHttps:
      return "https";
    case Trust::kUnverified:
      break;
  }
  return "unverified";
}

std::optional<Trust> parse_trust(std::string_view text) {
  const auto found =
      std::ranges::find(kTrustClasses, text, [](Trust trust) { return to_string(trust); });
  if (found == kTrustClasses.end()) return std::nullopt;
  return *found;
}

bool outranks(Trust one, Trust other) {
  return rank(one) > rank(other);
}

}  // namespace rapporteur
