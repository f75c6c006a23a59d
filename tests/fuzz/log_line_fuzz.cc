// Any bytes as a line of any format: fuzz/session.h says what is promised. Behind the prefix of a
// log it is the same session.

#include "fuzz/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rapporteur;
  fuzz::check_format(Format::kAuto, data, size);

  static Decoder decoder;
  const std::string line(data, data + size);
  const auto plain = decoder.decode(line);
  if (plain.verdict != Verdict::kSession) return 0;
  const auto logged = fuzz::check_line(decoder, Format::kAuto, "mail[7]: tls report: " + line);
  fuzz::require(logged.verdict == Verdict::kSession, "a session is found behind a log prefix",
                std::string(logged.reason));
  fuzz::require(logged.session == plain.session && logged.format == plain.format,
                "a log prefix changes nothing", fuzz::native_form(logged.session));
  return 0;
}
