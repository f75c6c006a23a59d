#pragma once
// What a fuzz target demands of the code. A demand that is not met ends the process, so that the
// fuzzer keeps the input, and ctest sees a failure.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace fuzz {

inline void require(bool holds, std::string_view demand, const std::string& found = {}) {
  if (holds) return;
  std::fprintf(stderr, "not so: %.*s\n%s\n", static_cast<int>(demand.size()), demand.data(),
               found.c_str());
  std::abort();
}

}  // namespace fuzz
