#include "daemon/http_json.h"

#include <gmock/gmock.h>

#include <string>

namespace rapporteur {
namespace {

TEST(HttpJson, EscapesTexts) {
  EXPECT_EQ(json_text("a\"b\\c/\n\x01\x7F\xC3\xA9\xFF"),
            "\"a\\\"b\\\\c/\\u000a\\u0001\\u007f\xC3\xA9\xEF\xBF\xBD\"");
}

TEST(HttpJson, WritesCounts) {
  UploadCounts counts{.accepted = 2, .rejected = 1, .ignored = 3};
  counts.by_reason = {{"not-json", 1}, {"duplicate", 3}};
  counts.samples = {{7, "not-json"}};
  EXPECT_EQ(counts_json(counts), R"({"status":"counted","accepted":2,"rejected":1,"ignored":3,)"
                                 R"("by-reason":{"duplicate":3,"not-json":1},)"
                                 R"("errors":[{"line":7,"reason":"not-json"}]})");
  EXPECT_EQ(counts_json({.repeated = true}),
            R"({"status":"duplicate","accepted":0,"rejected":0,"ignored":0,"by-reason":{}})");
}

TEST(HttpJson, WritesElasticsearchsErrors) {
  EXPECT_EQ(elasticsearch_error_json(400, "parse_exception", "request body is required"),
            R"({"error":{"root_cause":[{"type":"parse_exception",)"
            R"("reason":"request body is required"}],"type":"parse_exception",)"
            R"("reason":"request body is required"},"status":400})");
  EXPECT_EQ(elasticsearch_challenge_json("no", {"Basic x=\"y\""}),
            R"({"error":{"root_cause":[{"type":"security_exception","reason":"no",)"
            R"("header":{"WWW-Authenticate":["Basic x=\"y\""]}}],)"
            R"("type":"security_exception","reason":"no",)"
            R"("header":{"WWW-Authenticate":["Basic x=\"y\""]}},"status":401})");
}

TEST(HttpJson, WritesElasticsearchsResults) {
  EXPECT_EQ(created_json("i\"x", "id", 5, 0),
            R"({"_index":"i\"x","_id":"id","_version":1,"result":"created",)"
            R"("_shards":{"total":1,"successful":1,"failed":0},"_seq_no":5,"_primary_term":1})");
  EXPECT_THAT(created_json("i", "id", 5, 201), testing::EndsWith(R"(,"status":201})"));
  EXPECT_EQ(failed_item_json("i", "1", 400, "t", "r"),
            R"({"_index":"i","_id":"1","status":400,"error":{"type":"t","reason":"r"}})");
}

struct Action {
  const char* name;
  std::string line;
  const char* want;  // empty: it is none
};
class ActionLine : public testing::TestWithParam<Action> {};

TEST_P(ActionLine, IsRead) {
  const auto action = parse_bulk_action(GetParam().line);
  const auto read =
      action ? std::string(to_string(action->operation)) + " " + action->index + " " + action->id
             : "";
  EXPECT_EQ(read, GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    BulkAction, ActionLine,
    testing::Values(
        Action{"Index", R"({"index":{"_index":"a","_id":"1"}})", "index a 1"},
        Action{"Create", R"( {"create" : {} } )", "create  "},
        Action{"Update", R"({"update":{"_id":7,"retry_on_conflict":3}})", "update  7"},
        Action{"Delete", R"({"delete":{"_id":"x","_index":"b"}})", "delete b x"},
        Action{"MoreInIt", R"({"index":{"x":{"_index":"no","y":[1,{}]},"_index":"a","z":null}})",
               "index a "},
        Action{"TwoKeys", R"({"index":{},"create":{}})", ""},
        Action{"OtherKey", R"({"delete_all":{}})", ""}, Action{"NoObject", R"({"index":1})", ""},
        Action{"Null", R"({"index":null})", ""}, Action{"InAnArray", R"({"index":[{}]})", ""},
        Action{"Array", "[]", ""}, Action{"Scalar", "5", ""}, Action{"Empty", "{}", ""},
        Action{"NoJson", "{\"index\":{}", ""}, Action{"SomethingBehind", "{\"index\":{}} {}", ""},
        Action{"TooDeep",
               R"({"index":{"x":)" + std::string(100, '[') + std::string(100, ']') + "}}", ""},
        Action{"TooLong", R"({"index":{"x":")" + std::string(20'000, 'x') + "\"}}", ""}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace rapporteur
