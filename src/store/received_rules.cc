#include "store/received_rules.h"

#include <algorithm>

#include "base/domain.h"
#include "base/hash.h"

namespace rapporteur {

namespace {

constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kLeastIdDigits = 4;

// Whether a report that tells something else is another one although their ids are the same: a
// further part, or that of somebody else. Whoever has a domain can sign a report in anybody's name,
// and must not keep out the genuine one.
bool is_another(const KeptTwin& twin, const ReceivedAddition& addition) {
  if (!twin.part.empty() && !addition.part.empty() && twin.part != addition.part) return true;
  // A signed one does not take the place of one that was posted: either may be the genuine.
  if (twin.trust == Trust::kHttps && outranks(addition.report.trust, twin.trust)) return true;
  const auto& signer = addition.report.signer;
  return !twin.signer.empty() && !signer.empty() && !is_same_or_below(twin.signer, signer) &&
         !is_same_or_below(signer, twin.signer);
}

}  // namespace

ReceivedFate fate_of(const ReceivedAddition& addition, std::span<const KeptTwin> twins) {
  using Kind = ReceivedAdded::Kind;
  auto known = std::ranges::find(twins, addition.digest, &KeptTwin::digest);
  const bool same = known != twins.end();
  if (!same) {
    known = std::ranges::find_if_not(
        twins, [&](const KeptTwin& twin) { return is_another(twin, addition); });
  }
  if (known == twins.end()) return {};
  if (!outranks(addition.report.trust, known->trust)) return {Kind::kDuplicate, &*known, same};
  return {same ? Kind::kRaised : Kind::kReplaced, &*known, same};
}

ReceivedIds::ReceivedIds(const ReceivedAddition& addition, bool first)
    : digest_(first ? addition.key
                    : sha256(addition.key + addition.part + '\0' + addition.report.signer)) {}

std::string ReceivedIds::next() {
  auto id = hex(digest_.substr(0, kIdBytes));
  digest_ = sha256(digest_);
  return id;
}

bool is_counted(const ReceivedAddition& addition, Trust trust) {
  return std::ranges::find(addition.counted, trust) != addition.counted.end();
}

bool is_beginning_of_id(const std::string& id) {
  return id.size() >= kLeastIdDigits && id.find_first_not_of("0123456789abcdef") == id.npos;
}

}  // namespace rapporteur
