#pragma once
// What every Store promises, as tests over a function that makes a place for one. A test program
// instantiates StoreTest and StatesOfStoreTest for each of its stores.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "store/store.h"

namespace rapporteur::testing_support {

using namespace std::chrono_literals;

// A friendly day: 2026-11-20, a Friday.
inline constexpr const char* kDead = "mailto:dead@b.example";
inline constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
inline constexpr Period kFirstDay{kDay, kDay + 24h};
inline constexpr Time kDue = kDay + 25h;

// A place where a store lives, empty at first. Removed with the object.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  // Another connection to the same data.
  virtual std::unique_ptr<Store> open() = 0;
};

struct StoreKind {
  const char* name;
  std::function<std::unique_ptr<StorePlace>()> make;
  // How the tests reach the store: one connection throughout, a new one for each call, or two that
  // take turns, as processes do.
  enum class Access { kOne, kReopened, kTwo } access;
  int schema_version;
};

inline void PrintTo(const StoreKind& kind, std::ostream* out) {
  *out << kind.name;
}

class CountingRandom final : public Random {
 public:
  std::uint64_t next() override { return state_ += 0x9e3779b97f4a7c15U; }

 private:
  std::uint64_t state_ = 1;
};

// The value, or a failed test with the error's text.
template <class T>
T ok(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().text;
    return T{};
  }
  return *std::move(result);
}
inline void ok(Result<void> result) {
  if (!result) ADD_FAILURE() << result.error().text;
}

// What assembling asks about a period of a domain, whatever its windows.
inline Dossier dossier(Store& store, const std::string& domain, Period period,
                       Period mails_within = {}) {
  const DossierQuestion question{0, domain, period, mails_within};
  return ok(store.dossiers({&question, 1})).at(0);
}
inline int first_part(Store& store, const std::string& domain, Period period) {
  return dossier(store, domain, period).first_part;
}
inline std::uint64_t mails(Store& store, const std::string& domain, Period within) {
  return dossier(store, domain, {}, within).mails;
}

inline Policy sts(const std::string& domain) {
  return {PolicyType::kSts,
          domain,
          {"version: STSv1", "mode: enforce", "mx: mx." + domain},
          {"mx." + domain}};
}

inline FailureDetail detail(const std::string& reason,
                            ResultType type = ResultType::kCertificateExpired) {
  return {type, "192.0.2.1", "mx.example.com", "", "198.51.100.2", "", reason};
}

// One successful session for the first day, its window due at kDue.
inline WindowDelta delta(const std::string& domain, std::uint64_t successful = 1,
                         std::uint64_t failed = 0, std::vector<DetailCount> details = {}) {
  WindowDelta made;
  made.domain = domain;
  made.period = kFirstDay;
  made.first = kDay + 1h;
  made.last = kDay + 2h;
  made.counts = {{sts(domain), successful, failed, std::move(details)}};
  made.due = kDue;
  made.supplement_due = kDue + 3h;
  return made;
}

inline WindowDelta at(WindowDelta made, Time first, Time last) {
  made.first = first;
  made.last = last;
  return made;
}

class StoreTest : public testing::TestWithParam<StoreKind> {
 protected:
  StoreTest() : place_(GetParam().make()) {}

  Store& store() {
    switch (GetParam().access) {
      case StoreKind::Access::kOne:
        if (!stores_[0]) stores_[0] = place_->open();
        return *stores_[0];
      case StoreKind::Access::kReopened:
        // A call's arguments may call again: the last few stay open.
        reopened_.push_back(place_->open());
        if (reopened_.size() > 3) reopened_.pop_front();
        return *reopened_.back();
      case StoreKind::Access::kTwo:
        break;
    }
    turn_ = 1 - turn_;
    if (!stores_[turn_]) stores_[turn_] = place_->open();
    return *stores_[turn_];
  }

  std::unique_ptr<Store> another() { return place_->open(); }

  Flushed add(std::vector<WindowDelta> windows) {
    CountBatch batch;
    batch.windows = std::move(windows);
    batch.now = kDay + 3h;
    return ok(store().add(batch));
  }

  // All windows of a domain, or of all, oldest first.
  std::vector<Window> windows(const std::string& domain = "") {
    WindowFilter filter;
    filter.domain = domain;
    filter.limit = 1000;
    auto found = ok(store().windows(filter));
    std::ranges::sort(found, {}, &Window::id);
    return found;
  }
  Window window(const std::string& domain) {
    const auto found = windows(domain);
    if (found.size() != 1) {
      ADD_FAILURE() << found.size() << " windows of " << domain;
      return {};
    }
    return found.front();
  }
  Window window(WindowId id) {
    for (auto& found : windows()) {
      if (found.id == id) return found;
    }
    ADD_FAILURE() << "no window " << id;
    return {};
  }

  // Of the domain's windows that end after `since`.
  std::vector<Period> periods(const std::string& domain, Time since) {
    const std::vector<std::string> domains{domain};
    auto places = ok(store().places(domains, since, kDay));
    if (places.size() == 1) return std::move(places.front().periods);
    ADD_FAILURE() << places.size() << " answers for one domain";
    return {};
  }

  // A window of the domain in kDue, with one success.
  WindowId due_window(const std::string& domain) {
    add({delta(domain)});
    const auto id = window(domain).id;
    ok(store().claim_due(kDue, 100, std::nullopt));
    return id;
  }

  static Part part(WindowId window, int number, int of = 1) {
    return {.number = number,
            .of = of,
            .report_id = "r" + std::to_string(window) + "." + std::to_string(number),
            .file_name = "file" + std::to_string(number),
            .gz = std::string("gz\0body", 7) + std::to_string(number),
            .mail_body = "mail body " + std::to_string(number),
            .successful = 3,
            .failed = 4};
  }

  Delivery delivery(WindowId window, int part_number, const std::string& destination,
                    int rank = 0) {
    Delivery made;
    made.id = "d" + std::to_string(window) + "p" + std::to_string(part_number) + "r" +
              std::to_string(rank);
    made.window = window;
    made.part = part_number;
    made.destination = destination;
    made.destination_key = destination_key(destination);
    made.envelope_from = "noreply@example.net";
    made.header = "From: noreply@example.net\r\n";
    made.next_attempt = kDue;
    made.rank = rank;
    return made;
  }

  // A window with one part and these destinations.
  WindowId assembled_window(const std::string& domain, const std::vector<std::string>& destinations,
                            bool first_only = false) {
    const auto id = due_window(domain);
    Assembly assembly{.window = id,
                      .parts = {part(id, 1)},
                      .deliveries = {},
                      .fingerprint = "print",
                      .record = "v=TLSRPTv1; rua=mailto:a@b.example",
                      .now = kDue};
    int rank = 0;
    for (const auto& destination : destinations) {
      auto made = delivery(id, 1, destination, rank);
      if (first_only && rank > 0) {
        made.fallback = true;
        made.next_attempt.reset();
      }
      assembly.deliveries.push_back(made);
      ++rank;
    }
    EXPECT_TRUE(ok(store().conclude(assembly)));
    return id;
  }

  static std::string delivery_id(WindowId window, int rank = 0) {
    return "d" + std::to_string(window) + "p1r" + std::to_string(rank);
  }
  Delivery delivery_now(const std::string& id) {
    const auto found = ok(store().submission(id));
    if (!found) {
      ADD_FAILURE() << "no delivery " << id;
      return {};
    }
    return found->delivery;
  }

  void attempt(const std::string& id, DeliveryState state, Time now,
               std::optional<Time> next = std::nullopt, const std::string& response = "response") {
    AttemptRecord record;
    record.delivery = id;
    record.state = state;
    record.next_attempt = next;
    record.first_attempt = now;
    record.last_response = response;
    record.now = now;
    ok(store().record_attempt(record));
  }

  // A window whose delivery to `destination` ended at `at`; the delivery's id.
  std::string ended(const std::string& domain, DeliveryState state, Time at, bool blamed = true,
                    const std::string& destination = kDead) {
    const auto id = delivery_id(assembled_window(domain, {destination}));
    AttemptRecord record;
    record.delivery = id;
    record.state = state;
    record.now = at;
    record.blamed = blamed;
    ok(store().record_attempt(record));
    return id;
  }
  void bounced(const std::string& id, Time at) {
    AttemptRecord record;
    record.delivery = id;
    record.state = DeliveryState::kBounced;
    record.now = at;
    record.blamed = true;
    ok(store().record_attempt(record));
  }

  std::vector<std::string> due_ids(Time now, bool mails = true, bool posts = true,
                                   std::vector<std::string> except = {}, std::size_t limit = 100) {
    std::vector<std::string> ids;
    for (const auto& due : ok(store().due_deliveries({.now = now,
                           .limit = limit,
                           .except = except,
                           .full = {},
                           .mails = mails,
                           .posts = posts}))) {
      ids.push_back(due.delivery.id);
    }
    return ids;
  }

 private:
  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<Store> stores_[2];
  std::deque<std::unique_ptr<Store>> reopened_;
  std::size_t turn_ = 1;
};

// One window in each state, each of the domain named like it.
class StatesOfStoreTest : public StoreTest {
 protected:
  void SetUp() override {
    for (const auto state : {WindowState::kDue, WindowState::kBlocked, WindowState::kSuppressed}) {
      const auto id = due_window(name(state));
      if (state != WindowState::kDue)
        ok(store().conclude(Postponement{id, 0, state, "why", kDue + 1h, kDue}));
    }
    assembled_window(name(WindowState::kAssembled), {"mailto:a@b.example", "https://b.example"});
    const auto done = assembled_window(name(WindowState::kDone), {"mailto:a@b.example"});
    attempt(delivery_id(done), DeliveryState::kDelivered, kDue);
    auto held = delta(name(WindowState::kHeld));
    held.state = WindowState::kHeld;
    auto collecting = delta(name(WindowState::kCollecting));
    add({held, collecting});
  }

  static std::string name(WindowState state) { return std::string(to_string(state)) + ".example"; }
  Window in(WindowState state) { return window(name(state)); }

  // Does `order` to a window in each state; returns the states that allowed it. A refusal changes
  // nothing.
  std::vector<std::string> allowed(const std::function<bool(WindowId)>& order) {
    std::vector<std::string> names;
    for (const auto& before : windows()) {
      const auto name = std::string(to_string(before.state));
      if (order(before.id)) {
        names.push_back(name);
        continue;
      }
      const auto after = window(before.id);
      EXPECT_EQ(after.state, before.state) << name;
      EXPECT_EQ(after.reason, before.reason) << name;
      EXPECT_EQ(after.due, before.due) << name;
      EXPECT_EQ(after.period, before.period) << name;
    }
    std::ranges::sort(names);
    return names;
  }
};

}  // namespace rapporteur::testing_support
