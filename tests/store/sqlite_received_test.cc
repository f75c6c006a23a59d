// How SQLite finds received reports: by indexes, whatever is stored.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/open.h"
#include "store/received_suite.h"

namespace rapporteur::testing_support {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string>* heard = nullptr;

// Writes down every statement of the connections that are opened from now on.
int listen(sqlite3* database, char**, const sqlite3_api_routines*) {
  sqlite3_trace_v2(
      database, SQLITE_TRACE_STMT,
      [](unsigned, void*, void* statement, void*) {
        if (heard == nullptr) return 0;
        char* const sql = sqlite3_expanded_sql(static_cast<sqlite3_stmt*>(statement));
        heard->emplace_back(sql);
        sqlite3_free(sql);
        return 0;
      },
      nullptr);
  return SQLITE_OK;
}

class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planXXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / "store.db").string();
    auto* const entry = reinterpret_cast<void (*)()>(listen);
    sqlite3_auto_extension(entry);
    auto opened = open_store("sqlite:" + path_, random_);
    sqlite3_cancel_auto_extension(entry);
    store = *std::move(opened);
    std::vector<ReceivedAddition> many;
    for (int i = 0; i < 50; ++i) {
      many.push_back(report("b.example", std::to_string(i), {kExpired}));
    }
    ok(store->add_received(many));
  }
  ~PlanTest() override {
    store.reset();
    std::filesystem::remove_all(folder_);
  }

  // The steps by which SQLite finds what the statements of `use` that select reports ask for.
  template <class Use>
  std::vector<std::string> plan(const Use& use) {
    std::vector<std::string> statements;
    heard = &statements;
    use();
    heard = nullptr;
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    std::vector<std::string> steps;
    for (const auto& sql : statements) {
      if (!sql.starts_with("SELECT") && !sql.starts_with("DELETE")) continue;
      sqlite3_stmt* statement = nullptr;
      EXPECT_EQ(sqlite3_prepare_v2(database, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &statement,
                                   nullptr),
                SQLITE_OK)
          << sql;
      while (sqlite3_step(statement) == SQLITE_ROW) {
        steps.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(statement, 3)));
      }
      sqlite3_finalize(statement);
    }
    sqlite3_close(database);
    EXPECT_THAT(steps, Not(IsEmpty()));
    return steps;
  }

  std::vector<std::string> plan_of_list(const ReceivedFilter& filter) {
    return plan([&] { ok(store->received(filter)); });
  }

  std::unique_ptr<Store> store;

 private:
  std::filesystem::path folder_;
  std::string path_;
  SystemRandom random_;
};

const auto kNoSorting = Each(Not(HasSubstr("TEMP B-TREE")));

// The table's own order is that of arrival: its newest page is read from its end.
TEST_F(PlanTest, TheNewestPageIsReadWithoutSorting) {
  EXPECT_THAT(plan_of_list({.limit = 20}), testing::ElementsAre("SCAN r"));
  EXPECT_THAT(plan_of_list({.limit = 20, .before = 40}),
              testing::ElementsAre("SEARCH r USING INTEGER PRIMARY KEY (rowid<?)"));
}

TEST_F(PlanTest, FilteredListsSearchAnIndex) {
  EXPECT_THAT(plan_of_list({.organization = "b.example"}),
              AllOf(kNoSorting, Each(HasSubstr("received_by_organization"))));
  EXPECT_THAT(plan_of_list({.failed_only = true}),
              AllOf(kNoSorting, Each(HasSubstr("received_failed"))));
  EXPECT_THAT(plan_of_list({.domain = "a.example"}),
              testing::Contains(HasSubstr("received_policies_by_domain (domain=?)")));
  EXPECT_THAT(plan_of_list({.id = "0123456789abcdef"}), Each(Not(HasSubstr("SCAN"))));
  EXPECT_THAT(plan_of_list({.report_id = "1"}), Each(Not(HasSubstr("SCAN"))));
}

TEST_F(PlanTest, SummariesReadOneIndexAndNothingElse) {
  EXPECT_THAT(
      plan([&] { ok(store->received_policies("", kDay, kDay + 24h, [](const PolicyRow&) {})); }),
      testing::ElementsAre("SEARCH received_policies USING COVERING INDEX "
                           "received_policies_by_start (starts>? AND starts<?)"));
  EXPECT_THAT(
      plan([&] {
        ok(store->received_policies("a.example", kDay, kDay + 24h, [](const PolicyRow&) {}));
      }),
      Each(HasSubstr("COVERING INDEX received_policies_by_start")));
  EXPECT_THAT(
      plan([&] { ok(store->received_failures("", kDay, kDay + 24h, [](const FailureRow&) {})); }),
      testing::ElementsAre("SEARCH received_failures USING COVERING INDEX "
                           "received_failures_by_start (starts>? AND starts<?)"));
}

TEST_F(PlanTest, KeepingAReportLooksNothingUpByScanning) {
  const auto addition = report("b.example", "another", {kExpired, kNoTls});
  EXPECT_THAT(plan([&] { ok(store->add_received(std::span(&addition, 1))); }),
              Each(Not(HasSubstr("SCAN"))));
}

TEST_F(PlanTest, WhatIsRemovedIsFoundByAnIndex) {
  EXPECT_THAT(plan([&] { ok(store->prune_received(kDay, 10)); }),
              Each(Not(HasSubstr("SCAN received"))));
}

}  // namespace
}  // namespace rapporteur::testing_support
