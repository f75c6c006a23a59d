// rapporteur_flush_bench: the counts of very many domains into the store, empty and filled, beside
// the database alone. scripts/bench builds and runs it. RAPPORTEUR_TEST_POSTGRES is the URL of a
// PostgreSQL server; without it that half is left out. Arguments: the number of domains, and
// "sqlite" or "postgres" for one half alone.

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "bench/flush_rows.h"
#include "bench/table.h"
#include "store/open.h"

namespace rapporteur::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDomains = 100'000;
constexpr int kRuns = 3;
constexpr double kLeastOfSqlite = 0.7;
constexpr double kLeastOfCopy = 0.8;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

template <class T>
T need(Result<T> result) {
  if (!result) die(result.error().text);
  return *std::move(result);
}

std::unique_ptr<Store> open(const std::string& url) {
  SystemRandom random;
  StoreOptions options;
  options.node = "bench";
  return need(open_store(url, random, options));
}

FlushSeconds flush_through_store(const std::string& url, const CountBatch& batch) {
  const auto store = open(url);
  const auto flush = [&] {
    return seconds_of([&] {
      if (!need(store->add(batch)).stored()) die("a batch was not stored");
    });
  };
  FlushSeconds taken;
  taken.empty = flush();
  taken.filled = flush();
  return taken;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Both sides in turn, each into a place of its own that `with_place` makes and removes.
struct Measured {
  std::vector<double> ours;
  std::vector<double> theirs;
};
struct Both {
  Measured empty;
  Measured filled;

  void add(const FlushSeconds& ours, const FlushSeconds& theirs) {
    empty.ours.push_back(ours.empty);
    empty.theirs.push_back(theirs.empty);
    filled.ours.push_back(ours.filled);
    filled.theirs.push_back(theirs.filled);
    std::printf("  ours %.2f and %.2f s, alone %.2f and %.2f s\n", ours.empty, ours.filled,
                theirs.empty, theirs.filled);
  }
};

bool judge(const std::string& what, const std::string& limit, double bar,
           const Measured& measured) {
  const double ours = median(measured.ours);
  const double theirs = median(measured.theirs);
  std::array<char, 80> figures{};
  std::snprintf(figures.data(), figures.size(), "%.2f s beside %.2f s", ours, theirs);
  return tell({what, limit, theirs / ours, Row::Bar::kAtLeast, bar, figures.data(), true});
}

bool compare_sqlite(const CountBatch& batch, const std::vector<FlushRow>& rows) {
  auto folder = (fs::temp_directory_path() / "flush-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) die("mkdtemp");
  const auto place = [&](std::string_view side, int run) {
    return folder + "/" + std::string(side) + std::to_string(run) + ".db";
  };
  Both both;
  for (int run = 0; run < kRuns; ++run) {
    const auto ours = flush_through_store("sqlite:" + place("store", run), batch);
    open("sqlite:" + place("plain", run));
    both.add(ours, flush_through_sqlite(place("plain", run), rows));
    for (const auto& file : fs::directory_iterator(folder)) fs::remove(file);
  }
  fs::remove_all(folder);
  const auto count = std::to_string(batch.windows.size());
  const std::string limit = "the same statements alone";
  const bool empty = judge("counts of " + count + " domains into an empty SQLite store", limit,
                           kLeastOfSqlite, both.empty);
  const bool filled = judge("counts of " + count + " domains into a filled SQLite store", limit,
                            kLeastOfSqlite, both.filled);
  return empty && filled;
}

bool compare_postgres(const std::string& url, const CountBatch& batch,
                      const std::vector<FlushRow>& rows) {
  const auto in_schema = [&](const std::function<FlushSeconds(const std::string& url)>& flush) {
    SystemRandom random;
    const auto name = "b" + random_token(random, 12);
    run_on_postgres(url, "CREATE SCHEMA " + name);
    const char* const separator = url.find('?') == url.npos ? "?" : "&";
    const auto taken = flush(url + separator + "options=-c%20search_path%3D" + name);
    run_on_postgres(url, "DROP SCHEMA " + name + " CASCADE");
    run_on_postgres(url, "CHECKPOINT");
    return taken;
  };
  Both both;
  for (int run = 0; run < kRuns; ++run) {
    const auto ours = in_schema([&](const auto& at) { return flush_through_store(at, batch); });
    both.add(ours, in_schema([&](const auto& at) {
               open(at);
               return flush_through_copy(at, rows);
             }));
  }
  const auto count = std::to_string(batch.windows.size());
  const std::string limit = "COPY and a merge";
  const bool empty = judge("counts of " + count + " domains into an empty PostgreSQL store", limit,
                           kLeastOfCopy, both.empty);
  const bool filled = judge("counts of " + count + " domains into a filled PostgreSQL store", limit,
                            kLeastOfCopy, both.filled);
  return empty && filled;
}

int run(std::size_t domains, std::string_view half) {
  const auto batch = flush_batch(domains);
  const auto rows = flush_rows(batch);
  bool holds = true;
  if (half != "postgres") holds = compare_sqlite(batch, rows);
  const char* const url = std::getenv("RAPPORTEUR_TEST_POSTGRES");
  if (url != nullptr && half != "sqlite") holds = compare_postgres(url, batch, rows) && holds;
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace rapporteur::bench

int main(int count, char** arguments) {
  const auto domains =
      count > 1 ? std::strtoull(arguments[1], nullptr, 10) : rapporteur::bench::kDomains;
  return rapporteur::bench::run(domains, count > 2 ? arguments[2] : "");
}
