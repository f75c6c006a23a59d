// What comes of a domain's record for each kind of answer that the DNS can give, asked of a server.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dns/tlsrpt_record.h"
#include "resolver_fixture.h"

namespace rapporteur {
namespace {

using testing::StartsWith;
using testing_support::mx_record;
using testing_support::txt_record;
using Status = DnsAnswer::Status;
using Strings = std::vector<std::string>;

const std::string kName = tlsrpt_name("a.example");
const std::string kRecord = "v=TLSRPTv1; rua=mailto:r@a.example";
const Strings kRua = {"mailto:r@a.example"};

struct Lookup {
  const char* name;
  std::map<std::string, Reply> replies;
  Status want;
  RecordStatus want_record;
  Strings want_rua;
};

void PrintTo(const Lookup& test, std::ostream* out) {
  *out << test.name;
}

class RecordLookup : public testing::TestWithParam<Lookup> {};

TEST_P(RecordLookup, HasItsOneOutcome) {
  const DnsResponder server(GetParam().replies);
  const auto answer = ask(*resolver_for(server, 200, Seconds(2)), kName);
  EXPECT_EQ(answer.status, GetParam().want) << answer.problem;
  EXPECT_EQ(answer.problem.empty(), answer.status != Status::kTemporary);
  const auto record = read_tlsrpt_answers(answer.records);
  EXPECT_EQ(record.status, GetParam().want_record);
  EXPECT_EQ(record.rua, GetParam().want_rua);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8460Section3, RecordLookup,
    testing::Values(
        Lookup{"One",
               {{kName, with({txt_record({kRecord})})}},
               Status::kFound,
               RecordStatus::kOk,
               kRua},
        Lookup{"OneOfSeveralStrings",
               {{kName, with({txt_record({"v=TLSRPTv1; rua=mai", "", "lto:r@a.example"})})}},
               Status::kFound,
               RecordStatus::kOk,
               kRua},
        Lookup{"OneBesideForeign",
               {{kName, with({txt_record({"v=spf1 -all"}), txt_record({kRecord})})}},
               Status::kFound,
               RecordStatus::kOk,
               kRua},
        Lookup{"OneBehindAnAlias",
               {{kName, alias("reports.b.example")},
                {"reports.b.example", with({txt_record({kRecord})})}},
               Status::kFound,
               RecordStatus::kOk,
               kRua},
        Lookup{"OneBehindThreeAliases",
               {{kName, alias("1.b.example")},
                {"1.b.example", alias("2.b.example")},
                {"2.b.example", alias("3.b.example")},
                {"3.b.example", with({txt_record({kRecord})})}},
               Status::kFound,
               RecordStatus::kOk,
               kRua},
        Lookup{"ForeignOnly",
               {{kName, with({txt_record({"v=spf1 -all"})})}},
               Status::kFound,
               RecordStatus::kNone,
               {}},
        Lookup{"Two",
               {{kName, with({txt_record({kRecord}), txt_record({"v=TLSRPTv1;rua=mailto:b@x"})})}},
               Status::kFound,
               RecordStatus::kSeveral,
               {}},
        // A server that sends one record twice has two, as far as anybody can tell.
        Lookup{"TwoThatDifferInTheirStringsOnly",
               {{kName, with({txt_record({kRecord}), txt_record({kRecord, ""})})}},
               Status::kFound,
               RecordStatus::kSeveral,
               {}},
        Lookup{"OneBroken",
               {{kName, with({txt_record({"v=TLSRPTv1;"})})}},
               Status::kFound,
               RecordStatus::kInvalid,
               {}},
        Lookup{"NoSuchName", {}, Status::kNone, RecordStatus::kNone, {}},
        Lookup{"NoData", {{kName, with({})}}, Status::kNone, RecordStatus::kNone, {}},
        Lookup{"OtherTypesOnly",
               {{kName, with({mx_record(10, "mx.a.example")})}},
               Status::kNone,
               RecordStatus::kNone,
               {}},
        Lookup{"AliasToNoSuchName",
               {{kName, alias("b.example")}},
               Status::kNone,
               RecordStatus::kNone,
               {}},
        Lookup{"AliasToNoData",
               {{kName, alias("b.example")}, {"b.example", with({})}},
               Status::kNone,
               RecordStatus::kNone,
               {}},
        Lookup{"ServerFailure", {{kName, failing(2)}}, Status::kTemporary, RecordStatus::kNone, {}},
        Lookup{"Refused", {{kName, failing(5)}}, Status::kTemporary, RecordStatus::kNone, {}},
        Lookup{"Silence", {{kName, silence()}}, Status::kTemporary, RecordStatus::kNone, {}},
        Lookup{"AliasToAServerFailure",
               {{kName, alias("b.example")}, {"b.example", failing(2)}},
               Status::kTemporary,
               RecordStatus::kNone,
               {}},
        Lookup{"AliasesInACircle",
               {{kName, alias("b.example")}, {"b.example", alias(kName)}},
               Status::kTemporary,
               RecordStatus::kNone,
               {}}),
    [](const auto& test) { return test.param.name; });

// A trust anchor for "example" makes unsigned answers from there bogus.
class Anchor {
 public:
  Anchor() {
    std::string name = (std::filesystem::temp_directory_path() / "anchor.XXXXXX").string();
    const int file = mkstemp(name.data());
    if (file < 0) std::abort();
    close(file);
    path_ = name;
    std::ofstream(path_) << "example. 3600 IN DS 12345 8 2 " << std::string(64, 'A') << "\n";
  }
  ~Anchor() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  Anchor(const Anchor&) = delete;
  Anchor& operator=(const Anchor&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(RecordLookupWithDnssec, AnswersWithoutTheirSignaturesAreTemporary) {
  const DnsResponder server({{kName, with({txt_record({kRecord})})},
                             {tlsrpt_name("a.test"), with({txt_record({kRecord})})}});
  const Anchor anchor;
  const auto made = make_resolver({.servers = {server.address()},
                                   .timeout = Seconds(10),
                                   .concurrency = 1,
                                   .trust_anchor = anchor.path()});
  ASSERT_TRUE(made) << made.error().text;
  for (const auto& domain : {"a.example", "absent.example"}) {
    const auto answer = ask(**made, tlsrpt_name(domain));
    EXPECT_EQ(answer.status, Status::kTemporary) << domain;
    EXPECT_THAT(answer.problem, StartsWith("DNSSEC validation failed")) << domain;
    EXPECT_FALSE(answer.timed_out) << domain;
    EXPECT_TRUE(answer.records.empty()) << domain;
  }
  // What no trust anchor covers is as good as it was, and not secure.
  const auto other = ask(**made, tlsrpt_name("a.test"));
  EXPECT_EQ(other.status, Status::kFound) << other.problem;
  EXPECT_FALSE(other.secure);
}

}  // namespace
}  // namespace rapporteur
