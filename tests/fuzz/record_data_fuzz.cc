// Any bytes as the data of DNS records: what read_record_data() and query_name() promise. The first
// byte chooses the type; each record follows behind its length in two bytes.

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/domain.h"
#include "dns/record_data.h"
#include "fuzz/dns_texts.h"
#include "fuzz/require.h"

namespace {

using namespace rapporteur;
using fuzz::check_text;
using fuzz::require;

void check_name(const DnsQuestion& question) {
  const auto name = query_name(question);
  if (!name) return;
  require(!name->empty() && name->find('\0') == name->npos && name->find('\\') == name->npos,
          "a name can be asked for as it is", *name);
  require(question.type != DnsType::kPtr || name->ends_with(".arpa"), "addresses are under arpa");
}

std::vector<std::string_view> records_of(std::string_view text) {
  std::vector<std::string_view> records;
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(text[i])}; };
  while (text.size() >= 2) {
    const auto size = std::min<std::size_t>(byte(0) << 8 | byte(1), text.size() - 2);
    records.push_back(text.substr(2, size));
    text.remove_prefix(2 + size);
  }
  return records;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto type = static_cast<DnsType>(data[0] % 5);
  const std::string text(data + 1, data + size);
  auto records = records_of(text);
  const auto read = read_record_data(type, records);
  require(read.size() <= std::min(records.size(), kMostDnsRecords), "records are capped");
  for (const auto& one : read) check_text(type, one);
  if (type != DnsType::kTxt) {
    const std::set<std::string> distinct(read.begin(), read.end());
    require(distinct.size() == read.size(), "each text occurs once");
  }
  require(type == DnsType::kMx || std::ranges::is_sorted(read), "texts are sorted");
  std::ranges::reverse(records);
  require(read_record_data(type, records) == read, "the order of the data does not matter");
  check_name({text, type});
  return 0;
}
