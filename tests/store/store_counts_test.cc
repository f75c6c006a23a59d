// A window's counts as they are read for its report: in order, merged, and in bounded memory.

#include "store_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::string as_counted(const std::string& address) {
  return address;
}

std::vector<DetailCount> read(CountsSource& source, std::size_t index, std::uint64_t first = 0,
                              std::size_t most = 1'000'000) {
  std::vector<DetailCount> details;
  ok(source.details(index, first, [&](const DetailCount& detail) {
    if (details.size() == most) return false;
    details.push_back(detail);
    return true;
  }));
  return details;
}

DetailCount counted(const std::string& reason, std::uint64_t count, const std::string& from = "") {
  DetailCount made{detail(reason), count};
  made.detail.sending_mta_ip = from;
  return made;
}

TEST_P(StoreTest, AnOutlineAddsUpByResultType) {
  auto expired = counted("a", 4);
  expired.detail.result_type = ResultType::kValidationFailure;
  add({delta("example.com", 7, 9, {counted("x", 2), counted("y", 3), expired})});
  const auto outline = ok(store().outline(window("example.com").id));
  ASSERT_THAT(outline, SizeIs(1));
  EXPECT_EQ(outline[0].policy, sts("example.com"));
  EXPECT_EQ(outline[0].successful, 7U);
  EXPECT_EQ(outline[0].failed, 9U);
  std::map<ResultType, std::uint64_t> sums;
  for (const auto& [kind, count] : outline[0].details) {
    EXPECT_EQ(kind, FailureDetail{.result_type = kind.result_type}) << "nothing but the type";
    sums[kind.result_type] = count;
  }
  EXPECT_EQ(sums, (std::map<ResultType, std::uint64_t>{{detail("x").result_type, 5},
                                                       {ResultType::kValidationFailure, 4}}));
}

TEST_P(StoreTest, DossiersTellOfEachWindowWhatItsRunMustKnow) {
  std::vector<DetailCount> many;
  for (int i = 0; i < 5001; ++i) many.push_back(counted(std::to_string(i), 1));
  add({delta("a.example", 7, 5, {counted("x", 2), counted("y", 3)}),
       delta("many.example", 1, 5001, many), delta("b.example", 3, 0)});
  std::vector<DossierQuestion> questions;
  for (const auto* const domain : {"b.example", "many.example", "a.example"}) {
    questions.push_back({window(domain).id, domain, window(domain).period, {}});
  }
  questions.push_back({12345, "none.example", kFirstDay, {}});
  const auto dossiers = ok(store().dossiers(questions));
  ASSERT_THAT(dossiers, SizeIs(4));
  for (const std::size_t i : {0U, 2U}) {
    EXPECT_EQ(dossiers[i].counts, ok(store().counts(questions[i].window)));
  }
  for (const std::size_t i : {0U, 1U, 2U}) {
    EXPECT_EQ(dossiers[i].outline, ok(store().outline(questions[i].window)));
    EXPECT_EQ(dossiers[i].first_part, 1);
  }
  EXPECT_FALSE(dossiers[1].counts) << "too many to be held";
  EXPECT_THAT(dossiers[3].outline, IsEmpty());
}

TEST_P(StoreTest, CountsForAReportComeLargestFirst) {
  add({delta("example.com", 1, 6, {counted("b", 1), counted("c", 3), counted("a", 1)})});
  const auto source = ok(store().read_counts(window("example.com").id, as_counted));
  ASSERT_THAT(source->policies(), SizeIs(1));
  const auto& heading = source->policies()[0];
  EXPECT_EQ(heading.policy, sts("example.com"));
  EXPECT_EQ(heading.successful, 1U);
  EXPECT_EQ(heading.failed, 6U);
  EXPECT_EQ(heading.details, 3U);
  EXPECT_EQ(heading.covered, 5U);
  EXPECT_THAT(read(*source, 0), ElementsAre(counted("c", 3), counted("a", 1), counted("b", 1)));
  EXPECT_THAT(read(*source, 0, 1), ElementsAre(counted("a", 1), counted("b", 1)));
  EXPECT_THAT(read(*source, 0, 1, 1), ElementsAre(counted("a", 1)));
  EXPECT_THAT(read(*source, 0, 3), IsEmpty());
}

TEST_P(StoreTest, DetailsThatAreShownAlikeAreAddedUp) {
  add({delta("example.com", 0, 9,
             {counted("x", 2, "10.0.0.1"), counted("x", 3, "10.0.0.2"), counted("y", 4, "10.0.0.2"),
              counted("x", 1, "192.0.2.9")})});
  const auto shown = [](const std::string& address) {
    return address.starts_with("10.") ? std::string() : address;
  };
  const auto source = ok(store().read_counts(window("example.com").id, shown));
  EXPECT_EQ(source->policies()[0].details, 3U);
  EXPECT_EQ(source->policies()[0].covered, 10U);
  EXPECT_THAT(read(*source, 0),
              ElementsAre(counted("x", 5), counted("y", 4), counted("x", 1, "192.0.2.9")));
}

// Beyond 20,000 details they are sorted on disk; what is read must be the same.
TEST_P(StoreTest, ManyDetailsAreReadLikeFew) {
  constexpr std::size_t kMany = 20'500;
  std::vector<DetailCount> details;
  for (std::size_t i = 0; i < kMany; ++i) {
    details.push_back(counted(std::to_string(i / 2), i % 7 + 1, i % 2 == 0 ? "10.0.0.1" : ""));
  }
  auto large = delta("large.example", 5, 3, details);
  large.counts.push_back({sts("a.example"), 1, 2, {counted("z", 2)}});
  CountBatch batch;
  batch.windows = {large, delta("small.example", 1, 1, {counted("s", 1)})};
  batch.max_details = 100'000;
  batch.now = kDay;
  ok(store().add(batch));
  const auto shown = [](const std::string&) { return std::string(); };

  auto& reading = store();
  const auto source = ok(reading.read_counts(window("large.example").id, shown));
  ASSERT_THAT(source->policies(), SizeIs(2));
  EXPECT_EQ(source->policies()[0].policy, sts("a.example"));
  EXPECT_THAT(read(*source, 0), ElementsAre(counted("z", 2)));
  EXPECT_EQ(source->policies()[1].details, kMany / 2);
  const auto all = read(*source, 1);
  ASSERT_THAT(all, SizeIs(kMany / 2));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_GE(all[i == 0 ? 0 : i - 1].count, all[i].count);
    sum += all[i].count;
  }
  std::uint64_t want = 0;
  for (const auto& each : details) want += each.count;
  EXPECT_EQ(sum, want);
  EXPECT_EQ(source->policies()[1].covered, want);
  EXPECT_EQ(read(*source, 1, 10'000).front(), all[10'000]);

  const auto next = ok(reading.read_counts(window("large.example").id, shown));
  const auto stale = source->details(0, 0, [](const DetailCount&) { return true; });
  EXPECT_FALSE(stale) << "one source at a time";
  EXPECT_THAT(read(*next, 0), SizeIs(1));
}

TEST_P(StoreTest, PartsAreLoadedOneByOneWhileTheyAreWritten) {
  const auto id = due_window("example.com");
  Assembly assembly;
  assembly.window = id;
  assembly.now = kDue;
  std::size_t loaded = 0;
  for (int number : {1, 2}) {
    auto made = part(id, number, 2);
    made.gz.clear();
    made.mail_body.clear();
    assembly.parts.push_back(made);
    assembly.deliveries.push_back(delivery(id, number, "https://b.example/x"));
  }
  assembly.load = [&](std::size_t index, Part& made) -> Result<void> {
    if (++loaded == 2) return Error{Fault::kTransient, "disk full"};
    made.gz = "gz" + std::to_string(index);
    return {};
  };
  EXPECT_FALSE(store().conclude(assembly));
  EXPECT_EQ(window("example.com").state, WindowState::kDue) << "whole or not at all";
  loaded = 2;
  EXPECT_TRUE(ok(store().conclude(assembly)));
  EXPECT_EQ(ok(store().report(assembly.parts[1].report_id))->part.gz, "gz1");
}

}  // namespace
}  // namespace rapporteur::testing_support
