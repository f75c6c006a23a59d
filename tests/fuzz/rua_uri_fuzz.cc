// Any bytes as one destination: usable_destination() refuses it with a reason, or it keeps the
// promises of tests/hostile/destination_promises.h.

#include <cstdint>
#include <string>

#include "base/text.h"
#include "dns/tlsrpt_record.h"
#include "fuzz/require.h"
#include "hostile/destination_promises.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rapporteur;
  const std::string text(data, data + size);
  const auto usable = usable_destination(text);
  fuzz::require(usable.uri.empty() != usable.why.empty(), "it is usable, or there is a reason");
  fuzz::require(is_valid_utf8(usable.why) && without_controls(usable.why) == usable.why &&
                    usable.why.size() < 300,
                "a reason is a short line of UTF-8", usable.why);
  if (usable.uri.empty()) return 0;
  const auto broken = hostile::broken_promise(usable.uri);
  fuzz::require(broken.empty(), broken, usable.uri);
  return 0;
}
