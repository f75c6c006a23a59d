#pragma once
// A resolver that answers from a table and remembers what it was asked.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "dns/resolver.h"

namespace rapporteur::testing_support {

class TableResolver final : public Resolver {
 public:
  // Names that are not in the table do not exist.
  std::map<std::string, TxtAnswer> answers;
  std::vector<std::string> asked;

  void say(const std::string& name, std::vector<std::string> records) {
    answers[name] = {.status = TxtAnswer::Status::kFound, .records = std::move(records)};
  }
  void fail(const std::string& name, std::string problem) {
    answers[name] = {.status = TxtAnswer::Status::kTemporary, .problem = std::move(problem)};
  }

  TxtAnswer answer(const std::string& name) const {
    const auto found = answers.find(name);
    if (found != answers.end()) return found->second;
    return {.status = TxtAnswer::Status::kNone};
  }

  std::vector<TxtAnswer> txt(std::span<const std::string> names) override {
    std::vector<TxtAnswer> result;
    for (const auto& name : names) {
      asked.push_back(name);
      result.push_back(answer(name));
    }
    return result;
  }

  void interrupt() override {}
};

}  // namespace rapporteur::testing_support
