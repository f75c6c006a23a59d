#pragma once
// The PostgreSQL server of the tests, and a schema of its own for each of them.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "store/pg.h"

namespace rapporteur::testing_support {

// The URL of a database on a server that runs: of the environment, or of the server that ctest has
// started.
inline std::optional<std::string> postgres_url() {
  if (const char* const url = std::getenv("RAPPORTEUR_TEST_POSTGRES")) return url;
  const auto file = read_file(BUILD_ROOT "/postgres/url");
  if (!file) return std::nullopt;
  return std::string(trim(*file));
}

// The folder of its socket.
inline std::string server_folder() {
  const auto url = postgres_url().value();
  const auto begin = url.find("host=") + 5;
  return url.substr(begin, url.find('&', begin) - begin);
}

// Ends the program where there is none, so that no test is thought to have passed or to have been
// left out.
class PostgresIsThere final : public testing::Environment {
 public:
  void SetUp() override {
    if (postgres_url()) return;
    std::cerr << "These tests need a PostgreSQL server. ctest starts one; by hand:\n"
                 "  export RAPPORTEUR_TEST_POSTGRES=$(scripts/lib/postgres.sh start /tmp/pg)\n"
                 "and in the end: scripts/lib/postgres.sh stop /tmp/pg\n";
    std::exit(EXIT_FAILURE);
  }
};

// A connection past the store. Ends the program if there is none.
inline std::unique_ptr<PgDatabase> connection_to(
    const std::string& url, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
  SystemRandom random;
  auto opened = PgDatabase::open(url, random_token(random, 20), patience);
  if (!opened) {
    ADD_FAILURE() << opened.error().text;
    std::abort();
  }
  return *std::move(opened);
}

// Removed with the object.
class PgSchema {
 public:
  PgSchema() {
    SystemRandom random;
    name_ = "t" + random_token(random, 12);
    run("CREATE SCHEMA " + name_);
  }
  ~PgSchema() { run("DROP SCHEMA " + name_ + " CASCADE"); }
  PgSchema(const PgSchema&) = delete;
  PgSchema& operator=(const PgSchema&) = delete;

  // Of the schema in the database; `host` is the folder of another socket to it. `options` are
  // further ones of the server, such as "-c%20jit%3Doff".
  std::string url(const std::string& host = "", const std::string& options = "") const {
    auto url = postgres_url().value();
    if (!host.empty()) {
      const auto begin = url.find("host=") + 5;
      url.replace(begin, url.find('&', begin) - begin, host);
    }
    return url + "&options=-c%20search_path%3D" + name_ + (options.empty() ? "" : "%20" + options);
  }

 private:
  static void run(const std::string& sql) {
    const auto database = connection_to(postgres_url().value());
    const auto done = database->set_up([&] { database->run_script(sql); });
    if (!done) ADD_FAILURE() << done.error().text;
  }

  std::string name_;
};

}  // namespace rapporteur::testing_support
