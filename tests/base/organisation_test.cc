#include "base/organisation.h"

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

struct Name {
  const char* domain;
  const char* want;
};
class OrganisationalDomain : public testing::TestWithParam<Name> {};

TEST_P(OrganisationalDomain, IsAPublicSuffixAndOneLabel) {
  EXPECT_EQ(organisational_domain(GetParam().domain), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc7489Section32, OrganisationalDomain,
    testing::Values(Name{"a.b.foo.com", "foo.com"}, Name{"foo.com", "foo.com"}, Name{"com", "com"},
                    Name{"a.foo.co.uk", "foo.co.uk"}, Name{"co.uk", "co.uk"},
                    Name{"a.foo.github.io", "foo.github.io"}, Name{"github.io", "github.io"},
                    Name{"a.foo.xn--55qx5d.cn", "foo.xn--55qx5d.cn"},
                    Name{"b.a.example", "a.example"}, Name{"example", "example"}, Name{"", ""}));

}  // namespace
}  // namespace rapporteur
