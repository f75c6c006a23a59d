#pragma once
// What the parts of a report's JSON mean, told one after the other: the half of read_report() that
// knows RFC 8460 and no JSON library.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/received.h"
#include "received/report_reader.h"

namespace rapporteur {

// A scalar of JSON.
struct ReportValue {
  enum class Kind { kNull, kTruth, kNumber, kText };
  Kind kind = Kind::kNull;
  std::string_view text;  // kText; of a number what it looks like
  double number = 0;
};

class ReportEvents {
 public:
  explicit ReportEvents(const ReadLimits& limits) : limits_(limits) {}

  // Each is false if a limit was passed: refusal() says which. Strings are UTF-8.
  bool open(bool array);
  bool close();
  bool key(std::string_view name);
  bool value(const ReportValue& value);

  // Notes what is not as it should be, once.
  void odd(std::string phrase);

  const std::string& refusal() const { return refusal_; }

  // The report, once all was told.
  Result<ReceivedReport> finish();

 private:
  enum class Place {
    kOutside,
    kWrapper,  // an array around the report
    kReport,
    kDateRange,
    kPolicies,
    kEntry,  // one of `policies`
    kPolicy,
    kStrings,
    kMxHosts,
    kSummary,
    kDetails,
    kDetail,
    kIgnored,
  };
  struct Frame {
    Place place;
    std::string key;
  };

  bool refuse(std::string why);
  Place place_of(bool array);
  Place inside_report(bool array);
  Place inside_entry(bool array);
  void note_mx_host_name();
  bool begin(Place place);
  ReceivedPolicy& policy();
  ReceivedDetail& detail();

  std::string taken(const ReportValue& value);
  std::string label(const ReportValue& value);
  std::uint64_t count(const ReportValue& value);
  std::optional<Time> time(const ReportValue& value);
  void take_report(const ReportValue& value);
  void take_date(const ReportValue& value);
  void take_entry(const ReportValue& value);
  bool take_policy(const ReportValue& value);
  void take_summary(const ReportValue& value);
  void take_detail(const ReportValue& value);
  bool take_string(const ReportValue& value);
  bool take_lines(std::string_view text);
  bool take_mx(const ReportValue& value);
  void demand(std::string_view key, const std::string& text);
  void judge_policy(ReceivedPolicy& policy, bool has_failures);

  const ReadLimits& limits_;
  std::vector<Frame> frames_;
  ReceivedReport report_;
  std::string refusal_;
  bool begun_ = false;  // a report
  bool has_policies_ = false;
  std::size_t details_ = 0;
  std::size_t lines_ = 0;
  std::vector<bool> has_failures_;  // whether the policy's summary tells of failures
};

}  // namespace rapporteur
