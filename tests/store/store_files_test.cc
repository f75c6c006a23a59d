// What the store knows of files that are taken batch by batch.

#include <string>

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

TEST_P(StoreTest, TheProgressOfAFileIsStoredWithItsCounts) {
  const std::string name(64, 'a');
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.file = FileProgress{name, "/var/log/x", 1000, false, 7};
  batch.now = kDay;
  ok(store().add(batch));
  auto progress = ok(store().file(name));
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->sha256, name);
  EXPECT_EQ(progress->name, "/var/log/x");
  EXPECT_EQ(progress->offset, 1000U);
  EXPECT_FALSE(progress->finished);
  EXPECT_EQ(progress->accepted, 7U);
  batch.windows.clear();
  batch.file->begin = 1000;
  batch.file->finished = true;
  ok(store().add(batch));
  EXPECT_TRUE(ok(store().file(name))->finished);
  ok(store().forget_file(name));
  EXPECT_FALSE(ok(store().file(name)));
  ok(store().forget_file(name));
}

TEST_P(StoreTest, TheSamePieceOfAFileIsNotCountedTwice) {
  CountBatch batch;
  batch.windows = {delta("example.com")};
  batch.file = FileProgress{"ab", "x.log", 1000, false, 7};
  ok(store().add(batch));
  const auto again = store().add(batch);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().fault, Fault::kTransient);
  EXPECT_THAT(again.error().text,
              testing::HasSubstr("another process takes the same file: 'x.log' has come to byte "
                                 "1000"));
  EXPECT_EQ(window("example.com").successful, 1U);
  batch.file->begin = 999;  // by whoever read other pieces
  batch.file->offset = 1500;
  EXPECT_FALSE(store().add(batch));
  batch.file->begin = 1000;
  batch.file->offset = 1001;
  EXPECT_TRUE(store().add(batch));
  EXPECT_EQ(window("example.com").successful, 2U);
}

}  // namespace
}  // namespace rapporteur::testing_support
