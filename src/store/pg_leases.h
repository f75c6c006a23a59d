#pragma once
// Leases of windows and deliveries, as statements tell them. A lease is held while the database's
// clock is before lease_until; it is the clock of the transaction's begin, so that a lease is never
// taken for over too early, nor given for too long.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rapporteur {

inline constexpr std::string_view kLeaseClock = "extract(epoch FROM now())::bigint";

// That the row of table `alias` is nobody's but perhaps of the node that parameter `node` names
// ("$4::text").
inline std::string lease_is_free(std::string_view alias, std::string_view node) {
  const auto row = std::string(alias);
  return "(" + row + ".lease_until <= " + std::string(kLeaseClock) + " OR " + row +
         ".lease_node IN ('', " + std::string(node) + "))";
}

// Nodes that look for work at the same time begin with different domains. Only a preference: what
// one leaves, others take.
class Share {
 public:
  Share(const std::vector<std::string>& nodes, const std::string& node) : of_(nodes.size()) {
    const auto found = std::ranges::find(nodes, node);
    if (found != nodes.end()) mine_ = static_cast<std::size_t>(found - nodes.begin());
  }

  std::size_t nodes() const { return std::max<std::size_t>(of_, 1); }

  bool has(std::string_view domain) const {
    if (of_ < 2) return true;
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a: the same on every node
    for (const char c : domain) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return (hash >> 32) % of_ == mine_;
  }

 private:
  std::size_t of_;
  std::size_t mine_ = 0;
};

}  // namespace rapporteur
