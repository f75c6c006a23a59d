// Any bytes as the TXT answers of a domain, one on each line: what read_tlsrpt_answers() and
// parse_tlsrpt_record() promise, and tests/hostile/destination_promises.h of the destinations.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "dns/tlsrpt_record.h"
#include "fuzz/require.h"
#include "hostile/destination_promises.h"

namespace {

using namespace rapporteur;
using fuzz::require;

void check_shown(const std::string& text) {
  require(is_valid_utf8(text) && without_controls(text) == text,
          "what is shown is UTF-8 without controls", text);
}

void check_record(const TlsrptRecord& record) {
  check_shown(record.text);
  check_shown(record.problem);
  const bool faulty =
      record.status == RecordStatus::kInvalid || record.status == RecordStatus::kSeveral;
  require(record.problem.empty() != faulty, "there is a problem where something is wrong");
  require((record.status == RecordStatus::kOk) == !record.rua.empty(),
          "a good record, and no other, has destinations", record.problem);
  for (const auto& uri : record.rua) {
    const auto broken = hostile::broken_promise(uri);
    require(broken.empty(), broken, uri);
  }
  const std::set<std::string> distinct(record.rua.begin(), record.rua.end());
  require(distinct.size() == record.rua.size(), "each destination stands once");
  for (const auto& skipped : record.skipped) {
    check_shown(skipped.uri);
    check_shown(skipped.why);
    require(!skipped.why.empty() && skipped.uri.size() <= 200, "what is skipped has a reason");
  }
}

// What is understood is understood once more, in its usable form.
void check_read_again(const TlsrptRecord& record) {
  if (record.status != RecordStatus::kOk) return;
  const auto text = "v=TLSRPTv1;rua=" + join(record.rua, ",");
  if (text.size() > 10'240) return;
  const auto again = parse_tlsrpt_record(text);
  require(again.rua == record.rua, "usable destinations are read again as the same", text);
  require(again.skipped.empty(), "a usable destination is not skipped", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  const auto parsed = parse_tlsrpt_record(text);
  check_record(parsed);
  check_read_again(parsed);

  std::vector<std::string> answers;
  for (const auto line : split(text, '\n')) answers.emplace_back(line);
  const auto chosen = read_tlsrpt_answers(answers);
  check_record(chosen);
  require(chosen.status != RecordStatus::kTemporary, "an answer is definite");
  for (auto answer = answers.begin(); answer != answers.end(); ++answer) {
    if (answer->starts_with("v=TLSRPTv1;")) continue;
    answers.erase(answer);
    break;
  }
  // Another TXT record beside exactly one of ours changes nothing.
  answers.emplace_back("v=spf1 -all");
  const auto with_foreign = read_tlsrpt_answers(answers);
  const bool exact = chosen.text.starts_with("v=TLSRPTv1;");
  require(!exact || chosen.status != RecordStatus::kOk || with_foreign.rua == chosen.rua,
          "foreign records do not count", text);
  return 0;
}
