#pragma once
// Whether our mail relay is in trouble. While it is, all mails wait behind one probe: one delivery
// at a time, at growing distances, until one comes as far as an answer about its recipient.
// docs/design.md, "Mail, DKIM, delivery". Pure.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "deliver/transport.h"

namespace rapporteur {

class RelayState {
 public:
  // So many different domains refused with one code in a row, and none accepted, are no accident.
  static constexpr std::size_t kSameRefusals = 20;
  // So many may be the beginning of that.
  static constexpr std::size_t kSuspicious = 5;
  static constexpr Seconds kFirstWait = std::chrono::seconds(30);

  // The wait between probes begins with kFirstWait, doubles, and ends at `longest_wait`.
  void set_longest_wait(Seconds longest_wait) { longest_wait_ = longest_wait; }

  // Whether a mail may start at `now`: all may, or it is the probe's time.
  bool may_start(Time now) const;
  // Says so; the ticket goes to ended() with the reply.
  std::uint64_t started();
  // It was started in error, and is not.
  void taken_back(std::uint64_t ticket);

  struct Verdict {
    bool trouble = false;   // the reply is the relay's, not the destination's: kRelayTrouble
    bool worsened = false;  // trouble began, or the probe failed: worth a line in the log
    bool recovered = false;
    // Deliveries that were judged by refusals which have turned out to be the relay's.
    std::vector<std::string> misjudged;
    // Deliveries whose refusals may have been the relay's, and will not be known: nobody is to
    // blame.
    std::vector<std::string> doubtful;
  };
  // `domain` is the recipient's.
  Verdict ended(std::uint64_t ticket, const std::string& id, const std::string& domain,
                const Reply& reply, Time now);

  // Whether the delivery's refusal may still turn out to be the relay's.
  bool suspects(const std::string& id) const;

  bool in_trouble() const { return failures_ > 0; }
  Time next_probe() const { return probe_at_; }
  Time since() const { return since_; }
  const std::string& text() const { return text_; }  // the relay's last words

 private:
  bool is_refusal_by_relay(const Reply& reply) const;
  bool completes_streak(const std::string& id, const std::string& domain, const Reply& reply);
  void fail(const Reply& reply, Time now);

  Seconds longest_wait_ = std::chrono::minutes(5);
  std::uint64_t era_ = 0;  // grows when trouble begins or ends: older replies are no news
  int failures_ = 0;       // of probes in a row, the first trouble included
  bool probing_ = false;
  Time since_, probe_at_;
  std::string text_;
  // The streak of equal refusals, and after it has become trouble their code.
  int streak_code_ = 0;
  std::set<std::string> streak_domains_;
  std::vector<std::string> streak_ids_;
};

}  // namespace rapporteur
