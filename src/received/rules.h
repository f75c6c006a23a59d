#pragma once
// [received] of the configuration, as those who take and sum up reports want it.

#include <set>

#include "config/config.h"
#include "model/received.h"
#include "received/reception.h"

namespace rapporteur {

ReceptionRules reception_rules(const ReceivedConfig& config);

std::set<Trust> counted_classes(const ReceivedConfig& config);

}  // namespace rapporteur
