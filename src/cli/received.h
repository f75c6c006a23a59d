#pragma once
// What the commands about received reports share.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/time.h"

namespace rapporteur {

// "2026-11-20" for a day, "2026-11-20 to 2026-11-26" for several, else both times: a period as
// reporters tell it, mostly with its last second as its end.
std::string received_period(Time start, Time end);

// At most `width` characters, the last of them "…" if there are more. `text` is UTF-8.
std::string shortened(std::string_view text, std::size_t width);

}  // namespace rapporteur
