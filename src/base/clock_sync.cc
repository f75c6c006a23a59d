#include "base/clock_sync.h"

#include <sys/timex.h>

namespace rapporteur {

bool clock_is_synchronised() {
  timex state{};  // modes = 0: only asked
  const int status = adjtimex(&state);
  return status == -1 || (status != TIME_ERROR && (state.status & STA_UNSYNC) == 0);
}

}  // namespace rapporteur
