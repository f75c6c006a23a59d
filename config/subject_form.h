#pragma once
// The form of the Subject of RFC 8460, section 5.3, by which receivers recognise reports.

#include <optional>
#include <string>
#include <string_view>

#include "expr/expression.h"

namespace rapporteur {

// "Report Domain: <domain> Submitter: <domain> Report-ID: <id@domain>", with comments at the end.
bool is_report_subject(std::string_view text);

// What a result of the setting `subject` yields for samples of reports about the domain, if that is
// not of the form. Nullopt if it is, if it fails or yields no text, and where samples prove
// nothing: of what depends on captures or lookups.
std::optional<std::string> stray_subject(const expr::Program& result, const std::string& domain);

}  // namespace rapporteur
