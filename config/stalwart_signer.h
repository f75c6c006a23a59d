#pragma once
// Stalwart 0.15 names the DKIM signatures of a report by their ids, we the domain whose keys sign.

#include <string>
#include <vector>

#include "config/stalwart_block.h"

namespace rapporteur::stalwart {

struct Signer {
  std::string expression;         // for dkimSignDomain; empty: there is none
  bool is_default = false;        // it is what our default says
  std::string remark;             // on an expression that was not certain
  std::string problem;            // why there is none
  std::vector<std::string> keys;  // what is known of each key, for a [[dkim]] table
};

// Whether the setting, of either generation, says that reports are not signed.
bool is_unsigned(const Block& block);

// `block` is translated; `root` is the whole file, which may hold the signatures.
Signer signer_of(const Block& block, const Item& root);

}  // namespace rapporteur::stalwart
