#include "base/ip.h"

#include <string>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

struct Written {
  const char* input;
  const char* want;  // nullptr: refused
};
class IpText : public testing::TestWithParam<Written> {};

TEST_P(IpText, IsReadAndWrittenCanonically) {
  const auto address = parse_ip(GetParam().input);
  ASSERT_EQ(address.has_value(), GetParam().want != nullptr) << GetParam().input;
  if (!address) return;
  EXPECT_EQ(format_ip(*address), GetParam().want);
  EXPECT_EQ(parse_ip(GetParam().want), address);
}

INSTANTIATE_TEST_SUITE_P(
    Ipv4, IpText,
    testing::Values(
        Written{"192.0.2.1", "192.0.2.1"}, Written{"0.0.0.0", "0.0.0.0"},
        Written{"255.255.255.255", "255.255.255.255"}, Written{"256.0.0.1", nullptr},
        Written{"1.2.3", nullptr}, Written{"1.2.3.4.5", nullptr}, Written{"1.2.3.", nullptr},
        Written{".1.2.3", nullptr}, Written{"1..2.3", nullptr}, Written{"01.2.3.4", nullptr},
        Written{"1.2.3.00", nullptr}, Written{"0x1.2.3.4", nullptr}, Written{"+1.2.3.4", nullptr},
        Written{"-1.2.3.4", nullptr}, Written{" 1.2.3.4", nullptr}, Written{"1.2.3.4 ", nullptr},
        Written{"1.2.3.4%eth0", nullptr}, Written{"16909060", nullptr}, Written{"", nullptr},
        Written{"a.b.c.d", nullptr}, Written{"1.2.3.9999999999", nullptr}));

INSTANTIATE_TEST_SUITE_P(
    Rfc5952, IpText,
    testing::Values(
        Written{"2001:0DB8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"},
        Written{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
        Written{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        Written{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"}, Written{"::", "::"}, Written{"::1", "::1"},
        Written{"1::", "1::"}, Written{"0:0:0:0:0:0:1:0", "::1:0"},
        Written{"1:0:0:0:0:0:0:0", "1::"}, Written{"::192.0.2.1", "::c000:201"},
        Written{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"}, Written{"fe80::1%eth0", "fe80::1"},
        Written{"fe80::1%25", "fe80::1"}, Written{"::ffff:192.0.2.1", "192.0.2.1"},
        Written{"::FFFF:c000:201", "192.0.2.1"}, Written{"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
        Written{"::ffff:192.0.2.1%lo", "192.0.2.1"},
        Written{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        Written{"[2001:db8::1]", nullptr}, Written{"1:2:3:4:5:6:7", nullptr},
        Written{"1:2:3:4:5:6:7:8:9", nullptr}, Written{"1::2::3", nullptr},
        Written{"12345::", nullptr}, Written{":::", nullptr}, Written{"g::", nullptr},
        Written{"::1/128", nullptr}, Written{"::256.0.0.1", nullptr}, Written{":1.2.3.4", nullptr},
        Written{":", nullptr}));

TEST(IpText, RefusesZeroBytesAndLongTexts) {
  EXPECT_FALSE(parse_ip(std::string_view("::1\0", 4)));
  EXPECT_FALSE(parse_ip(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(parse_ip(":" + std::string(100000, '0')));
}

TEST(IpText, WritesAMappedAddressAsIpv4) {
  IpAddress mapped;
  mapped.v6 = true;
  mapped.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 1};
  EXPECT_EQ(format_ip(mapped), "192.0.2.1");
}

struct Membership {
  const char* network;
  const char* inside;
  const char* outside;
};
class Network : public testing::TestWithParam<Membership> {};

TEST_P(Network, ContainsItsAddressesOnly) {
  const auto network = parse_ip_network(GetParam().network);
  ASSERT_TRUE(network);
  EXPECT_TRUE(contains(*network, *parse_ip(GetParam().inside)));
  EXPECT_FALSE(contains(*network, *parse_ip(GetParam().outside)));
}

INSTANTIATE_TEST_SUITE_P(
    Prefixes, Network,
    testing::Values(Membership{"10.1.0.0/16", "10.1.255.255", "10.2.0.0"},
                    Membership{"10.1.99.99/16", "10.1.0.0", "10.0.255.255"},
                    Membership{"192.0.2.7", "192.0.2.7", "192.0.2.8"},
                    Membership{"192.0.2.4/31", "192.0.2.5", "192.0.2.6"},
                    Membership{"128.0.0.0/1", "255.0.0.0", "127.255.255.255"},
                    Membership{"0.0.0.0/0", "203.0.113.1", "2001:db8::1"},
                    Membership{"::/0", "2001:db8::1", "203.0.113.1"},
                    Membership{"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
                    Membership{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
                    Membership{"::ffff:10.0.0.0/104", "10.255.255.255", "11.0.0.0"},
                    Membership{"10.0.0.0/8", "::ffff:10.0.0.1", "::10.0.0.1"}));

TEST(Network, RefusesWhatIsNone) {
  for (const auto* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",
                           "10.0.0.0/8/8", "10.0.0/8", "::/129", "fe80::%eth0/10",
                           "::ffff:10.0.0.0/95", "10.0.0.0/8 ", "example.com"}) {
    EXPECT_FALSE(parse_ip_network(text)) << text;
  }
}

// First and last address of every range, and their neighbours outside.
struct Range {
  const char* name;
  const char* first;
  const char* last;
  const char* before;  // nullptr: there is none, or it belongs to another range
  const char* after;
};
class UnreachableRange : public testing::TestWithParam<Range> {};

TEST_P(UnreachableRange, EndsWhereTheRegistrySays) {
  const auto reachable = [](const char* text) { return is_globally_reachable(*parse_ip(text)); };
  EXPECT_FALSE(reachable(GetParam().first));
  EXPECT_FALSE(reachable(GetParam().last));
  if (GetParam().before != nullptr) {
    EXPECT_TRUE(reachable(GetParam().before));
  }
  if (GetParam().after != nullptr) {
    EXPECT_TRUE(reachable(GetParam().after));
  }
}

constexpr auto kName = [](const auto& test) { return std::string(test.param.name); };

INSTANTIATE_TEST_SUITE_P(
    IanaIpv4, UnreachableRange,
    testing::Values(
        Range{"ThisNetwork", "0.0.0.0", "0.255.255.255", nullptr, "1.0.0.0"},
        Range{"PrivateTen", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        Range{"Shared", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
        Range{"Loopback", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
        Range{"LinkLocal", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
        Range{"Private172", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
        Range{"Protocol", "192.0.0.0", "192.0.0.8", "191.255.255.255", "192.0.0.9"},
        Range{"ProtocolRest", "192.0.0.11", "192.0.0.255", "192.0.0.10", "192.0.1.0"},
        Range{"Documentation1", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
        Range{"SixToFourRelay", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
        Range{"Private192", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
        Range{"Benchmarking", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
        Range{"Documentation2", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
        Range{"Documentation3", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
        Range{"MulticastAndReserved", "224.0.0.0", "255.255.255.255", "223.255.255.255", nullptr},
        Range{"Reserved", "240.0.0.0", "255.255.255.254", nullptr, nullptr}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    IanaIpv6, UnreachableRange,
    testing::Values(
        Range{"UnspecifiedAndLoopback", "::", "::1", nullptr, "::100:0"},
        Range{"LocalNat64", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
              "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
        Range{"Discard", "100::", "100::ffff:ffff:ffff:ffff", "ff:ffff::", nullptr},
        Range{"Dummy", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", nullptr, "100:0:0:2::"},
        Range{"ProtocolBehindTeredo", "2001:1::", "2001:1::", nullptr, "2001:1::1"},
        Range{"ProtocolAnycastRest", "2001:1::4", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:1::3", "2001:3::"},
        Range{"ProtocolBehindAmt", "2001:4::", "2001:4:111:ffff:ffff:ffff:ffff:ffff",
              "2001:3:ffff:ffff:ffff:ffff:ffff:ffff", "2001:4:112::"},
        Range{"OldOrchid", "2001:4:113::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:4:112:ffff:ffff:ffff:ffff:ffff", "2001:20::"},
        Range{"ProtocolRest", "2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
        Range{"Documentation", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
              "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
        Range{"Documentation2", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
              "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
        Range{"SegmentRouting", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
              "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
        Range{"UniqueLocal", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
              "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
        Range{"LinkAndSiteLocalAndMulticast", "fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
              "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr},
        Range{"SiteLocal", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, nullptr},
        Range{"Multicast", "ff00::", "ff0e::1", nullptr, nullptr}),
    kName);

struct Reach {
  const char* name;
  const char* address;
  bool want;
};
class Address : public testing::TestWithParam<Reach> {};

TEST_P(Address, IsReachableOrNot) {
  EXPECT_EQ(is_globally_reachable(*parse_ip(GetParam().address)), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(Ordinary, Address,
                         testing::Values(Reach{"Ipv4", "8.8.8.8", true},
                                         Reach{"Ipv6", "2606:4700:4700::1111", true},
                                         Reach{"As112", "192.31.196.1", true},
                                         Reach{"Amt", "192.52.193.1", true},
                                         Reach{"DirectAs112", "192.175.48.1", true},
                                         Reach{"DirectAs112V6", "2620:4f:8000::1", true}),
                         kName);

INSTANTIATE_TEST_SUITE_P(
    Embedded, Address,
    testing::Values(Reach{"MappedPublic", "::ffff:8.8.8.8", true},
                    Reach{"MappedLoopback", "::ffff:127.0.0.1", false},
                    Reach{"MappedHex", "::ffff:a00:1", false},
                    Reach{"CompatiblePublic", "::8.8.8.8", true},
                    Reach{"CompatiblePrivate", "::192.168.0.1", false},
                    Reach{"TranslatedPublic", "::ffff:0:8.8.8.8", true},
                    Reach{"TranslatedPrivate", "::ffff:0:10.0.0.1", false},
                    Reach{"SixToFourPublic", "2002:808:808::1", true},
                    Reach{"SixToFourPrivate", "2002:c0a8:1::1", false},
                    Reach{"SixToFourLoopback", "2002:7f00:1::", false},
                    Reach{"Nat64Public", "64:ff9b::8.8.8.8", true},
                    Reach{"Nat64Private", "64:ff9b::10.0.0.1", false},
                    Reach{"Nat64Metadata", "64:ff9b::169.254.169.254", false},
                    Reach{"LocalNat64Public", "64:ff9b:1::8.8.8.8", false},
                    Reach{"LocalNat64Private", "64:ff9b:1::10.0.0.1", false},
                    // Server 65.54.227.120 or 10.0.0.1, client 192.0.2.45 or 8.8.8.8 inverted.
                    Reach{"TeredoPublic", "2001:0:4136:e378:8000:63bf:f7f7:f7f7", true},
                    Reach{"TeredoPrivateServer", "2001:0:a00:1:8000:63bf:f7f7:f7f7", false},
                    Reach{"TeredoPrivateClient", "2001:0:4136:e378:8000:63bf:f5ff:fffe", false}),
    kName);

TEST(Address, IsJudgedAsIpv4WhenASocketTellsItMapped) {
  IpAddress mapped;
  mapped.v6 = true;
  mapped.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
  EXPECT_FALSE(is_globally_reachable(mapped));
  mapped.bytes[12] = 8;
  EXPECT_TRUE(is_globally_reachable(mapped));
}

}  // namespace
}  // namespace rapporteur
