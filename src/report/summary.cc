#include "report/summary.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "base/text.h"
#include "base/time.h"
#include "report/json.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMaxPolicies = 20;
constexpr std::size_t kLineWidth = 77;

std::string ascii(std::string_view text) {
  if (is_ascii(text)) return without_controls(text);
  std::string out;
  for (const char c : without_controls(to_valid_utf8(text))) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) == 0x80U) continue;  // one '?' for a character, not for each of its bytes
    out += byte < 0x80 ? c : '?';
  }
  return out;
}

// Writes the words into lines of at most kLineWidth: the first behind `start`, the others behind
// `indent` spaces.
void append_wrapped(std::string& out, std::string_view start, std::string_view text,
                    std::size_t indent) {
  auto line = out.size();
  out += start;
  bool has_word = false;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (word.empty()) continue;
    if (has_word && out.size() - line + 1 + word.size() > kLineWidth) {
      out += '\n';
      line = out.size();
      out.append(indent, ' ');
      has_word = false;
    }
    if (has_word) out += ' ';
    out += word;
    has_word = true;
  }
  out += '\n';
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  constexpr std::size_t kColumn = 21;
  std::string start(name);
  start += ':';
  start.resize(kColumn, ' ');
  append_wrapped(out, start, ascii(value), kColumn);
}

void append_policy(std::string& out, const PolicyCounts& counts) {
  append_wrapped(out, "  ",
                 std::string(to_string(counts.policy.type)) + " " + ascii(counts.policy.domain) +
                     ": " + std::to_string(counts.successful) + " successful, " +
                     std::to_string(counts.failed) + " failed",
                 4);
  std::map<ResultType, std::uint64_t> by_type;
  for (const auto& detail : counts.details) by_type[detail.detail.result_type] += detail.count;
  for (const auto& [type, count] : by_type) {
    out += "    " + std::string(to_string(type)) + ": " + std::to_string(count) + "\n";
  }
}

}  // namespace

std::string human_summary(const SummaryContext& context, const ReportHead& head,
                          const WindowCounts& counts) {
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  for (const auto& policy : counts) {
    successful += policy.successful;
    failed += policy.failed;
  }

  std::string out;
  append_wrapped(out, "", "This is a TLS report (RFC 8460) for " + ascii(context.domain) + ".", 0);
  append_wrapped(out, "",
                 "The attached file is meant for programs; this text tells what it is about.", 0);
  if (context.parts > 1) {
    append_wrapped(out, "",
                   "This mail is part " + std::to_string(context.part) + " of " +
                       std::to_string(context.parts) +
                       "; the numbers below are the totals of the whole report.",
                   0);
  }
  out += "\n";
  append_field(out, "Organization", head.organization_name);
  append_field(out, "Submitter", context.submitter);
  append_field(out, "Contact", head.contact_info);
  append_field(out, "Report-ID", head.report_id);
  append_field(out, "From", format_rfc3339(head.period.start));
  append_field(out, "To", format_rfc3339(head.period.end - Seconds{1}));
  append_field(out, "Successful sessions", std::to_string(successful));
  append_field(out, "Failed sessions", std::to_string(failed));
  if (counts.empty()) return out;

  out += "\nPolicies:\n";
  std::size_t told = 0;
  for (const auto* policy : policies_in_order(counts)) {
    if (told == kMaxPolicies) {
      out += "  and " + std::to_string(counts.size() - told) + " more\n";
      break;
    }
    append_policy(out, *policy);
    ++told;
  }
  return out;
}

}  // namespace rapporteur
