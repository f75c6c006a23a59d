#include "received/report_reader.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "received/report_events.h"

namespace rapporteur {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Hands what the parser finds to ReportEvents, and remembers where it broke.
class Sax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Sax(ReportEvents& events) : events_(events) {}

  bool null() override { return events_.value({}); }
  bool boolean(bool) override { return events_.value({.kind = ReportValue::Kind::kTruth}); }
  bool number_integer(std::int64_t number) override {
    return events_.value({ReportValue::Kind::kNumber, {}, static_cast<double>(number)});
  }
  bool number_unsigned(std::uint64_t number) override {
    const auto text = std::to_string(number);
    return events_.value({ReportValue::Kind::kNumber, text, static_cast<double>(number)});
  }
  bool number_float(double number, const std::string& text) override {
    return events_.value({ReportValue::Kind::kNumber, text, number});
  }
  bool string(std::string& text) override {
    return events_.value({ReportValue::Kind::kText, text, 0});
  }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return events_.open(false); }
  bool end_object() override { return events_.close(); }
  bool start_array(std::size_t) override { return events_.open(true); }
  bool end_array() override { return events_.close(); }
  bool key(std::string& name) override { return events_.key(name); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    position_ = position;
    return false;
  }

  std::size_t position() const { return position_; }

 private:
  ReportEvents& events_;
  std::size_t position_ = 0;
};

}  // namespace

std::uint64_t add_counts(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kMost = (std::uint64_t{1} << 53) - 1;
  return std::min(a, kMost) + std::min(b, kMost - std::min(a, kMost));
}

Result<ReceivedReport> read_report(std::string_view json, const ReadLimits& limits) {
  if (json.size() > limits.json_bytes) {
    return Error{Fault::kInput,
                 "its JSON is larger than " + std::to_string(limits.json_bytes) + " bytes"};
  }
  ReportEvents events(limits);
  if (json.starts_with(kByteOrderMark)) {
    json.remove_prefix(kByteOrderMark.size());
    events.odd("a byte order mark stands in front");
  }
  // Some pad their files.
  while (!json.empty() && json.back() == '\0') json.remove_suffix(1);
  std::string repaired;
  if (!is_valid_utf8(json)) {
    repaired = to_valid_utf8(json);
    json = repaired;
    events.odd("it holds bytes that are no UTF-8");
  }
  Sax sax(events);
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &sax)) {
    if (!events.refusal().empty()) return Error{Fault::kInput, events.refusal()};
    return Error{Fault::kInput, "no JSON: it is damaged at byte " + std::to_string(sax.position())};
  }
  return events.finish();
}

}  // namespace rapporteur
