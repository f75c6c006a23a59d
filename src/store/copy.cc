#include "store/copy.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "store/copy_tables.h"
#include "store/open.h"
#include "store/pg.h"
#include "store/pg_schema.h"
#include "store/pg_text.h"
#include "store/rows.h"
#include "store/sqlite.h"
#include "store/sqlite_schema.h"

namespace rapporteur {

namespace {

constexpr std::string_view kSqlite = "sqlite:";
constexpr std::chrono::seconds kPatience{30};

// A step is at most so many rows, and not much more than so many bytes.
constexpr std::size_t kRows = 2000;
constexpr std::size_t kBytes = std::size_t{8} << 20;

// The value of an ordering column, as text: bytes in hexadecimal digits.
using Place = std::vector<std::string>;

std::string_view expression(const CopyColumn& column) {
  return column.from.empty() ? column.name : column.from;
}

std::string list(const std::vector<CopyColumn>& columns, bool values) {
  std::vector<std::string> texts;
  for (const auto& column : columns) texts.emplace_back(values ? expression(column) : column.name);
  return join(texts, ", ");
}

std::string_view array_type(CopyType type) {
  switch (type) {
    case CopyType::kText:
    case CopyType::kSessionText:
      return "text[]";
    case CopyType::kInteger:
      return "bigint[]";
    case CopyType::kFlag:
      return "boolean[]";
    case CopyType::kBytes:
      return "bytea[]";
  }
  return "";
}

// "… ORDER BY place", behind `place` if there is one, which is bound as ?1, ?2, …
std::string select_sql(const CopyTable& table, bool behind) {
  const auto place = list(table.place, true);
  auto sql =
      "SELECT " + place + ", " + list(table.columns, true) + " FROM " + std::string(table.from);
  if (behind) {
    std::vector<std::string> parameters;
    while (parameters.size() < table.place.size()) {
      parameters.push_back("?" + std::to_string(parameters.size() + 1));
    }
    sql += " WHERE (" + place + ") > (" + join(parameters, ", ") + ")";
  }
  return sql + " ORDER BY " + place;
}

std::string insert_sql(const CopyTable& table) {
  std::vector<std::string> arrays;
  for (const auto& column : table.columns) {
    arrays.push_back("$" + std::to_string(arrays.size() + 1) +
                     "::" + std::string(array_type(column.type)));
  }
  return "INSERT INTO " + std::string(table.name) + " (" + list(table.columns, false) +
         ") SELECT * FROM unnest(" + join(arrays, ", ") + ") ON CONFLICT DO NOTHING";
}

std::uint64_t count_of(Database& database, const CopyTable& table) {
  Query query(database, "SELECT count(*) FROM " + std::string(table.from));
  return query.next() ? query.count(0) : 0;
}

std::uint64_t count_of(PgDatabase& database, const CopyTable& table) {
  auto rows = database.query("SELECT count(*) FROM " + std::string(table.name));
  return rows.next() ? rows.count(0) : 0;
}

// Rows that stand in memory between the two.
struct Step {
  std::vector<PgArray> columns;
  Place place;  // of the last row
  std::size_t rows = 0;
};

// What hex() was made of.
std::string bytes_of(std::string_view digits) {
  std::string bytes;
  for (; digits.size() >= 2; digits.remove_prefix(2)) {
    unsigned value = 0;
    std::from_chars(digits.data(), digits.data() + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

Error refused(std::string text) {
  return {Fault::kConfig, std::move(text)};
}

// One copy.
class Copy {
 public:
  Copy(std::unique_ptr<Database> from, std::unique_ptr<PgDatabase> to)
      : from_(std::move(from)), to_(std::move(to)) {}

  Result<CopySummary> run(const StoreIdentity& identity,
                          const std::function<void(const CopyProgress&)>& tell) {
    if (auto begun = begin(identity); !begun) return std::move(begun).error();
    for (const auto& table : copy_tables()) {
      if (auto copied = copy(table, tell); !copied) return std::move(copied).error();
    }
    if (auto finished = finish(); !finished) return std::move(finished).error();
    return summary_;
  }

 private:
  // Takes possession of a new store, or of one that a copy of the same store has begun.
  Result<void> begin(const StoreIdentity& identity) {
    auto journal = read_from<std::int64_t>("SELECT count(*) FROM journal");
    if (!journal) return std::move(journal).error();
    if (*journal > 0) {
      return refused(
          "counts wait in the journal of the store: start the daemon on it once, and"
          " stop it with SIGTERM");
    }
    std::string mark = "copy.of";
    return flatten(to_->write([&]() -> std::optional<Error> {
      const auto of = meta(mark);
      if (of == identity.token) return std::nullopt;
      auto used = to_->query(
          "SELECT EXISTS (SELECT 1 FROM windows)"
          " OR EXISTS (SELECT 1 FROM received)"
          " OR EXISTS (SELECT 1 FROM counters)");
      if (!of.empty() || !used.next() || used.flag(0)) {
        return refused("the store to copy to is not new: a copy needs an empty database");
      }
      set_meta(mark, identity.token);
      set_meta("token", identity.token);
      set_meta("secret", identity.secret);
      return std::nullopt;
    }));
  }

  Result<void> copy(const CopyTable& table, const std::function<void(const CopyProgress&)>& tell) {
    CopyProgress progress{std::string(table.name), 0, 0};
    Transaction counting(*from_, Transaction::Kind::kRead);
    progress.of = count_of(*from_, table);
    if (auto done = counting.commit(); !done) return done;
    auto place = to_->read([&] { return place_of(table); });
    if (!place) return std::move(place).error();
    if (!place->empty()) {
      auto there = to_->read([&] { return count_of(*to_, table); });
      if (!there) return std::move(there).error();
      progress.rows = *there;
      summary_.resumed += *there;
    }
    const auto key = "copy." + std::string(table.name);
    const auto insert = insert_sql(table);
    for (;;) {
      auto step = read_step(table, *place);
      if (!step) return std::move(step).error();
      if (step->rows == 0) return {};
      auto written = to_->write([&] {
        PgDatabase::Parameters parameters;
        for (const auto& column : step->columns) parameters.add(column);
        to_->query_with(insert, parameters);
        set_meta(key, pack(step->place));
      });
      if (!written) return written;
      *place = step->place;
      progress.rows += step->rows;
      summary_.rows += step->rows;
      tell(progress);
    }
  }

  Place place_of(const CopyTable& table) {
    const auto packed = meta("copy." + std::string(table.name));
    if (packed.empty()) return {};
    auto place = unpack(packed);
    if (place && place->size() == table.place.size()) return *std::move(place);
    to_->fail(Fault::kCorrupt, "nobody can tell how far the copy has come");
    return {};
  }

  Result<Step> read_step(const CopyTable& table, const Place& behind) {
    Transaction transaction(*from_, Transaction::Kind::kRead);
    Step step;
    step.columns.resize(table.columns.size());
    {
      Query query(*from_, select_sql(table, !behind.empty()));
      for (std::size_t i = 0; i < behind.size(); ++i) bind(query, table.place[i], behind[i]);
      std::size_t bytes = 0;
      while (step.rows < kRows && bytes < kBytes && query.next()) {
        step.place = read_place(table, query);
        for (std::size_t i = 0; i < table.columns.size(); ++i) {
          const auto column = static_cast<int>(table.place.size() + i);
          bytes += add(query, column, table.columns[i].type, step.columns[i]);
        }
        ++step.rows;
      }
    }
    return transaction.commit(std::move(step));
  }

  static void bind(Query& query, const CopyColumn& column, const std::string& value) {
    if (column.type == CopyType::kBytes) return query.bind(Blob{bytes_of(value)});
    if (column.type == CopyType::kText) return query.bind(value);
    std::int64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    query.bind(number);
  }

  static Place read_place(const CopyTable& table, const Query& query) {
    Place place;
    for (std::size_t i = 0; i < table.place.size(); ++i) {
      const auto column = static_cast<int>(i);
      switch (table.place[i].type) {
        case CopyType::kInteger:
        case CopyType::kFlag:
          place.push_back(std::to_string(query.integer(column)));
          break;
        case CopyType::kText:
        case CopyType::kSessionText:
          place.push_back(query.text(column));
          break;
        case CopyType::kBytes:
          place.push_back(hex(query.text(column)));
          break;
      }
    }
    return place;
  }

  // How many bytes it took, about.
  static std::size_t add(const Query& query, int column, CopyType type, PgArray& array) {
    if (query.is_null(column)) {
      array.add_null();
      return 0;
    }
    if (type == CopyType::kInteger) {
      array.add(query.integer(column));
      return sizeof(std::int64_t);
    }
    if (type == CopyType::kFlag) {
      array.add(query.flag(column));
      return 1;
    }
    const auto text = query.text(column);
    if (type == CopyType::kBytes) {
      array.add(Blob{text});
    } else {
      array.add(type == CopyType::kSessionText ? storable(text) : readable(text));
    }
    return text.size();
  }

  // Compares, and lets the store begin to work.
  Result<void> finish() {
    for (const auto& table : copy_tables()) {
      Transaction counting(*from_, Transaction::Kind::kRead);
      const auto rows = count_of(*from_, table);
      if (auto done = counting.commit(); !done) return done;
      const auto there = to_->read([&] { return count_of(*to_, table); });
      if (!there) return there.error();
      if (rows != *there) {
        return Error{Fault::kCorrupt, "the copy of the table '" + std::string(table.name) +
                                          "' has " + std::to_string(*there) + " rows of " +
                                          std::to_string(rows)};
      }
    }
    if (auto equal = compare_sums(); !equal) return equal;
    auto pruned = read_from<std::string>("SELECT value FROM meta WHERE name = 'pruned_ends'");
    if (!pruned) return std::move(pruned).error();
    return to_->write([&] {
      if (!pruned->empty()) set_meta("pruned_ends", *pruned);
      for (const std::string name : {"windows", "received"}) {
        const auto* const column = name == "windows" ? "id" : "number";
        to_->execute("UPDATE sequences SET next = greatest(next, (SELECT coalesce(max(" +
                         std::string(column) + "), 0) + 1 FROM " + name + ")) WHERE name = $1",
                     name);
      }
      to_->execute("DELETE FROM meta WHERE name LIKE 'copy.%'");
    });
  }

  Result<void> compare_sums() {
    constexpr std::pair<std::string_view, std::string_view> kSums[] = {
        {"windows", "successful"}, {"windows", "failed"},   {"policies", "successful"},
        {"policies", "failed"},    {"details", "sessions"}, {"received", "successful"},
        {"received", "failed"}};
    for (const auto& [table, column] : kSums) {
      // Both in 64 bits: modulo 2^31 no sum overflows.
      const auto sql = "SELECT coalesce(sum(" + std::string(column) + " % 2147483647), 0) FROM " +
                       std::string(table);
      auto ours = read_from<std::int64_t>(sql);
      if (!ours) return std::move(ours).error();
      const auto theirs = to_->read([&] {
        auto rows = to_->query(sql);
        return rows.next() ? rows.integer(0) : -1;
      });
      if (!theirs) return theirs.error();
      if (*ours != *theirs) {
        return Error{Fault::kCorrupt, "the copy of the table '" + std::string(table) +
                                          "' has another sum of '" + std::string(column) + "'"};
      }
    }
    return {};
  }

  // The first column of the first row; what a Value is without one.
  template <class Value>
  Result<Value> read_from(const std::string& sql) {
    Transaction transaction(*from_, Transaction::Kind::kRead);
    Value value{};
    {
      Query query(*from_, sql);
      if (query.next()) {
        if constexpr (std::is_same_v<Value, std::string>) {
          value = query.text(0);
        } else {
          value = query.integer(0);
        }
      }
    }
    return transaction.commit(std::move(value));
  }

  std::string meta(const std::string& name) {
    auto rows = to_->query("SELECT value FROM meta WHERE name = $1", name);
    return rows.next() ? rows.text(0) : std::string();
  }

  void set_meta(const std::string& name, const std::string& value) {
    to_->execute(
        "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
        " SET value = excluded.value",
        name, value);
  }

  static Result<void> flatten(Result<std::optional<Error>> result) {
    if (!result) return std::move(result).error();
    if (*result) return **std::move(result);
    return {};
  }

  const std::unique_ptr<Database> from_;
  const std::unique_ptr<PgDatabase> to_;
  CopySummary summary_;
};

}  // namespace

Result<CopySummary> copy_store(const std::string& from, const std::string& to, Random& random,
                               const std::function<void(const CopyProgress&)>& tell) {
  if (!from.starts_with(kSqlite) || from == "sqlite::memory:") {
    return refused("a copy begins at a file: sqlite:PATH");
  }
  if (!store_is_shared(to)) {
    return refused("a copy goes to a database: postgresql://…");
  }
  if (!store_exists(from)) return refused("there is no store at " + from);
  auto lock = lock_for_daemon(from);
  if (!lock) return std::move(lock).error();
  auto database = Database::open(from.substr(kSqlite.size()), kPatience);
  if (!database) return std::move(database).error();
  auto identity = prepare_schema(**database, random);
  if (!identity) return std::move(identity).error();
  auto target = PgDatabase::open(to, random_token(random, 16), kPatience);
  if (!target) return std::move(target).error();
  if (auto ready = prepare_schema(**target, random); !ready) return std::move(ready).error();
  return Copy(*std::move(database), *std::move(target)).run(*identity, tell);
}

}  // namespace rapporteur
