// key_exists(), key_get(), is_local_domain() and dns_query().

#include "expr/support.h"

namespace expr {
namespace {

using testing_support::environment;
using testing_support::schema;
using testing_support::shown;
using testing_support::TableDns;

// The diagnostic, or what evaluating gives.
std::string result(std::string_view source, const Schema& known = schema()) {
  const Compilation compilation = compile(source, known);
  if (!compilation.program) return testing::PrintToString(compilation.diagnostics.at(0));
  TableDns dns;
  MapEnvironment values = environment();
  values.set_dns(&dns);
  return shown(evaluate(*compilation.program, values));
}

struct Row {
  const char* name;
  const char* input;
  const char* want;
};
class Lookups : public testing::TestWithParam<Row> {};

TEST_P(Lookups, GiveWhatTheReferenceSays) {
  EXPECT_EQ(result(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Lists, Lookups,
    testing::Values(
        Row{"AKeyOfAList", "key_exists('partners', strip_prefix(rcpt_domain, 'mail.'))", "1"},
        Row{"NoKeyOfAList", "key_exists('partners', rcpt_domain)", "0"},
        Row{"KeysAreExact", "key_exists('partners', 'Example.com')", "0"},
        Row{"AKnownKeyIsFolded", "key_exists('partners', 'example.com')", "1"},
        Row{"AListHasEmptyValues", "key_get('partners', 'example.com')", "''"},
        Row{"AMapHasValues", "key_get('contacts', strip_prefix(rcpt_domain, 'mail.'))",
            "'tls@example.com'"},
        Row{"WhatIsMissingIsEmpty", "key_get('contacts', rcpt_domain)", "''"},
        Row{"ANumberIsAKeyByItsText", "key_exists('partners', failed_sessions)", "0"},
        Row{"AMisspeltNameIsAnError", "key_exists('partner', rcpt_domain)",
            "11+9: there is no lookup 'partner' (did you mean partners?)"},
        Row{"ANameMayBeComputed", "key_exists('part' + 'ners', 'example.net')", "1"},
        Row{"ANameMayDependOnTheDomain",
            "key_exists(substring(rcpt_domain, 0, 0) + 'partners', 'example.net')", "1"},
        Row{"ANameThatIsUnknownThenFails", "key_get(rcpt_domain, 'x')",
            "error 0: there is no lookup 'mail.example.com'"},
        Row{"AnArrayIsNoKey", "key_exists('partners', policy_types)",
            "23+12: argument 2 of key_exists is a string, not an array ()"},
        Row{"ALocalDomain", "is_local_domain(system('domain'))", "1"},
        Row{"AForeignDomain", "is_local_domain(rcpt_domain)", "0"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Dns, Lookups,
    testing::Values(
        Row{"MxByPreference", "dns_query('example.com', 'mx')",
            "['mx1.example.com', 'mx2.example.com']"},
        Row{"TxtIsALineForEachRecord", "lines(dns_query('example.com', 'txt'))[1]", "'other=text'"},
        Row{"BothKindsOfAddresses", "dns_query('example.com', 'ip')",
            "['192.0.2.1', '2001:db8::1']"},
        Row{"Ipv4", "dns_query('example.com', 'ipv4')", "['192.0.2.1']"},
        Row{"Ipv6", "dns_query('example.com', 'ipv6')", "['2001:db8::1']"},
        Row{"NamesOfAnAddress", "dns_query('192.0.2.1', 'ptr')", "['mail.example.com']"},
        Row{"NothingIsAnEmptyArray", "dns_query('example.org', 'mx')", "[]"},
        Row{"NoTextIsEmpty", "dns_query('example.org', 'txt')", "''"},
        Row{"NoAnswerIsAFailure", "1 + count(dns_query('example.net', 'mx'))",
            "error 10: asking the DNS for the mx of 'example.net' gave no answer: SERVFAIL"},
        Row{"AnUnknownTypeIsAnError", "dns_query(rcpt_domain, 'mxx')",
            "23+5: argument 2 of dns_query is 'txt', 'mx', 'ip', 'ipv4', 'ipv6' or 'ptr', not "
            "'mxx' (did you mean mx?)"},
        Row{"ATypeMayDependOnTheDomain", "dns_query('example.com', if_then(flag, 'ipv4', 'ipv6'))",
            "['192.0.2.1']"},
        Row{"AnUnknownTypeThenFails", "dns_query(rcpt_domain, rcpt_domain)",
            "error 0: dns_query has no type 'mail.example.com'"}),
    [](const auto& test) { return test.param.name; });

TEST(DnsQueries, AreNotMadeWhenNobodyNeedsThem) {
  TableDns dns;
  MapEnvironment values = environment();
  values.set_dns(&dns);
  const auto program =
      testing_support::compiled("failed_sessions > 100 && dns_query(rcpt_domain, 'mx')");
  EXPECT_EQ(shown(evaluate(program, values)), "0");
  EXPECT_EQ(dns.asked, 0);
  EXPECT_TRUE(program.asks_dns());
  EXPECT_FALSE(testing_support::compiled("rcpt_domain").asks_dns());
}

TEST(DnsQueries, FailWhereThereIsNoDns) {
  EXPECT_EQ(testing_support::evaluated("dns_query(rcpt_domain, 'mx')"),
            "error 0: the DNS is not asked here");
}

TEST(DnsQueries, MayBeForbidden) {
  Schema forbidding = schema();
  forbidding.unavailable["dns_query"] = "is not allowed here";
  EXPECT_EQ(result("dns_query(rcpt_domain, 'mx')", forbidding),
            "0+9: 'dns_query' is not allowed here ()");
}

TEST(Lookups, AreNotThereWithoutAConfiguration) {
  EXPECT_EQ(result("key_exists('a', 'b')", Schema{}), "11+3: there is no lookup 'a' ()");
  EXPECT_EQ(result("is_local_domain('example.org')", Schema{}), "0");
}

// Folding does not change what an expression means.
TEST(Lookups, RefuseAValueThatIsTooLargeWhetherItsKeyIsKnownOrNot) {
  ::expr::Lookups large;
  large.by_name["map"] = {{"key", std::string(70'000, 'a')}};
  Schema known = schema();
  known.lookups = std::make_shared<const ::expr::Lookups>(std::move(large));
  EXPECT_EQ(result("len(key_get('map', 'key'))", known),
            "error 4: the result is larger than 64 KiB");
  EXPECT_EQ(result("len(key_get('map', if_then(flag, 'key', '')))", known),
            "error 4: the result is larger than 64 KiB");
}

TEST(Lookups, LiveAsLongAsTheProgramsThatAskThem) {
  Schema known = schema();
  const auto program = *compile("key_get('contacts', rcpt_domain + '')", known).program;
  known.lookups.reset();
  MapEnvironment values;
  values.set("rcpt_domain", Value("example.com"));
  EXPECT_EQ(shown(evaluate(program, values)), "'tls@example.com'");
}

}  // namespace
}  // namespace expr
