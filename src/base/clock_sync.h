#pragma once
// Whether something keeps this machine's clock right.

namespace rapporteur {

// What the kernel says (adjtimex(2)): false while no time service has set it for hours. True where
// the kernel does not tell. Changes nothing.
bool clock_is_synchronised();

}  // namespace rapporteur
