// What a DNS message says: dns/answer_packet.h.

#include "dns/answer_packet.h"

#include <string>

#include <gmock/gmock.h>

namespace rapporteur {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Status = DnsAnswer::Status;

std::string number16(int value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}
std::string number32(std::uint32_t value) {
  return number16(static_cast<int>(value >> 16)) + number16(static_cast<int>(value & 0xffff));
}

const std::string kName = "\7example\0"s;  // at byte 12 of every message
const std::string kSameName = "\xc0\x0c";
constexpr int kTxt = 16;
constexpr int kMx = 15;
constexpr int kCname = 5;
constexpr int kSoa = 6;

std::string record(int type, std::uint32_t ttl, const std::string& data, int of_class = 1) {
  return kSameName + number16(type) + number16(of_class) + number32(ttl) +
         number16(static_cast<int>(data.size())) + data;
}

// An answer with these records in its sections.
std::string message(int rcode, const std::vector<std::string>& answers,
                    const std::vector<std::string>& authorities = {}, int type = kTxt) {
  std::string text = "\x12\x34\x81"s + static_cast<char>(0x80 | rcode) + number16(1) +
                     number16(static_cast<int>(answers.size())) +
                     number16(static_cast<int>(authorities.size())) + number16(0);
  text += kName + number16(type) + number16(1);
  for (const auto& one : answers) text += one;
  for (const auto& one : authorities) text += one;
  return text;
}

std::string soa(std::uint32_t ttl, std::uint32_t minimum) {
  return record(kSoa, ttl,
                kSameName + kSameName + number32(1) + number32(2) + number32(3) + number32(4) +
                    number32(minimum));
}

TEST(AnswerPacket, HoldsForTheShortestTimeOfItsRecordsAndItsAliases) {
  const auto packet = message(
      0, {record(kCname, 60, kSameName), record(kTxt, 300, "\3two"), record(kTxt, 200, "\3one")});
  const auto answer = read_answer_packet(packet, DnsType::kTxt);
  EXPECT_EQ(answer.status, Status::kFound);
  EXPECT_THAT(answer.records, ElementsAre("one", "two"));
  EXPECT_EQ(answer.ttl, 60s);
}

TEST(AnswerPacket, RecordsOfOtherTypesAndClassesAreNotItsAnswer) {
  const auto packet = message(0, {record(kTxt, 60, "\3txt"), record(kMx, 60, "\0\1"s + kSameName),
                                  record(kMx, 60, "\0\1"s + kSameName, 3)});
  EXPECT_THAT(read_answer_packet(packet, DnsType::kTxt).records, ElementsAre("txt"));
  EXPECT_THAT(read_answer_packet(packet, DnsType::kMx).records, ElementsAre("example"));
  EXPECT_EQ(read_answer_packet(packet, DnsType::kIpv4).status, Status::kNone);
}

TEST(AnswerPacket, ThatThereIsNothingHoldsAsLongAsTheSoaSays) {
  struct Case {
    const char* name;
    std::string packet;
    Seconds ttl;
  };
  const Case cases[] = {
      {"its minimum", message(3, {}, {soa(900, 300)}), 300s},
      {"its own TTL", message(0, {}, {soa(200, 300)}), 200s},
      {"six hours at the most", message(3, {}, {soa(86'400, 86'400)}), 6h},
      {"none", message(3, {}), 0s},
      {"behind another record", message(0, {}, {record(kTxt, 5, "\1x"), soa(900, 400)}), 400s},
      {"an alias that leads nowhere", message(3, {record(kCname, 60, kSameName)}, {soa(900, 300)}),
       300s},
  };
  for (const auto& [name, packet, ttl] : cases) {
    const auto answer = read_answer_packet(packet, DnsType::kTxt);
    EXPECT_EQ(answer.status, Status::kNone) << name;
    EXPECT_EQ(answer.ttl, ttl) << name;
    EXPECT_THAT(answer.problem, IsEmpty()) << name;
  }
}

TEST(AnswerPacket, OtherResponseCodesAreTemporary) {
  for (const auto& [rcode, name] :
       {std::pair(1, "FORMERR"), std::pair(2, "SERVFAIL"), std::pair(4, "NOTIMP"),
        std::pair(5, "REFUSED"), std::pair(9, "response code 9")}) {
    const auto answer = read_answer_packet(message(rcode, {}), DnsType::kTxt);
    EXPECT_EQ(answer.status, Status::kTemporary) << name;
    EXPECT_EQ(answer.problem, name);
  }
}

TEST(AnswerPacket, APieceOfAMessageIsNeverAnAnswer) {
  const auto whole =
      message(0, {record(kMx, 60, "\0\1"s + kSameName), record(kMx, 60, "\0\2"s + kName)},
              {soa(900, 300)}, kMx);
  ASSERT_EQ(read_answer_packet(whole, DnsType::kMx).status, Status::kFound);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto answer = read_answer_packet(std::string(whole, 0, length), DnsType::kMx);
    EXPECT_EQ(answer.status, Status::kTemporary) << length;
    EXPECT_THAT(answer.problem, HasSubstr("cannot be read")) << length;
  }
}

TEST(AnswerPacket, NamesThatPointInACircleOrOutOfTheMessageAreNone) {
  for (const auto& pointer : {"\xc0\x28"s, "\xff\xff"s, "\5abc"s}) {
    const auto packet = message(0, {record(kMx, 60, "\0\1"s + pointer)}, {}, kMx);
    EXPECT_NE(read_answer_packet(packet, DnsType::kMx).status, Status::kFound);
  }
}

}  // namespace
}  // namespace rapporteur
