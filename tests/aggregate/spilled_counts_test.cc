#include "aggregate/spilled_counts.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "aggregate/packed_session.h"

namespace rapporteur {
namespace {

constexpr Time kNow{std::chrono::sys_days{std::chrono::year{2026} / 3 / 2}};

std::unique_ptr<Tally> tally_of(int sessions, const std::string& id) {
  auto made = std::make_unique<Tally>("http", std::make_shared<SessionTable>());
  for (int i = 0; i < sessions; ++i) {
    Session session;
    session.recipient_domain = "d" + std::to_string(i % 3) + ".example";
    if (i % 2 == 0) session.time = kNow - Seconds{i};
    if (!id.empty()) session.id = id + std::to_string(i);
    session.outcomes = {{{PolicyType::kNoPolicyFound, session.recipient_domain, {}, {}}, true, {}}};
    made->count(session, kNow, {});
    made->note_accepted();
  }
  made->note("rejected.not-json", 3);
  return made;
}

using Row = std::tuple<std::string, Time, Time, std::uint64_t, std::string, bool, bool>;

std::vector<Row> rows_of(const Tally& tally) {
  std::vector<Row> rows;
  tally.for_each([&](const Tally::Entry& entry) {
    rows.emplace_back(entry.packed, entry.first, entry.last, entry.count, entry.id, entry.arrived,
                      entry.summed);
  });
  std::ranges::sort(rows);
  return rows;
}

class SpilledCountsTest : public testing::Test {
 protected:
  SpilledCountsTest() { first->set_key("a request's key"); }

  std::string written() const {
    const Tally* const both[] = {first.get(), second.get()};
    return write_spilled_counts({"node/abc", 7}, both);
  }

  std::unique_ptr<Tally> first = tally_of(9, "id-");
  std::unique_ptr<Tally> second = tally_of(5, "");
};

TEST_F(SpilledCountsTest, AreReadAsTheyWere) {
  const auto read = read_spilled_counts(written());
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->flush.source, "node/abc");
  EXPECT_EQ(read->flush.number, 7);
  ASSERT_THAT(read->tallies, testing::SizeIs(2));
  EXPECT_EQ(rows_of(*read->tallies[0]), rows_of(*first));
  EXPECT_EQ(rows_of(*read->tallies[1]), rows_of(*second));
  EXPECT_EQ(read->tallies[0]->key(), "a request's key");
  EXPECT_EQ(read->tallies[0]->source(), "http");
  EXPECT_EQ(read->tallies[1]->counters(), second->counters());
}

TEST_F(SpilledCountsTest, AreRefusedWhereverAByteIsAnotherOne) {
  const auto bytes = written();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const auto read = read_spilled_counts(damaged);
    ASSERT_FALSE(read) << at;
    EXPECT_EQ(read.error().fault, Fault::kCorrupt);
  }
}

TEST_F(SpilledCountsTest, AreRefusedIfTheyAreCutOffOrLonger) {
  const auto bytes = written();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(read_spilled_counts(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(read_spilled_counts(bytes + "x"));
}

}  // namespace
}  // namespace rapporteur
