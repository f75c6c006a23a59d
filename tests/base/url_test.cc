#include "base/url.h"

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

TEST(Url, NothingOfAPasswordIsLeftInAUrl) {
  const auto hidden = [](const char* url) { return without_password(url); };
  EXPECT_EQ(hidden("postgresql://me:secret@db/x?password=secret&sslmode=require"),
            "postgresql://me:***@db/x?password=***&sslmode=require");
  for (const auto* const url :
       {"postgresql://me:sec@ret@db/x", "postgresql://me:sec/ret@db/x",
        "postgresql://me:sec?ret@db/x", "postgresql://me:secret@/x?host=/run"}) {
    EXPECT_EQ(hidden(url).find("sec"), std::string::npos) << hidden(url);
    EXPECT_EQ(hidden(url).find("ret"), std::string::npos) << hidden(url);
  }
  for (const auto* const url :
       {"sqlite:/a:b@c", "postgresql://me@db:5432/x?user=me@x", "postgresql://db:5432/x"}) {
    EXPECT_EQ(hidden(url), url);
  }
}

}  // namespace
}  // namespace rapporteur
