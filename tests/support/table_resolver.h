#pragma once
// A resolver that answers from a table and remembers what it was asked.

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "dns/resolver.h"

namespace rapporteur::testing_support {

// say(), fail() and ask() in any thread; the members when no other is at work.
class TableResolver final : public Resolver {
 public:
  // Questions that are not in the table have no answer: their names do not exist.
  std::map<DnsQuestion, DnsAnswer> answers;
  std::vector<std::string> asked;      // names, whatever was asked about them
  std::vector<DnsQuestion> questions;  // the same with their types
  int calls = 0;                       // of ask()
  bool interrupted = false;

  void say(DnsType type, const std::string& name, std::vector<std::string> records,
           Seconds ttl = Seconds(0)) {
    set(type, name,
        {.status = DnsAnswer::Status::kFound, .records = std::move(records), .ttl = ttl});
  }
  void fail(DnsType type, const std::string& name, std::string problem) {
    set(type, name, {.status = DnsAnswer::Status::kTemporary, .problem = std::move(problem)});
  }
  void set(DnsType type, const std::string& name, DnsAnswer answer) {
    const std::lock_guard lock(mutex_);
    answers[{name, type}] = std::move(answer);
  }

  // TXT records.
  void say(const std::string& name, std::vector<std::string> records) {
    say(DnsType::kTxt, name, std::move(records));
  }
  void fail(const std::string& name, std::string problem) {
    fail(DnsType::kTxt, name, std::move(problem));
  }

  DnsAnswer answer(const std::string& name, DnsType type = DnsType::kTxt) const {
    const std::lock_guard lock(mutex_);
    return find({name, type});
  }

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> wanted) override {
    const std::lock_guard lock(mutex_);
    ++calls;
    std::vector<DnsAnswer> result;
    for (const auto& question : wanted) {
      asked.push_back(question.name);
      questions.push_back(question);
      result.push_back(find(question));
    }
    return result;
  }

  void interrupt() override {
    const std::lock_guard lock(mutex_);
    interrupted = true;
  }

 private:
  DnsAnswer find(const DnsQuestion& question) const {
    if (interrupted) {
      return {.status = DnsAnswer::Status::kTemporary, .problem = "interrupted"};
    }
    const auto found = answers.find(question);
    if (found != answers.end()) return found->second;
    return {.status = DnsAnswer::Status::kNone};
  }

  mutable std::mutex mutex_;
};

}  // namespace rapporteur::testing_support
