#include "received/rules.h"

namespace rapporteur {

std::set<Trust> counted_classes(const ReceivedConfig& config) {
  std::set<Trust> classes;
  for (const auto& name : config.count) {
    if (const auto trust = parse_trust(name)) classes.insert(*trust);
  }
  return classes;
}

ReceptionRules reception_rules(const ReceivedConfig& config) {
  const auto classes = counted_classes(config);
  return {.domains = config.domains,
          .counted = {classes.begin(), classes.end()},
          .trusted_authserv_ids = config.trust_authserv};
}

}  // namespace rapporteur
