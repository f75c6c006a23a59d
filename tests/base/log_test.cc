#include "base/log.h"

#include <string>

#include <gtest/gtest.h>

namespace rapporteur {
namespace {

constexpr std::string_view kTime = "2026-11-20T00:00:00Z";

std::string text_value(const std::string& value) {
  const auto line = format_log_line(LogFormat::kText, kTime, LogLevel::kInfo, "e", {{"k", value}});
  return line.substr(std::string("2026-11-20T00:00:00Z info e k=").size());
}

TEST(TextLog, WritesTimeLevelEventAndFields) {
  EXPECT_EQ(format_log_line(LogFormat::kText, kTime, LogLevel::kWarning, "delivery-failed",
                            {{"domain", "example.org"}, {"attempts", "3"}}),
            "2026-11-20T00:00:00Z warning delivery-failed domain=example.org attempts=3");
}

TEST(TextLog, QuotesWhatWouldBreakTheLine) {
  EXPECT_EQ(text_value("plain"), "plain");
  EXPECT_EQ(text_value(""), "\"\"");
  EXPECT_EQ(text_value("two words"), "\"two words\"");
  EXPECT_EQ(text_value("a=b"), "\"a=b\"");
  EXPECT_EQ(text_value("say \"x\" \\"), R"("say \"x\" \\")");
  EXPECT_EQ(text_value("a\r\nb\tc"), R"("a\r\nb\tc")");
  EXPECT_EQ(text_value(std::string("a\0\x1B\x7F", 4)), R"("a\u0000\u001b\u007f")");
  EXPECT_EQ(text_value("\xFF"), "\"\uFFFD\"");
}

TEST(JsonLog, WritesOneObject) {
  EXPECT_EQ(format_log_line(LogFormat::kJson, kTime, LogLevel::kError, "e", {{"k", "a \"b\"\n"}}),
            R"({"time":"2026-11-20T00:00:00Z","level":"error","event":"e","k":"a \"b\"\n"})");
}

TEST(StderrLog, WritesWhatIsImportantEnough) {
  testing::internal::CaptureStderr();
  const auto log = make_stderr_log(LogLevel::kInfo, LogFormat::kText);
  log->debug("unimportant");
  log->info("started", {{"version", "1"}});
  make_silent_log()->error("unheard");
  const auto written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.substr(written.find(' ')), " info started version=1\n");
}

}  // namespace
}  // namespace rapporteur
