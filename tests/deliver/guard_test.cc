#include "deliver/guard.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rapporteur {
namespace {

using testing::Contains;
using testing::IsEmpty;

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

// First and last address of each range that is refused, and their neighbours outside it, if they
// are in no other one.
struct Range {
  const char* name;
  std::vector<std::string> refused;
  std::vector<std::string> allowed;
};
void PrintTo(const Range& range, std::ostream* out) {
  *out << range.name;
}
class GuardedRange : public testing::TestWithParam<Range> {};

TEST_P(GuardedRange, IsRefusedFromItsFirstToItsLastAddress) {
  for (const auto& address : GetParam().refused) {
    const auto shown = format_ip(*parse_ip(address));
    EXPECT_EQ(judge(address), shown + " is not globally reachable") << address;
  }
  for (const auto& address : GetParam().allowed) EXPECT_EQ(judge(address), std::nullopt) << address;
}

INSTANTIATE_TEST_SUITE_P(
    Ipv4, GuardedRange,
    testing::Values(
        Range{"ThisNetwork", {"0.0.0.0", "0.255.255.255"}, {"1.0.0.0"}},
        Range{"Private10", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0"}},
        Range{"Shared", {"100.64.0.0", "100.127.255.255"}, {"100.63.255.255", "100.128.0.0"}},
        Range{"Loopback", {"127.0.0.0", "127.255.255.255"}, {"126.255.255.255", "128.0.0.0"}},
        Range{"LinkLocal", {"169.254.0.0", "169.254.255.255"}, {"169.253.255.255", "169.255.0.0"}},
        Range{"Private172", {"172.16.0.0", "172.31.255.255"}, {"172.15.255.255", "172.32.0.0"}},
        Range{"Ietf", {"192.0.0.0", "192.0.0.255"}, {"191.255.255.255", "192.0.1.0"}},
        Range{"Test1", {"192.0.2.0", "192.0.2.255"}, {"192.0.1.255", "192.0.3.0"}},
        Range{"Private192", {"192.168.0.0", "192.168.255.255"}, {"192.167.255.255", "192.169.0.0"}},
        Range{"Benchmark", {"198.18.0.0", "198.19.255.255"}, {"198.17.255.255", "198.20.0.0"}},
        Range{"Test2", {"198.51.100.0", "198.51.100.255"}, {"198.51.99.255", "198.51.101.0"}},
        Range{"Test3", {"203.0.113.0", "203.0.113.255"}, {"203.0.112.255", "203.0.114.0"}},
        Range{"MulticastAndReserved",
              {"224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255"},
              {"223.255.255.255"}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Ipv6, GuardedRange,
    testing::Values(Range{"Unspecified", {"::", "::1"}, {}},
                    Range{"Nat64Local", {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"}, {}},
                    Range{"Discard", {"100::", "100::ffff:ffff:ffff:ffff"}, {}},
                    Range{"Documentation",
                          {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
                          {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"}},
                    Range{"UniqueLocal",
                          {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                          {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
                    Range{"LinkLocal",
                          {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                          {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
                    Range{"SiteLocal", {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, {}},
                    Range{"Multicast", {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, {}},
                    Range{"Global", {}, {"2606:4700::1111", "2a00:1450::1"}}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    EmbeddedIpv4, GuardedRange,
    testing::Values(
        Range{"Mapped", {"::ffff:10.0.0.1", "::ffff:169.254.169.254"}, {"::ffff:9.9.9.9"}},
        Range{"Compatible", {"::10.0.0.1", "::127.0.0.1"}, {}},
        Range{"SixToFour", {"2002:a00:1::", "2002:7f00:1::1"}, {"2002:909:909::1"}},
        Range{"Nat64", {"64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1"}, {"64:ff9b::9.9.9.9"}},
        // Server 9.9.9.9 and client 10.0.0.1, the other way round, and both public.
        Range{"Teredo",
              {"2001:0:909:909::f5ff:fffe", "2001:0:a00:1::f6f6:f6f6"},
              {"2001:0:909:909::f6f6:f6f6"}}),
    [](const auto& test) { return test.param.name; });

TEST(Guard, RefusesThisHostsOwnAddressHoweverItIsWritten) {
  const std::vector<std::string> own = {"9.9.9.9", "2606:4700::1111"};
  for (const std::string address :
       {"9.9.9.9", "::ffff:9.9.9.9", "64:ff9b::9.9.9.9", "2002:909:909::1", "2606:4700::1111"}) {
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
