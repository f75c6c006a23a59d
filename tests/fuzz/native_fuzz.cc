// Any bytes as the native form: fuzz/session.h says what is promised.

#include "fuzz/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::check_format(rapporteur::Format::kNative, data, size);
  return 0;
}
