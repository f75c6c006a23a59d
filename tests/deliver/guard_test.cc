#include "deliver/guard.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::Contains;

std::optional<std::string> judge(const std::string& address,
                                 const std::vector<std::string>& allow = {},
                                 const std::vector<std::string>& own = {},
                                 const std::string& host = "reports.example") {
  const auto exceptions = parse_guard_exceptions(allow);
  EXPECT_TRUE(exceptions);
  std::vector<IpAddress> own_parsed;
  for (const auto& text : own) own_parsed.push_back(*parse_ip(text));
  return judge_address(*exceptions, host, *parse_ip(address), own_parsed);
}

// First and last address of each range that is refused, and their neighbours outside it; a
// neighbour is nullptr if there is none or it lies in another such range. The rows of the IANA
// special-purpose registries that are not globally reachable (RFC 6890 and its updates), nested
// ones included, multicast, 240.0.0.0/4 and site-local addresses.
struct Range {
  const char* name;
  const char* first;
  const char* last;
  const char* before;
  const char* after;
};
void PrintTo(const Range& range, std::ostream* out) {
  *out << range.name;
}

constexpr Range kIpv4Ranges[] = {
    {"ThisNetwork", "0.0.0.0", "0.255.255.255", nullptr, "1.0.0.0"},
    {"ThisHost", "0.0.0.0", "0.0.0.0", nullptr, nullptr},
    {"Private10", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    {"Shared", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
    {"Loopback", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    {"LinkLocal", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
    {"Metadata", "169.254.169.254", "169.254.169.254", nullptr, nullptr},
    {"Private172", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    {"ProtocolBelowAnycast", "192.0.0.0", "192.0.0.8", "191.255.255.255", "192.0.0.9"},
    {"ServiceContinuity", "192.0.0.0", "192.0.0.7", "191.255.255.255", nullptr},
    {"Dummy", "192.0.0.8", "192.0.0.8", nullptr, "192.0.0.9"},
    {"ProtocolAboveAnycast", "192.0.0.11", "192.0.0.255", "192.0.0.10", "192.0.1.0"},
    {"Nat64Discovery", "192.0.0.170", "192.0.0.171", nullptr, nullptr},
    {"Documentation1", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    {"SixToFourRelay", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    {"Private192", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    {"Benchmarking", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    {"Documentation2", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
    {"Documentation3", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
    {"Multicast", "224.0.0.0", "239.255.255.255", "223.255.255.255", nullptr},
    {"Reserved", "240.0.0.0", "255.255.255.255", nullptr, nullptr},
    {"Broadcast", "255.255.255.255", "255.255.255.255", nullptr, nullptr},
};

// The neighbours of some are Teredo or IPv4-compatible addresses with a forbidden address in them.
constexpr Range kIpv6Ranges[] = {
    {"Unspecified", "::", "::", nullptr, nullptr},
    {"Loopback", "::1", "::1", nullptr, nullptr},
    {"LocalNat64", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
     "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
    {"Discard", "100::", "100::ffff:ffff:ffff:ffff", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     nullptr},
    {"Dummy", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", nullptr, "100:0:0:2::"},
    {"ProtocolBehindTeredo", "2001:1::", "2001:1::", nullptr, "2001:1::1"},
    {"ProtocolBehindAnycast", "2001:1::4", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::3",
     "2001:3::"},
    {"Benchmarking", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"ProtocolBehindAmt", "2001:4::", "2001:4:111:ffff:ffff:ffff:ffff:ffff",
     "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", "2001:4:112::"},
    {"ProtocolBehindAs112", "2001:4:113::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:4:112:ffff:ffff:ffff:ffff:ffff", "2001:20::"},
    {"OldOrchid", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, "2001:20::"},
    {"ProtocolBehindDrones", "2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    {"Documentation1", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"Documentation2", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    {"SegmentRouting", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
    {"UniqueLocal", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
    {"LinkLocal", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr},
    {"SiteLocal", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"Multicast", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
};

// What stands in a registry and is globally reachable all the same, from its first to its last.
constexpr Range kReachableRanges[] = {
    {"PortControlAnycast", "192.0.0.9", "192.0.0.9", nullptr, nullptr},
    {"TurnAnycast", "192.0.0.10", "192.0.0.10", nullptr, nullptr},
    {"As112", "192.31.196.0", "192.31.196.255", nullptr, nullptr},
    {"Amt", "192.52.193.0", "192.52.193.255", nullptr, nullptr},
    {"DirectAs112", "192.175.48.0", "192.175.48.255", nullptr, nullptr},
    {"PortControlAnycastV6", "2001:1::1", "2001:1::1", nullptr, nullptr},
    {"TurnAnycastV6", "2001:1::2", "2001:1::2", nullptr, nullptr},
    {"ServiceRegistrationAnycast", "2001:1::3", "2001:1::3", nullptr, nullptr},
    {"AmtV6", "2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"As112V6", "2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"Orchid2", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"Drones", "2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"DirectAs112V6", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
    {"Ordinary", "8.8.8.8", "9.9.9.9", nullptr, nullptr},
    {"OrdinaryV6", "2606:4700::1111", "2a00:1450::1", nullptr, nullptr},
};

void expect_refused(const IpAddress& address) {
  const auto text = format_ip(address);
  EXPECT_EQ(judge(text), text + " is not globally reachable");
}
void expect_allowed(const IpAddress& address) {
  EXPECT_EQ(judge(format_ip(address)), std::nullopt) << format_ip(address);
}

class RefusedRange : public testing::TestWithParam<Range> {};

TEST_P(RefusedRange, EndsWhereTheRegistrySays) {
  expect_refused(*parse_ip(GetParam().first));
  expect_refused(*parse_ip(GetParam().last));
  if (GetParam().before != nullptr) expect_allowed(*parse_ip(GetParam().before));
  if (GetParam().after != nullptr) expect_allowed(*parse_ip(GetParam().after));
}

constexpr auto kName = [](const auto& test) { return std::string(test.param.name); };

INSTANTIATE_TEST_SUITE_P(Ipv4, RefusedRange, testing::ValuesIn(kIpv4Ranges), kName);
INSTANTIATE_TEST_SUITE_P(Ipv6, RefusedRange, testing::ValuesIn(kIpv6Ranges), kName);

class ReachableRange : public testing::TestWithParam<Range> {};

TEST_P(ReachableRange, IsAllowedFromItsFirstToItsLastAddress) {
  expect_allowed(*parse_ip(GetParam().first));
  expect_allowed(*parse_ip(GetParam().last));
}

INSTANTIATE_TEST_SUITE_P(Registered, ReachableRange, testing::ValuesIn(kReachableRanges), kName);

// The text of an IPv6 address that leads to an IPv4 address.
struct Embedding {
  const char* name;
  std::string (*text)(const IpAddress& inner);
  bool reachable;  // if the IPv4 address is
};
void PrintTo(const Embedding& embedding, std::ostream* out) {
  *out << embedding.name;
}

// "a00:1" of 10.0.0.1, or of 245.255.255.254 with every bit inverted.
std::string groups(const IpAddress& inner, std::uint8_t inverted = 0) {
  std::array<char, 10> text{};
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(inner.bytes[i] ^ inverted); };
  std::snprintf(text.data(), text.size(), "%x:%x", at(0) << 8 | at(1), at(2) << 8 | at(3));
  return text.data();
}

constexpr Embedding kEmbeddings[] = {
    {"Mapped", [](const IpAddress& inner) { return "::ffff:" + format_ip(inner); }, true},
    {"MappedInHex", [](const IpAddress& inner) { return "0:0:0:0:0:ffff:" + groups(inner); }, true},
    {"Compatible", [](const IpAddress& inner) { return "::" + format_ip(inner); }, true},
    {"Translated", [](const IpAddress& inner) { return "::ffff:0:" + format_ip(inner); }, true},
    {"SixToFour", [](const IpAddress& inner) { return "2002:" + groups(inner) + "::1"; }, true},
    {"Nat64", [](const IpAddress& inner) { return "64:ff9b::" + format_ip(inner); }, true},
    {"LocalNat64", [](const IpAddress& inner) { return "64:ff9b:1::" + format_ip(inner); }, false},
    {"LocalNat64OfAnotherPlace",
     [](const IpAddress& inner) { return "64:ff9b:1:" + groups(inner) + "::"; }, false},
    // The other address in it is 9.9.9.9.
    {"TeredoServer",
     [](const IpAddress& inner) { return "2001:0:" + groups(inner) + ":8000:63bf:f6f6:f6f6"; },
     true},
    {"TeredoClient",
     [](const IpAddress& inner) { return "2001:0:909:909:8000:63bf:" + groups(inner, 0xFF); },
     true},
};

class EmbeddedIpv4 : public testing::TestWithParam<Embedding> {};

TEST_P(EmbeddedIpv4, IsJudgedAsTheAddressThatItLeadsTo) {
  const auto embedded = [](const char* inner) {
    const auto address = parse_ip(GetParam().text(*parse_ip(inner)));
    EXPECT_TRUE(address) << inner;
    return address.value_or(IpAddress());
  };
  for (const auto& range : kIpv4Ranges) {
    expect_refused(embedded(range.first));
    expect_refused(embedded(range.last));
    for (const auto* neighbour : {range.before, range.after}) {
      if (neighbour == nullptr) continue;
      if (GetParam().reachable) {
        expect_allowed(embedded(neighbour));
      } else {
        expect_refused(embedded(neighbour));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, EmbeddedIpv4, testing::ValuesIn(kEmbeddings), kName);

TEST(Guard, RefusesThisHostsOwnAddressHoweverItIsWritten) {
  const std::vector<std::string> own = {"9.9.9.9", "2606:4700::1111"};
  for (const std::string address :
       {"9.9.9.9", "::ffff:9.9.9.9", "::9.9.9.9", "::ffff:0:9.9.9.9", "64:ff9b::9.9.9.9",
        "2002:909:909::1", "2001:0:909:909::f7f7:f7f7", "2001:0:808:808::f6f6:f6f6",
        "2606:4700::1111"}) {
    EXPECT_EQ(judge(address, {}, own),
              format_ip(*parse_ip(address)) + " is an address of this host");
  }
  EXPECT_EQ(judge("9.9.9.10", {}, own), std::nullopt);
}

TEST(Guard, AllowsWhatTheAdministratorExcepts) {
  EXPECT_EQ(judge("10.1.2.3", {"10.1.0.0/16"}), std::nullopt);
  EXPECT_NE(judge("10.2.0.0", {"10.1.0.0/16"}), std::nullopt);
  EXPECT_EQ(judge("fd00::1", {"fd00::1"}), std::nullopt);
  EXPECT_NE(judge("fd00::2", {"fd00::1"}), std::nullopt);
  EXPECT_EQ(judge("9.9.9.9", {"9.9.9.0/24"}, {"9.9.9.9"}), std::nullopt);
  EXPECT_EQ(judge("10.0.0.1", {"Reports.LAN"}, {}, "reports.lan"), std::nullopt);
  EXPECT_NE(judge("10.0.0.1", {"reports.lan"}, {}, "x.reports.lan"), std::nullopt);
  EXPECT_NE(judge("64:ff9b::10.1.2.3", {"10.1.0.0/16"}), std::nullopt);
}

TEST(Guard, SaysWhichExceptionItCannotRead) {
  for (const std::string entry : {"", "10.0.0.0/33", "10.0.0.256", "a b", "reports..lan"}) {
    const auto parsed = parse_guard_exceptions(std::vector{entry});
    ASSERT_FALSE(parsed) << entry;
    EXPECT_EQ(parsed.error().fault, Fault::kConfig);
    EXPECT_EQ(parsed.error().text,
              "'" + entry + "' is neither a host name nor an address nor a network");
  }
}

TEST(Guard, AllowsTheHttpsPortAndUnprivilegedOnes) {
  for (const int port : {443, 1024, 8443, 65535}) EXPECT_EQ(judge_port(port), std::nullopt) << port;
  for (const int port : {-1, 0, 1, 25, 80, 442, 444, 1023, 65536}) {
    EXPECT_EQ(judge_port(port),
              "port " + std::to_string(port) + " is neither 443 nor in 1024 to 65535");
  }
}

TEST(Guard, RefusesPrivateNamesWhereAProxyLooksThemUp) {
  const auto exceptions = *parse_guard_exceptions(std::vector<std::string>{"reports.lan"});
  for (const std::string name : {"localhost", "x.localhost", "printer", "nas.local", "a.internal",
                                 "a.home.arpa", "x.invalid", "nas.local."}) {
    EXPECT_EQ(judge_name(exceptions, name), name + " is not a name of the public DNS");
  }
  for (const std::string name : {"reports.example.com", "reports.lan", "local.example"}) {
    EXPECT_EQ(judge_name(exceptions, name), std::nullopt) << name;
  }
}

TEST(Guard, KnowsThisHostsLoopbackAddress) {
  EXPECT_THAT(own_addresses(), Contains(*parse_ip("127.0.0.1")));
}

}  // namespace
}  // namespace rapporteur
