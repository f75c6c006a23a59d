#pragma once
// Reading single values of a parsed JSON object, and the functions that turn an object of one
// format into a Session. Internal to this room: decoder.h is its door.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/decoder.h"
#include "ingest/normalise.h"

namespace simdjson::dom {
class object;
}

namespace rapporteur {

using JsonObject = simdjson::dom::object;

// Views last until the next line is parsed. A value that is null is absent everywhere.
bool has(const JsonObject& object, std::string_view key);

// Empty if the value is absent or no string.
std::string_view text_at(const JsonObject& object, std::string_view key);

// As text_at, but a number is its decimal text.
std::string text_or_number_at(const JsonObject& object, std::string_view key);

// Nullopt if the value is absent, no number, or (integer_at) has a fraction or exceeds 64 bits.
std::optional<std::int64_t> integer_at(const JsonObject& object, std::string_view key);
std::optional<double> number_at(const JsonObject& object, std::string_view key);

// The strings of an array, other elements left out; or the string that stands in its place.
std::vector<std::string_view> texts_at(const JsonObject& object, std::string_view key);

// Reads a time in seconds times `units_per_second`. False if there is a value that is none.
bool read_time(const JsonObject& object, std::string_view key, double units_per_second,
               std::optional<Time>& time);

// The objects of an array. Nullopt if the value is absent, no array, or an element is no object; a
// single object counts as an array of one.
std::optional<std::vector<JsonObject>> objects_at(const JsonObject& object, std::string_view key);

// The fields of a failure detail under their RFC 8460 names. What is absent keeps its value.
void read_detail(const JsonObject& object, RawDetail& detail);

// Why an object gives no session; kSession with an empty reason if it does.
struct Judgement {
  Verdict verdict = Verdict::kSession;
  std::string_view reason;

  bool is_session() const { return verdict == Verdict::kSession; }
};

inline Judgement rejected(std::string_view reason) {
  return {Verdict::kRejected, reason};
}
inline Judgement ignored(std::string_view reason) {
  return {Verdict::kIgnored, reason};
}

// One object of each format. `session` is fresh; it is complete if the judgement is kSession.
Judgement decode_tlsrpt(const JsonObject& object, Session& session);
Judgement decode_momentum(const JsonObject& object, Session& session);
Judgement decode_native(const JsonObject& object, Session& session);
Judgement decode_halon(const JsonObject& object, Session& session);

}  // namespace rapporteur
