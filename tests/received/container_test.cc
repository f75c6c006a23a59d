#include "received/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zip.h>

#include <string>
#include <utility>
#include <vector>

#include "report/gzip.h"

namespace rapporteur {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kJson = R"({"report-id":"1"})";

struct ZipEntry {
  std::string name;
  std::string content;
  int method = ZIP_CM_DEFLATE;
};

std::string zip_of(const std::vector<ZipEntry>& entries) {
  zip_error_t error;
  auto* source = zip_source_buffer_create(nullptr, 0, 0, &error);
  auto* archive = zip_open_from_source(source, ZIP_TRUNCATE, &error);
  zip_source_keep(source);
  for (const auto& entry : entries) {
    auto* content = zip_source_buffer(archive, entry.content.data(), entry.content.size(), 0);
    const auto index = zip_file_add(archive, entry.name.c_str(), content, 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), entry.method, 0);
  }
  zip_close(archive);
  zip_source_open(source);
  zip_source_seek(source, 0, SEEK_END);
  std::string bytes(static_cast<std::size_t>(zip_source_tell(source)), '\0');
  zip_source_seek(source, 0, SEEK_SET);
  zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  zip_source_free(source);
  return bytes;
}

std::string json_of(const std::string& bytes) {
  const auto unpacked = unpack(bytes);
  return unpacked ? unpacked->json : "refused: " + unpacked.error().text;
}

std::string refusal(const std::string& bytes, const UnpackLimits& limits = {}) {
  const auto unpacked = unpack(bytes, limits);
  if (unpacked) return "it was unpacked";
  EXPECT_EQ(unpacked.error().fault, Fault::kInput);
  return unpacked.error().text;
}

TEST(Container, BareJsonStaysAsItIs) {
  EXPECT_EQ(json_of(kJson), kJson);
  EXPECT_EQ(json_of(std::string(" \r\n") + kJson), std::string(" \r\n") + kJson);
  EXPECT_EQ(json_of(std::string("\xEF\xBB\xBF") + kJson), std::string("\xEF\xBB\xBF") + kJson);
}

TEST(Container, GzipIsInflated) {
  EXPECT_EQ(json_of(gzip(kJson)), kJson);
  EXPECT_EQ(json_of(gzip(kJson) + std::string(4, '\0')), kJson);
}

TEST(Container, AZipArchiveGivesItsReport) {
  EXPECT_EQ(json_of(zip_of({{"report.json", kJson}})), kJson);
  EXPECT_EQ(json_of(zip_of({{"report.json", kJson, ZIP_CM_STORE}})), kJson);
  EXPECT_EQ(json_of(zip_of({{"report.json.gz", gzip(kJson)}})), kJson);
  EXPECT_EQ(json_of(zip_of({{"folder/", ""},
                            {"__MACOSX/._report.json", "rubbish"},
                            {"readme.txt", "hello"},
                            {"folder/Report.JSON", kJson}})),
            kJson);
  EXPECT_EQ(json_of(zip_of({{"report", kJson}})), kJson);
}

TEST(Container, WhatIsOddAboutAnArchiveIsTold) {
  const auto unpacked = unpack(zip_of({{"a.json", kJson}, {"b.json", "{}"}}));
  ASSERT_TRUE(unpacked);
  EXPECT_THAT(unpacked->oddities, Contains("it came as a zip archive"));
  EXPECT_THAT(unpacked->oddities, Contains(HasSubstr("1 more files")));
  EXPECT_THAT(unpack(kJson)->oddities, IsEmpty());
}

TEST(Container, RubbishIsRefusedWithTheReason) {
  EXPECT_EQ(refusal(""), "it is empty");
  EXPECT_THAT(refusal("hello"), HasSubstr("neither JSON nor gzip nor a zip archive"));
  EXPECT_THAT(refusal("\x1F\x8B rubbish"), HasSubstr("gzip"));
  EXPECT_THAT(refusal(gzip(kJson).substr(0, 20)), HasSubstr("cut off"));
  EXPECT_THAT(refusal(gzip("hello")).c_str(), HasSubstr("it was unpacked"));
  EXPECT_THAT(refusal("PK\x03\x04 rubbish"), HasSubstr("damaged zip archive"));
  auto cut = zip_of({{"a.json", kJson}});
  EXPECT_THAT(refusal(cut.substr(0, cut.size() - 10)), HasSubstr("damaged zip archive"));
  EXPECT_THAT(refusal(zip_of({{"folder/", ""}, {"a.json", kJson}}).substr(0, 40)),
              HasSubstr("damaged zip archive"));
}

TEST(Container, ABombIsRefusedBeforeItGrows) {
  const std::string zeroes(8 << 20, ' ');
  const auto bomb = gzip("{" + zeroes + "}");
  ASSERT_LT(bomb.size(), 40'000U);
  EXPECT_THAT(refusal(bomb), HasSubstr("holds more than"));
  EXPECT_THAT(refusal(zip_of({{"a.json", "{" + zeroes + "}"}})), HasSubstr("too much"));
  // Within what is free, its ratio does not matter.
  EXPECT_EQ(json_of(gzip("{" + std::string(100'000, ' ') + "}")).size(), 100'002U);
  EXPECT_THAT(refusal(gzip("{" + std::string(100'000, ' ') + "}"), {.json_bytes = 1000}),
              HasSubstr("holds more than 1000 bytes"));
}

// Each of the two wrappings is within the ratio, both together are not.
TEST(Container, TheRatioIsThatOfTheWhole) {
  const auto json = "{" + std::string(200'000, ' ') + "}";
  const auto twice = zip_of({{"a.json.gz", gzip(json)}});
  EXPECT_THAT(refusal(twice, {.ratio = 30, .free_bytes = 1000}), HasSubstr("holds more than"));
  EXPECT_THAT(refusal(json, {.json_bytes = 1000}), HasSubstr("its JSON is larger"));
}

// A lying header: the archive says 10 bytes and holds eight million.
TEST(Container, AnArchiveThatLiesAboutItsSizeIsRefused) {
  auto lying = zip_of({{"a.json", "{" + std::string(8 << 20, ' ') + "}"}});
  const std::string size("\x02\x00\x80\x00", 4);  // 8 MiB and 2, little endian
  for (auto at = lying.find(size); at != lying.npos; at = lying.find(size, at + 1)) {
    lying.replace(at, 4, std::string("\x0A\0\0\0", 4));
  }
  EXPECT_THAT(refusal(lying), testing::AnyOf(HasSubstr("damaged"), HasSubstr("too much")));
}

TEST(Container, AnArchiveOfManyFilesIsRefused) {
  std::vector<ZipEntry> entries;
  for (int i = 0; i < 20; ++i) entries.push_back({"f" + std::to_string(i), "x"});
  EXPECT_THAT(refusal(zip_of(entries), {.files = 10}), HasSubstr("more than 10 files"));
}

TEST(Container, APackedReportThatIsTooLargeIsNotOpened) {
  EXPECT_THAT(refusal(gzip(kJson), {.packed_bytes = 10}), HasSubstr("larger than 10 bytes"));
}

TEST(Container, IsToldByItsFirstBytes) {
  EXPECT_TRUE(is_container(kJson));
  EXPECT_TRUE(is_container("[1]"));
  EXPECT_TRUE(is_container(gzip("x")));
  EXPECT_TRUE(is_container("PK\x03\x04"));
  EXPECT_FALSE(is_container(""));
  EXPECT_FALSE(is_container("From: a@b.example"));
}

}  // namespace
}  // namespace rapporteur
