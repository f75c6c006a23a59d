#include "dkim/canonical.h"

#include <gmock/gmock.h>

namespace rapporteur {
namespace {

using testing::ElementsAre;

// The example of RFC 6376, section 3.4.5.
TEST(RelaxedCanonicalForm, IsThatOfRfc6376) {
  const auto fields = header_fields("A: X\r\nB : Y\t\r\n\tZ  \r\n");
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(relaxed_field(fields[0]), "a:X");
  EXPECT_EQ(relaxed_field(fields[1]), "b:Y Z");
  EXPECT_EQ(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
}

struct BodyCase {
  const char* name;
  const char* input;
  const char* want;
};
class RelaxedBody : public testing::TestWithParam<BodyCase> {};

TEST_P(RelaxedBody, IgnoresSpaceAtTheEnds) {
  EXPECT_EQ(relaxed_body(GetParam().input), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc6376Section344, RelaxedBody,
    testing::Values(BodyCase{"Empty", "", ""}, BodyCase{"EmptyLinesOnly", "\r\n \r\n", ""},
                    BodyCase{"NoLineEnd", "a", "a\r\n"},
                    BodyCase{"EmptyLinesBetween", "a\r\n\r\n\t\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"}),
    [](const auto& test) { return test.param.name; });

TEST(HeaderFields, KeepsFoldedFieldsWhole) {
  EXPECT_THAT(header_fields("A: 1\r\n 2\r\n\t3\r\nB: 4\r\n"),
              ElementsAre("A: 1\r\n 2\r\n\t3", "B: 4"));
  EXPECT_THAT(header_fields("A: 1"), ElementsAre("A: 1"));
  EXPECT_THAT(header_fields(""), ElementsAre());
}

}  // namespace
}  // namespace rapporteur
