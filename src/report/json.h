#pragma once
// The pieces of a report's JSON text. A report is open_report(), policies joined by ",", and
// kCloseReport; a policy is open_policy(), details joined by ",", and kClosePolicy. Thus the
// splitter can weigh and combine pieces that were written once.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/counts.h"
#include "report/report.h"

namespace rapporteur {

constexpr std::string_view kCloseReport = "]}";
constexpr std::string_view kClosePolicy = "]}";
constexpr std::string_view kAfterFailed = "},\"failure-details\":[";

std::string open_report(const ReportHead& head);
std::string open_policy(const Policy& policy, std::uint64_t successful, std::uint64_t failed);
// open_policy() up to its number of failures, behind which kAfterFailed stands: for a writer who
// learns that number last.
std::string open_policy_to_failed(const Policy& policy, std::uint64_t successful);
std::string detail_json(const DetailCount& detail);
void append_detail(std::string& out, const DetailCount& detail);

// One whole policy; its details in the order of details_in_order().
std::string policy_json(const PolicyCounts& counts);

// The orders in which a report tells them; see report_json(). Pointers into the argument.
std::vector<const PolicyCounts*> policies_in_order(const WindowCounts& counts);
std::vector<const DetailCount*> details_in_order(const PolicyCounts& counts);

}  // namespace rapporteur
