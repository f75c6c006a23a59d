#pragma once
// The scenarios: each stage by itself, and all of them in a row with what can come in their way.

#include <fstream>
#include <string>
#include <vector>

#include "base/hash.h"
#include "faults/scenario.h"

namespace rapporteur::testing_support {

inline constexpr const char* kMail = "mailto:tls@rua.example";
inline constexpr const char* kMailTarget = "tls@rua.example";
inline constexpr const char* kPost = "https://rua.example/tls";
inline constexpr const char* kBoth = "mailto:tls@rua.example,https://rua.example/tls";

// After the last window of the first day is due.
inline const Time kNextDay = at("2026-11-21T06:00:00Z");

inline Scenario intake_scenario() {
  return {.name = "intake", .config = "", .play = [](World& world) {
            for (const std::string domain : {"a.example", "b.example", "c.example"}) {
              publish(world, domain, kMail);
            }
            take_success(world, "a.example", 1);
            take_failure(world, "a.example", "f1");
            take_success(world, "b.example", 2);
            world.pass_to(kMorning + 1s);
            // The same id twice in one flush, and once more in another.
            const auto known = native("c.example", "ok3.example", kMorning, "id-3");
            world.take("ok3.example", known);
            world.take("ok3.example", known);
            world.pass_to(kMorning + 2s);
            world.take("ok3.example", known);
            take_success(world, "a.example", 4);
            world.pass_to(kMorning + 3h);
          }};
}

// The same while so much comes in that counts are journalled first.
inline Scenario journal_scenario() {
  auto scenario = intake_scenario();
  scenario.name = "journal";
  scenario.few_entries = 0;
  return scenario;
}

// `rapporteur ingest` of a file, in batches of two lines, beside the daemon.
inline Scenario file_scenario() {
  return {.name = "file", .config = "", .play = [](World& world) {
            publish(world, "a.example", kMail);
            publish(world, "b.example", kMail);
            const std::vector<std::pair<std::string, std::string>> lines = {
                {"ok1.example", native("a.example", "ok1.example", kMorning - 1h)},
                {"ok2.example", native("a.example", "ok2.example", kMorning - 30h)},
                {"ok3.example", native("b.example", "ok3.example", kMorning - 2h, "id-3")},
                {"ok4.example", native("b.example", "ok4.example", kMorning - 3h)},
                {"ok3.example", native("b.example", "ok3.example", kMorning - 2h, "id-3")},
                {"ok5.example", native("a.example", "ok5.example", kMorning - 4h)}};
            const auto path = world.folder / "sessions.jsonl";
            std::vector<std::string> markers;
            {
              std::ofstream file(path);
              for (const auto& [marker, line] : lines) {
                file << line << "\n";
                markers.push_back(marker);
              }
            }
            world.ingest(path, markers);
            world.pass_to(kMorning + 1h);
            world.ingest(path, markers);  // once more: it is known
          }};
}

// A record that cannot be looked up at first, a key that is not there, a domain without a record.
inline Scenario assembly_scenario() {
  // Blocked windows are not given up when the clock is ten days ahead for a while.
  return {.name = "assembly",
          .config = "[schedule]\ngiveUpAfter = \"30d\"\n[schedule.spread]\ndaily = \"10m\"\n",
          .play = [](World& world) {
            publish(world, "a.example", kMail);
            world.table.fail("_smtp._tls.b.example", "SERVFAIL");
            world.signer.domains.clear();
            publish(world, "c.example", kPost);
            take_success(world, "a.example", 1);
            take_failure(world, "b.example", "f2");
            take_success(world, "c.example", 3);
            take_success(world, "none.example", 4);
            world.pass_to(at("2026-11-21T00:40:00Z"));
            world.ledger.acknowledged.erase("ok4.example");
            world.ledger.lost.erase("ok4.example");
            publish(world, "b.example", kBoth);
            world.signer.domains = {"example.org"};
          }};
}

// Several deliveries at a time, by both ways, some of them refused.
inline Scenario delivery_scenario(int threads) {
  return {.name = "delivery by " + std::to_string(threads),
          .config = "",
          .threads = threads,
          .play = [](World& world) {
            publish(world, "a.example", kBoth);
            publish(world, "b.example", "mailto:b@rua.example,mailto:b@other.example");
            publish(world, "c.example", "https://c.example/x");
            take_success(world, "a.example", 1);
            take_success(world, "b.example", 2);
            take_success(world, "c.example", 3);
            world.mailbox.reply("b@rua.example", answers::refused());
            world.mailbox.reply("https://c.example/x", answers::server_error());
            world.pass_to(kMorning + 1s);
          }};
}

// A late session makes a supplement, another one a second.
inline Scenario supplement_scenario() {
  return {.name = "supplement", .config = "", .play = [](World& world) {
            publish(world, "a.example", kMail);
            take_success(world, "a.example", 1);
            world.pass_to(kNextDay);
            world.take("ok2.example", native("a.example", "ok2.example", kMorning + 1h));
            take_success(world, "a.example", 3);
            world.pass_to(kNextDay + 8h);
            world.take("ok4.example", native("a.example", "ok4.example", kMorning + 2h));
            world.pass_to(kNextDay + 9h);
          }};
}

inline Scenario split_scenario() {
  return {.name = "split",
          .config = "[report.tls]\nmaxReportSize = \"4096\"\n",
          .play = [](World& world) {
            publish(world, "a.example", kBoth);
            take_success(world, "a.example", 1);
            for (int i = 0; i < 16; ++i) {
              take_failure(world, "a.example", sha256_hex(std::to_string(i)));
            }
            world.pass_to(kNextDay);
            take_success(world, "a.example", 2);
            world.take("ok3.example", native("a.example", "ok3.example", kMorning + 1h));
            world.pass_to(kNextDay + 1s);
          }};
}

inline Scenario fallback_scenario() {
  return {.name = "fallback",
          .config = "[delivery]\ndeliverTo = \"first\"\n",
          .play = [](World& world) {
            publish(world, "a.example", kBoth);
            publish(world, "b.example", "mailto:b@rua.example,https://b.example/");
            take_success(world, "a.example", 1);
            take_success(world, "b.example", 2);
            world.mailbox.reply(kMailTarget, answers::later());
            world.mailbox.reply(kMailTarget, answers::refused());
            world.pass_to(kMorning + 1s);
          }};
}

// Refused for the time being, by the destination, by our relay, by a host that is away.
inline Scenario refusal_scenario() {
  return {.name = "temporary refusal", .config = "", .play = [](World& world) {
            publish(world, "a.example", kBoth);
            publish(world, "b.example", "https://rua.example/b");
            take_success(world, "a.example", 1);
            take_failure(world, "b.example", "f2");
            world.mailbox.reply(kMailTarget, answers::relay_down());
            world.mailbox.reply(kMailTarget, answers::later());
            world.mailbox.reply(kMailTarget, answers::later());
            world.mailbox.reply(kPost, answers::host_down());
            world.mailbox.reply(kPost, answers::server_error());
            world.pass_to(kMorning + 1s);
          }};
}

inline Scenario uncertain_scenario() {
  return {.name = "uncertain reply", .config = "", .play = [](World& world) {
            publish(world, "a.example", kBoth);
            take_success(world, "a.example", 1);
            world.mailbox.reply(kMailTarget, answers::lost());
            world.mailbox.reply(kPost, answers::lost());
            world.pass_to(kMorning + 1s);
          }};
}

// The process dies by itself while a mail is under way.
inline Scenario restart_scenario() {
  return {.name = "restart", .config = "", .play = [](World& world) {
            publish(world, "a.example", kMail);
            publish(world, "b.example", "mailto:b@rua.example");
            take_success(world, "a.example", 1);
            take_success(world, "b.example", 2);
            world.mailbox.call(kMailTarget, [&world] { world.points.die(); });
            world.pass_to(kMorning + 1s);
          }};
}

}  // namespace rapporteur::testing_support
