#include "ingest/line_reader.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "ingest/decoder.h"

namespace rapporteur {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Seen {
  std::string text;
  std::uint64_t end = 0;
  bool too_long = false;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> read_all(LineReader& reader) {
  std::vector<Seen> all;
  for (;;) {
    const auto line = reader.next();
    if (!line) {
      ADD_FAILURE() << line.error().text;
      return all;
    }
    if (!*line) return all;
    all.push_back({std::string((*line)->text), (*line)->end, (*line)->too_long});
  }
}

class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() {
    std::string name = testing::TempDir() + "line_reader.XXXXXX";
    close(mkstemp(name.data()));
    path = name;
  }
  ~LineReaderTest() override { unlink(path.c_str()); }

  LineReader open_with(const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    auto reader = LineReader::open(path);
    EXPECT_TRUE(reader);
    return *std::move(reader);
  }

  std::string path;
};

TEST_F(LineReaderTest, HandsOutLinesWithTheOffsetBehindThem) {
  auto reader = open_with("one\ntwo\r\n\n  \t\nlast");
  EXPECT_THAT(read_all(reader), ElementsAre(Seen{"one", 4}, Seen{"two\r", 9}, Seen{"last", 18}));
  EXPECT_EQ(reader.offset(), 18U);
}

TEST_F(LineReaderTest, SkipsBlankLinesButCountsThem) {
  auto reader = open_with("\n\none\n\n\n");
  EXPECT_THAT(read_all(reader), ElementsAre(Seen{"one", 6}));
  EXPECT_EQ(reader.offset(), 8U);
}

TEST_F(LineReaderTest, FindsNothingInAnEmptyFile) {
  auto reader = open_with("");
  EXPECT_THAT(read_all(reader), IsEmpty());
  EXPECT_THAT(read_all(reader), IsEmpty());
}

TEST_F(LineReaderTest, AcceptsTheLongestLineAndSkipsALongerOne) {
  const std::string longest(kMaxLineBytes, 'x');
  auto reader = open_with(longest + "\n" + longest + "y\nafter\n");
  EXPECT_THAT(read_all(reader),
              ElementsAre(Seen{longest, kMaxLineBytes + 1}, Seen{"", 2 * kMaxLineBytes + 3, true},
                          Seen{"after", 2 * kMaxLineBytes + 9}));
}

TEST_F(LineReaderTest, SkipsALineOfManyBlocks) {
  const std::string huge(5 * kMaxLineBytes, 'x');
  auto reader = open_with("a\n" + huge + "\nb\n");
  EXPECT_THAT(read_all(reader), ElementsAre(Seen{"a", 2}, Seen{"", 5 * kMaxLineBytes + 3, true},
                                            Seen{"b", 5 * kMaxLineBytes + 5}));
}

TEST_F(LineReaderTest, SkipsALongLastLineWithoutLineEnd) {
  const std::string huge(3 * kMaxLineBytes, 'x');
  auto reader = open_with(huge);
  EXPECT_THAT(read_all(reader), ElementsAre(Seen{"", 3 * kMaxLineBytes, true}));
}

TEST_F(LineReaderTest, KeepsLinesWholeAcrossBlocks) {
  std::string content;
  std::vector<Seen> want;
  for (int i = 0; i < 20000; ++i) {
    const auto line =
        "line " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), '.');
    content += line + "\n";
    want.push_back({line, content.size(), false});
  }
  auto reader = open_with(content);
  EXPECT_EQ(read_all(reader), want);
}

TEST_F(LineReaderTest, GoesOnAtTheEndOfAnyLine) {
  const std::string content = "one\n\ntwo\nthree";
  auto whole = open_with(content);
  const auto lines = read_all(whole);
  ASSERT_THAT(lines, SizeIs(3));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto reader = open_with(content);
    ASSERT_TRUE(reader.seek(lines[i].end));
    EXPECT_EQ(read_all(reader),
              std::vector<Seen>(lines.begin() + static_cast<std::ptrdiff_t>(i) + 1, lines.end()));
  }
  auto reader = open_with(content);
  const auto beyond = reader.seek(15);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().text, "the file ends before byte 15");
}

TEST_F(LineReaderTest, ReadsAPipeAndSkipsToAnOffsetInIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string content = std::string(700000, 'x') + "\none\ntwo\n";
  std::thread writer([&] {
    std::string_view rest = content;
    while (!rest.empty()) {
      const auto written = write(ends[1], rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    close(ends[1]);
  });
  LineReader reader{Fd(ends[0])};
  ASSERT_TRUE(reader.seek(700001));
  EXPECT_THAT(read_all(reader), ElementsAre(Seen{"one", 700005}, Seen{"two", 700009}));
  writer.join();
}

TEST_F(LineReaderTest, RefusesAnOffsetBehindTheEndOfAPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "one\n", 4), 4);
  close(ends[1]);
  LineReader reader{Fd(ends[0])};
  const auto sought = reader.seek(5);
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().text, "the input ends before byte 5");
}

TEST_F(LineReaderTest, SaysWhichFileItCannotOpen) {
  const auto reader = LineReader::open(path + ".missing");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().fault, Fault::kPermanent);
  EXPECT_EQ(reader.error().text, "cannot open " + path + ".missing: No such file or directory");
  auto directory = LineReader::open(testing::TempDir());
  ASSERT_TRUE(directory);
  EXPECT_FALSE(directory->next());
}

}  // namespace
}  // namespace rapporteur
