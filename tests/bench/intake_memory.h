#pragma once
// The memory that collecting takes.

namespace rapporteur::bench {

// Counts one session of each of a million domains in one window, records them, and prints how much
// memory a domain takes while it collects and how much is left afterwards. False if it is more than
// 300 bytes a domain.
bool memory_of_a_million_domains();

}  // namespace rapporteur::bench
