#include "dns/answer_packet.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arpa/nameser.h>

#include "dns/record_data.h"

namespace rapporteur {

namespace {

constexpr std::size_t kPreferenceBytes = 2;

// Longer, it is not told that there is nothing: a record may have been made since.
constexpr Seconds kLongestNegative = std::chrono::hours(6);

std::size_t size_of(const ns_rr& record) {
  return static_cast<std::size_t>(ns_rr_rdlen(record));
}

std::string_view data_of(const ns_rr& record) {
  return {reinterpret_cast<const char*>(ns_rr_rdata(record)), size_of(record)};
}

// The name that the data end with, without its pointers to other names. Nullopt if it is none.
std::optional<std::string> whole_name(const ns_msg& message, const ns_rr& record,
                                      std::size_t begin) {
  std::array<unsigned char, NS_MAXCDNAME> name{};
  const int taken = ns_name_unpack(ns_msg_base(message), ns_msg_end(message),
                                   ns_rr_rdata(record) + begin, name.data(), name.size());
  if (taken < 0 || begin + static_cast<std::size_t>(taken) != size_of(record)) {
    return std::nullopt;
  }
  std::size_t length = 0;
  while (name.at(length) != 0) length += name.at(length) + 1U;
  return std::string(reinterpret_cast<const char*>(name.data()), length + 1);
}

// The data with its name written out; one that cannot be is left as it is, and is malformed then.
// Nullopt if there is no room for a name.
std::optional<std::string> written_out(const ns_msg& message, const ns_rr& record, DnsType type) {
  std::string data(data_of(record));
  const bool mx = type == DnsType::kMx;
  if (!mx && type != DnsType::kPtr) return data;
  const std::size_t before = mx ? kPreferenceBytes : 0;
  if (data.size() <= before) return std::nullopt;
  const auto name = whole_name(message, record, before);
  return name ? data.substr(0, before) + *name : data;
}

// How long it holds that there is nothing: as long as the SOA record beside it says. Without one it
// is not kept (RFC 2308, section 5).
Seconds negative_ttl(ns_msg& message) {
  constexpr std::size_t kMinimumBytes = 4;  // the last field of a SOA's data
  for (int i = 0; i < ns_msg_count(message, ns_s_ns); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_ns, i, &record) != 0) break;
    if (ns_rr_type(record) != ns_t_soa || size_of(record) < kMinimumBytes) continue;
    const auto* const end = ns_rr_rdata(record) + size_of(record);
    const Seconds minimum(ns_get32(end - kMinimumBytes));
    return std::min({Seconds(ns_rr_ttl(record)), minimum, kLongestNegative});
  }
  return Seconds(0);
}

}  // namespace

DnsAnswer temporary_answer(std::string problem) {
  DnsAnswer answer;
  answer.status = DnsAnswer::Status::kTemporary;
  answer.problem = std::move(problem);
  return answer;
}

DnsAnswer no_records() {
  DnsAnswer answer;
  answer.status = DnsAnswer::Status::kNone;
  return answer;
}

std::string rcode_name(int rcode) {
  switch (rcode) {
    case ns_r_formerr:
      return "FORMERR";
    case ns_r_servfail:
      return "SERVFAIL";
    case ns_r_notimpl:
      return "NOTIMP";
    case ns_r_refused:
      return "REFUSED";
    default:
      return "response code " + std::to_string(rcode);
  }
}

DnsAnswer read_answer_packet(std::string_view packet, DnsType type) {
  ns_msg message;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(packet.data());
  if (ns_initparse(bytes, static_cast<int>(packet.size()), &message) != 0) {
    return temporary_answer("the answer cannot be read");
  }
  const int rcode = ns_msg_getflag(message, ns_f_rcode);
  if (rcode != ns_r_noerror && rcode != ns_r_nxdomain) return temporary_answer(rcode_name(rcode));
  std::vector<std::string> data;
  std::optional<Seconds> ttl;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) {
      return temporary_answer("the answer cannot be read");
    }
    const Seconds its(std::min<std::uint32_t>(ns_rr_ttl(record), INT32_MAX));
    ttl = ttl ? std::min(*ttl, its) : its;
    if (ns_rr_class(record) != ns_c_in || ns_rr_type(record) != type_number(type)) continue;
    auto written = written_out(message, record, type);
    if (!written) return temporary_answer("the answer cannot be read");
    data.push_back(*std::move(written));
  }
  auto answer = no_records();
  if (rcode == ns_r_nxdomain || data.empty()) {
    answer.ttl = negative_ttl(message);
    return answer;
  }
  answer.ttl = ttl.value_or(Seconds(0));
  const std::vector<std::string_view> views(data.begin(), data.end());
  answer.records = read_record_data(type, views);
  if (!answer.records.empty()) answer.status = DnsAnswer::Status::kFound;
  answer.null_mx = type == DnsType::kMx && is_null_mx(views);
  return answer;
}

}  // namespace rapporteur
