#pragma once
// A courier over a real store in memory, with scripted transports and a clock that a test moves.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deliver/courier.h"
#include "deliver/fakes.h"
#include "store/open.h"
#include "support/fake_clock.h"
#include "support/recording_log.h"

namespace rapporteur::testing_support {

using namespace std::chrono_literals;

inline constexpr Time kDay{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};

class CourierTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_store("sqlite::memory:", random);
    ASSERT_TRUE(opened) << opened.error().text;
    real = *std::move(opened);
    store = std::make_unique<FaultyStore>(*real);
    CountBatch batch;
    batch.now = kDay + 3h;
    WindowDelta delta;
    delta.domain = "about.example";
    delta.period = {kDay, kDay + 24h};
    delta.first = delta.last = kDay + 1h;
    delta.counts = {{{PolicyType::kSts, "about.example", {}, {}}, 1, 0, {}}};
    delta.due = kDay + 25h;
    delta.supplement_due = delta.due;
    batch.windows = {delta};
    ASSERT_TRUE(real->add(batch));
    const auto due = real->claim_due(clock.now(), 10, std::nullopt);
    ASSERT_TRUE(due);
    ASSERT_THAT(*due, testing::SizeIs(1));
    window = due->front().id;
    options.mail = [this](const Interrupt& interrupt) {
      ++transports_made;
      return std::make_unique<ScriptedTransport>(wire, interrupt);
    };
    options.https = [this](const Interrupt& interrupt) {
      return std::make_unique<ScriptedTransport>(wire, interrupt);
    };
  }

  // One window with a delivery to each destination; their ids are "d0", "d1", ….
  void deliver_to(const std::vector<std::string>& destinations) {
    Assembly assembly;
    assembly.window = window;
    assembly.now = clock.now();
    assembly.fingerprint = "f";
    Part part;
    part.report_id = "r@example.org";
    part.file_name = "f.json.gz";
    part.gz = "gzip";
    part.mail_body = "body\r\n";
    assembly.parts = {part};
    for (std::size_t i = 0; i < destinations.size(); ++i) {
      Delivery delivery;
      delivery.id = "d" + std::to_string(i);
      delivery.window = window;
      delivery.domain = "about.example";
      delivery.report_id = part.report_id;
      delivery.destination = destinations[i];
      if (keyed) delivery.destination_key = destination_key(delivery.destination);
      delivery.envelope_from = "noreply-tls@example.org";
      delivery.header = "Subject: x\r\n";
      delivery.next_attempt = clock.now();
      delivery.rank = static_cast<int>(i);
      assembly.deliveries.push_back(delivery);
    }
    const auto assembled = real->conclude(assembly);
    ASSERT_TRUE(assembled) << assembled.error().text;
    ASSERT_TRUE(*assembled);
    courier = std::make_unique<Courier>(*store, clock, random, log, options);
  }

  // Steps until nothing is under way and nothing more starts.
  void settle(bool mails = true, bool posts = true) {
    for (;;) {
      const auto started = courier->step(mails, posts);
      ASSERT_TRUE(started) << started.error().text;
      if (*started == 0 && courier->under_way() == 0) return;
      if (courier->under_way() > 0) courier->wait(10s);
    }
  }
  // Goes on with time at its fastest, until the deliveries' next attempts come.
  void pass(Seconds time, Seconds step) {
    for (auto left = time; left > 0s; left -= step) {
      clock.advance(step);
      settle();
    }
  }

  Delivery delivery(const std::string& id) {
    const auto found = real->submission(id);
    EXPECT_TRUE(found && *found);
    return (**found).delivery;
  }
  DeliveryState state(const std::string& id) { return delivery(id).state; }

  SteadyRandom random;
  FakeClock clock{kDay + 26h};
  RecordingLog log;
  Wire wire;
  std::atomic<int> transports_made{0};
  std::unique_ptr<Store> real;
  std::unique_ptr<FaultyStore> store;
  WindowId window = 0;
  bool keyed = true;  // deliveries have their destination_key
  CourierOptions options;
  std::unique_ptr<Courier> courier;  // last: its threads use the others
};

}  // namespace rapporteur::testing_support
