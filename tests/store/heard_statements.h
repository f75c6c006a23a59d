#pragma once
// A SQLite store in a folder of its own, and the statements that its methods run.

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/open.h"

namespace rapporteur::testing_support {

// Writes down every statement of the store's connection. One at a time in a process.
class HeardStore {
 public:
  HeardStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "heardXXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path = (folder_ / "store.db").string();
    auto* const entry = reinterpret_cast<void (*)()>(listen);
    sqlite3_auto_extension(entry);
    auto opened = open_store("sqlite:" + path, random_);
    sqlite3_cancel_auto_extension(entry);
    store = *std::move(opened);
  }
  ~HeardStore() {
    store.reset();
    std::filesystem::remove_all(folder_);
  }
  HeardStore(const HeardStore&) = delete;
  HeardStore& operator=(const HeardStore&) = delete;

  // What `use` runs, with its parameters.
  template <class Use>
  std::vector<std::string> statements(const Use& use) {
    std::vector<std::string> all;
    heard_ = &all;
    use();
    heard_ = nullptr;
    return all;
  }

  // The steps by which SQLite finds what the statements ask for.
  std::vector<std::string> plan(const std::vector<std::string>& statements) const {
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    std::vector<std::string> steps;
    for (const auto& sql : statements) {
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
    return steps;
  }

  std::string path;
  std::unique_ptr<Store> store;

 private:
  static int listen(sqlite3* database, char**, const sqlite3_api_routines*) {
    sqlite3_trace_v2(
        database, SQLITE_TRACE_STMT,
        [](unsigned, void*, void* statement, void*) {
          if (heard_ == nullptr) return 0;
          char* const sql = sqlite3_expanded_sql(static_cast<sqlite3_stmt*>(statement));
          heard_->emplace_back(sql);
          sqlite3_free(sql);
          return 0;
        },
        nullptr);
    return SQLITE_OK;
  }

  static inline std::vector<std::string>* heard_ = nullptr;
  std::filesystem::path folder_;
  SystemRandom random_;
};

}  // namespace rapporteur::testing_support
