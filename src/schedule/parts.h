#pragma once
// The parts of a window's report and the signed mails that carry them: the last step of assembling.

#include <string>
#include <vector>

#include "base/result.h"
#include "model/counts.h"
#include "model/window.h"
#include "schedule/assembler.h"
#include "schedule/evaluation.h"
#include "store/store.h"

namespace rapporteur {

// Splits the window's counts, which it reads from the store if `dossier` does not hold them, and
// makes a delivery of every part to every destination. `question` carries the window's facts. Fails
// with Fault::kConfig if a setting, a key or the size limit does not allow it, else as the store
// does. `fingerprint` and `record` of the result are left empty.
Result<Assembly> make_parts(const AssemblyContext& context, const Window& window,
                            const Dossier& dossier, const Question& question,
                            const std::vector<std::string>& destinations, Time now);

}  // namespace rapporteur
