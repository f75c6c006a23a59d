#include "store/pg_store.h"

#include <algorithm>

#include "store/pg_schema.h"

namespace rapporteur {

namespace {

constexpr std::size_t kMostDomains = 100'000;
constexpr std::size_t kSourceLength = 20;
constexpr std::chrono::milliseconds kPatienceToAsk{2'000};

}  // namespace

Result<std::unique_ptr<Store>> PgStore::open(const std::string& url, Random& random,
                                             const StoreOptions& options,
                                             std::chrono::milliseconds patience) {
  // The numbers of two connections must never be taken for each other's, whatever `random` gives.
  SystemRandom chance;
  auto database = PgDatabase::make(url, random_token(chance, kSourceLength), patience);
  if (!database) return std::move(database).error();
  std::unique_ptr<PgStore> store(new PgStore(*std::move(database), random, options));
  if (!options.connect_later) {
    // Nothing is to be read: what comes before it is the work.
    if (auto ready = store->database_->read([] {}); !ready) return std::move(ready).error();
  }
  return std::unique_ptr<Store>(std::move(store));
}

PgStore::PgStore(std::unique_ptr<PgDatabase> database, Random& random, StoreOptions options)
    : database_(std::move(database)), options_(std::move(options)) {
  database_->prepare_with([this, &random]() -> Result<void> {
    auto identity = prepare_schema(*database_, random);
    if (!identity) return std::move(identity).error();
    identity_ = *std::move(identity);
    return {};
  });
}

bool PgStore::exists(const std::string& url) {
  const auto database = PgDatabase::open(url, "", kPatienceToAsk);
  if (!database) return true;
  const auto found = (*database)->read([&] {
    return (*database)
        ->query(
            "SELECT 1 FROM information_schema.tables"
            " WHERE table_name = 'meta' AND table_schema = ANY(current_schemas(false))")
        .next();
  });
  return !found || *found;
}

void PgStore::set_patience(std::chrono::milliseconds patience) {
  database_->set_patience(patience);
}

Result<void> PgStore::reach() {
  return database_->reach();
}

// ---- Domains and ids

std::string PgStore::domain_of(WindowId window) {
  if (const auto known = domains_.find(window); known != domains_.end()) return known->second;
  auto rows = database_->query("SELECT domain FROM windows WHERE id = $1", window);
  if (!rows.next()) return {};
  auto domain = rows.text(0);
  know_domain(window, domain);
  return domain;
}

std::string PgStore::domain_of_delivery(const std::string& delivery) {
  auto rows = database_->query("SELECT domain FROM deliveries WHERE id = $1", delivery);
  return rows.next() ? rows.text(0) : std::string();
}

void PgStore::know_domain(WindowId window, const std::string& domain) {
  if (domains_.size() >= kMostDomains) domains_.clear();
  domains_.insert_or_assign(window, domain);
}

Result<WindowId> PgStore::next_window_ids(std::size_t count) {
  if (static_cast<std::size_t>(end_of_ids_ - next_id_) < count) {
    const auto block = std::max(count, options_.id_block);
    const auto end = database_->write([&]() -> WindowId {
      auto rows = database_->query(
          "UPDATE sequences SET next = next + $1 WHERE name = 'windows' RETURNING next", block);
      if (rows.next()) return rows.integer(0);
      database_->fail(Fault::kCorrupt, "it has lost the numbers of its windows");
      return 0;
    });
    if (!end) return end.error();
    end_of_ids_ = *end;
    next_id_ = end_of_ids_ - static_cast<WindowId>(block);
  }
  return std::exchange(next_id_, next_id_ + static_cast<WindowId>(count));
}

// ---- The journal

// Counts that wait for a shared store wait on the node's own disk (docs/design.md, "Intake"): a
// journal in here would be away when they do.
Result<JournalNumber> PgStore::append_journal(std::string_view /*piece*/) {
  return Error{Fault::kPermanent, "a store that several nodes share keeps no journal"};
}

Result<Store::Journal> PgStore::journal() {
  return Journal{};
}

}  // namespace rapporteur
