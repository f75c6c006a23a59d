#include "dns/record_data.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::string_literals;

using Strings = std::vector<std::string>;

Strings read(DnsType type, const Strings& data) {
  const std::vector<std::string_view> views(data.begin(), data.end());
  return read_record_data(type, views);
}

// Labels of `length` bytes each, `count` of them, and the root.
std::string labels(std::size_t count, std::size_t length) {
  std::string name;
  for (std::size_t i = 0; i < count; ++i) {
    name += static_cast<char>(length) + std::string(length, 'a');
  }
  return name + '\0';
}

struct Data {
  const char* name;
  DnsType type;
  Strings data;
  Strings want;
};

void PrintTo(const Data& test, std::ostream* out) {
  *out << test.name;
}

class RecordData : public testing::TestWithParam<Data> {};

TEST_P(RecordData, IsReadAsPromised) {
  EXPECT_EQ(read(GetParam().type, GetParam().data), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Txt, RecordData,
    testing::Values(Data{"Joined", DnsType::kTxt, {"\1a\0\2bc"s}, {"abc"}},
                    Data{"Sorted", DnsType::kTxt, {"\1b", "\1a"}, {"a", "b"}},
                    Data{"EqualTextsAreTwo", DnsType::kTxt, {"\2ab", "\1a\1b"}, {"ab", "ab"}},
                    Data{"AnyByte", DnsType::kTxt, {"\2\0\xff"s}, {"\0\xff"s}},
                    Data{"Empty", DnsType::kTxt, {""}, {""}},
                    Data{"TooLong", DnsType::kTxt, {"\3ab", "\1a"}, {"a"}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Mx, RecordData,
    testing::Values(
        Data{"ByPreferenceThenName",
             DnsType::kMx,
             {"\1\0\1a\0"s, "\0\xff\1c\0"s, "\0\xff\1b\0"s, "\0\0\1z\0"s},
             {"z", "b", "c", "a"}},
        Data{"LowerCase", DnsType::kMx, {"\0\1\2Mx\7EXAMPLE\0"s}, {"mx.example"}},
        Data{"OneHostTwice", DnsType::kMx, {"\0\2\1a\0"s, "\0\1\1A\0"s, "\0\1\1b\0"s}, {"a", "b"}},
        Data{"Null", DnsType::kMx, {"\0\0\0"s}, {}},
        Data{"NullAmongOthers", DnsType::kMx, {"\0\0\0"s, "\0\1\1a\0"s}, {"a"}},
        Data{"Empty", DnsType::kMx, {"", "\1", "\0\1"s}, {}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Address, RecordData,
    testing::Values(Data{"Ipv4Sorted",
                         DnsType::kIpv4,
                         {"\xc0\0\2\2"s, "\xc0\0\2\1"s},
                         {"192.0.2.1", "192.0.2.2"}},
                    Data{"Ipv4OfAnotherSize", DnsType::kIpv4, {"", "\1\2\3", "\1\2\3\4\5"}, {}},
                    Data{"Ipv6",
                         DnsType::kIpv6,
                         {"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xaf"s},
                         {"2001:db8::af"}},
                    Data{"Ipv6Mapped",
                         DnsType::kIpv6,
                         {"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"s},
                         {"192.0.2.1"}},
                    Data{"Ipv6OfAnotherSize",
                         DnsType::kIpv6,
                         {"\1\2\3\4", std::string(15, 'a'), std::string(17, 'a')},
                         {}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Host, RecordData,
    testing::Values(Data{"Sorted", DnsType::kPtr, {"\1b\0"s, "\1a\0"s, "\1A\0"s}, {"a", "b"}},
                    Data{"EveryCharacterOfAHost", DnsType::kPtr, {"\6_a-Z09\0"s}, {"_a-z09"}},
                    Data{"Root", DnsType::kPtr, {"\0"s}, {}},
                    Data{"Space", DnsType::kPtr, {"\3a b\0"s}, {}},
                    Data{"DotInALabel", DnsType::kPtr, {"\3a.b\0"s}, {}},
                    Data{"ZeroByte", DnsType::kPtr, {"\3a\0b\0"s}, {}},
                    Data{"NewLine", DnsType::kPtr, {"\3a\nb\0"s}, {}},
                    Data{"Quote", DnsType::kPtr, {"\3a'b\0"s}, {}},
                    Data{"Wildcard", DnsType::kPtr, {"\1*\1a\0"s}, {}},
                    Data{"Latin1", DnsType::kPtr, {"\2\xe4\xf6\0"s}, {}},
                    Data{"OneBadLabel", DnsType::kPtr, {"\1a\1/\1b\0"s, "\1c\0"s}, {"c"}},
                    Data{"NoRoot", DnsType::kPtr, {"\1a"s, ""}, {}},
                    Data{"LabelBeyondTheEnd", DnsType::kPtr, {"\5ab\0"s}, {}},
                    Data{"MoreAfterTheRoot", DnsType::kPtr, {"\1a\0b"s, "\0\1a\0"s}, {}},
                    Data{"Pointer", DnsType::kPtr, {"\xc0\x0c"s, "\1a\xc0\0"s}, {}},
                    Data{"LongestLabel", DnsType::kPtr, {labels(1, 63)}, {std::string(63, 'a')}},
                    Data{"LabelTooLong", DnsType::kPtr, {labels(1, 64)}, {}},
                    Data{"NameTooLong", DnsType::kPtr, {labels(128, 1), labels(4, 63)}, {}}),
    [](const auto& test) { return test.param.name; });

TEST(RecordDataLimits, ANameOf255BytesIsTheLongest) {
  const auto records = read(DnsType::kPtr, {labels(127, 1)});
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].size(), 253U);
}

TEST(RecordDataLimits, TruncatedDataGiveNothing) {
  const struct {
    DnsType type;
    std::string data;
  } kWhole[] = {{DnsType::kMx, "\0\1\2mx\7example\0"s},
                {DnsType::kPtr, "\2mx\7example\0"s},
                {DnsType::kIpv4, "\1\2\3\4"s},
                {DnsType::kIpv6, std::string(16, 'a')}};
  for (const auto& [type, data] : kWhole) {
    EXPECT_THAT(read(type, {data}), SizeIs(1));
    for (std::size_t size = 0; size < data.size(); ++size) {
      EXPECT_THAT(read(type, {data.substr(0, size)}), IsEmpty())
          << type_number(type) << ' ' << size;
    }
  }
}

TEST(RecordDataLimits, TheFirstHundredInOrderAreKept) {
  Strings data;
  for (int i = 255; i >= 0; --i) data.push_back("\0"s + static_cast<char>(i) + "\1a\0"s);
  for (int i = 255; i >= 0; --i) {
    const auto last = static_cast<char>('a' + i % 26);
    const auto first = static_cast<char>('a' + i / 26);
    data.push_back("\1\0\2"s + first + last + "\0"s);
  }
  const auto records = read(DnsType::kMx, data);
  ASSERT_THAT(records, SizeIs(kMostDnsRecords));
  EXPECT_EQ(records[0], "a");
  EXPECT_EQ(records[1], "aa");
  EXPECT_EQ(records[99], "du");
  EXPECT_THAT(read(DnsType::kTxt, Strings(101, "\1a")), SizeIs(100));
}

struct Name {
  const char* name;
  DnsQuestion question;
  std::optional<std::string> want;
};

void PrintTo(const Name& test, std::ostream* out) {
  *out << test.name;
}

class QueryName : public testing::TestWithParam<Name> {};

TEST_P(QueryName, IsWhatIsAskedFor) {
  EXPECT_EQ(query_name(GetParam().question), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Each, QueryName,
    testing::Values(
        Name{"Plain", {"_smtp._tls.A.example", DnsType::kTxt}, "_smtp._tls.A.example"},
        Name{"OtherBytes",
             {"0/25.2.0.192.in-addr.arpa", DnsType::kTxt},
             "0/25.2.0.192.in-addr.arpa"},
        Name{"ULabels", {"bücher.example", DnsType::kMx}, "xn--bcher-kva.example"},
        Name{"BrokenUtf8", {"b\xff.example", DnsType::kMx}, std::nullopt},
        Name{"Empty", {"", DnsType::kTxt}, std::nullopt},
        Name{"ZeroByte", {"a\0b"s, DnsType::kTxt}, std::nullopt},
        Name{"Backslash", {"a\\046b", DnsType::kTxt}, std::nullopt},
        Name{"Ipv4", {"192.0.2.1", DnsType::kPtr}, "1.2.0.192.in-addr.arpa"},
        Name{"Ipv4Mapped", {"::ffff:192.0.2.1", DnsType::kPtr}, "1.2.0.192.in-addr.arpa"},
        Name{"Ipv6",
             {"2001:DB8::af", DnsType::kPtr},
             "f.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
        Name{"NoAddress", {"a.example", DnsType::kPtr}, std::nullopt},
        Name{"ReversedAlready", {"1.2.0.192.in-addr.arpa", DnsType::kPtr}, std::nullopt},
        Name{"EmptyAddress", {"", DnsType::kPtr}, std::nullopt}),
    [](const auto& test) { return test.param.name; });

TEST(NullMx, IsOneRecordWhoseHostIsTheRoot) {
  const auto is_null = [](const Strings& data) {
    const std::vector<std::string_view> views(data.begin(), data.end());
    return is_null_mx(views);
  };
  EXPECT_TRUE(is_null({"\0\0\0"s}));
  EXPECT_TRUE(is_null({"\0\12\0"s}));
  EXPECT_FALSE(is_null({}));
  EXPECT_FALSE(is_null({"\0\0"s}));
  EXPECT_FALSE(is_null({"\0\0\1a\0"s}));
  EXPECT_FALSE(is_null({"\0\0\0"s, "\0\12\1a\0"s}));
  EXPECT_FALSE(is_null({"\0\0\0\0"s}));
}

}  // namespace
}  // namespace rapporteur
