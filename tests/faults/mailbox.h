#pragma once
// The world beyond the transports: takes what is sent, answers as it is told, and remembers who
// sent what when, so that it can be asked afterwards whether anything came twice.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "deliver/transport.h"
#include "faults/fault_points.h"

namespace rapporteur::testing_support {

namespace answers {

inline Reply make(Reply::Outcome outcome, Stage stage, int code, std::string text) {
  return {outcome, stage, code, std::move(text), std::nullopt};
}
inline Reply accepted() {
  return make(Reply::Outcome::kAccepted, Stage::kFinal, 250, "250 ok (end of data)");
}
inline Reply later() {
  return make(Reply::Outcome::kTemporary, Stage::kRcptTo, 451, "451 later (RCPT TO)");
}
inline Reply refused() {
  return make(Reply::Outcome::kPermanent, Stage::kRcptTo, 550, "550 no user (RCPT TO)");
}
inline Reply lost() {
  return make(Reply::Outcome::kUncertain, Stage::kFinal, 0, "the connection was lost");
}
inline Reply relay_down() {
  return make(Reply::Outcome::kRelayTrouble, Stage::kConnect, 0, "no connection (connect)");
}
inline Reply host_down() {
  return make(Reply::Outcome::kTemporary, Stage::kConnect, 0, "no connection (connect)");
}
inline Reply server_error() {
  return make(Reply::Outcome::kTemporary, Stage::kRequest, 500, "500 (POST)");
}
inline Reply broken_off() {
  return make(Reply::Outcome::kInterrupted, Stage::kConnect, 0, "broken off (connect)");
}

}  // namespace answers

struct Attempt {
  std::uint64_t order = 0;  // among attempts and records
  int process = 0;          // by which life of the process
  std::string target;
  std::string payload;
  bool mail = false;
  bool accepted = false;    // by the other side
  bool reply_lost = false;  // the sender was not told
  bool interrupted = false;
};

// An attempt whose end is on disk as kDelivered.
struct DeliveredRecord {
  std::uint64_t order = 0;
  std::string delivery;
};

// Any thread.
class Mailbox {
 public:
  explicit Mailbox(FaultPoints& points) : points_(points) {}

  // The answers to what is sent to `target`, in turn; after them everything is accepted. An answer
  // that is uncertain is that of a message which was accepted.
  void reply(const std::string& target, Reply reply) {
    const std::lock_guard lock(mutex_);
    replies_[target].push_back(std::move(reply));
  }
  // As reply() with acceptance, and `then` is called when the message has come.
  void call(const std::string& target, std::function<void()> then) {
    const std::lock_guard lock(mutex_);
    calls_[target].push_back(std::move(then));
  }

  // Called for every message that is accepted, by the thread that sends it.
  void watch(std::function<void(const std::string& target)> watcher) {
    const std::lock_guard lock(mutex_);
    watcher_ = std::move(watcher);
  }

  // A new life of the process begins.
  void next_process() {
    const std::lock_guard lock(mutex_);
    ++process_;
  }
  void note_delivered(const std::string& delivery) {
    const std::lock_guard lock(mutex_);
    records_.push_back({++order_, delivery});
  }

  Reply carry(const std::string& target, std::string_view payload, bool mail) {
    const auto trouble = points_.visit(Seam::kTransport, target);
    std::function<void()> then;
    std::function<void(const std::string&)> watched;
    auto reply = [&] {
      const std::lock_guard lock(mutex_);
      Attempt attempt{++order_, process_, target, std::string(payload), mail};
      auto answer = answer_to(target, trouble, attempt);
      if (auto& calls = calls_[target]; attempt.accepted && !calls.empty()) {
        then = std::move(calls.front());
        calls.pop_front();
      }
      if (attempt.accepted) watched = watcher_;
      attempts_.push_back(std::move(attempt));
      return answer;
    }();
    if (then) then();
    if (watched) watched(target);
    if (trouble == Trouble::kDiesAfter) points_.die();
    return reply;
  }

  std::vector<Attempt> attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  std::vector<DeliveredRecord> delivered() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }

 private:
  // With the lock held.
  Reply answer_to(const std::string& target, std::optional<Trouble> trouble, Attempt& attempt) {
    using enum Reply::Outcome;
    if (trouble == Trouble::kDiesBefore) {
      attempt.interrupted = true;
      return answers::broken_off();
    }
    if (trouble == Trouble::kFails)
      return attempt.mail ? answers::later() : answers::server_error();
    if (trouble == Trouble::kIsBroken) {
      return attempt.mail ? answers::relay_down() : answers::host_down();
    }
    auto answer = answers::accepted();
    if (auto& replies = replies_[target]; !replies.empty()) {
      answer = std::move(replies.front());
      replies.pop_front();
    }
    if (trouble == Trouble::kLosesReply && answer.outcome == kAccepted) answer = answers::lost();
    attempt.accepted = answer.outcome == kAccepted || answer.outcome == kUncertain;
    attempt.reply_lost = answer.outcome == kUncertain || trouble == Trouble::kDiesAfter;
    return answer;
  }

  FaultPoints& points_;
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<Reply>> replies_;
  std::map<std::string, std::deque<std::function<void()>>> calls_;
  std::function<void(const std::string&)> watcher_;
  std::vector<Attempt> attempts_;
  std::vector<DeliveredRecord> records_;
  std::uint64_t order_ = 0;
  int process_ = 0;
};

class MailboxTransport final : public MailTransport, public HttpsTransport {
 public:
  explicit MailboxTransport(Mailbox& mailbox) : mailbox_(mailbox) {}
  Reply send(const std::string&, const std::string& recipient, std::string_view message) override {
    return mailbox_.carry(recipient, message, true);
  }
  Reply probe() override { return answers::accepted(); }
  Reply post(const std::string& url, std::string_view gz) override {
    return mailbox_.carry(url, gz, false);
  }

 private:
  Mailbox& mailbox_;
};

}  // namespace rapporteur::testing_support
