#pragma once
// The settings of one recipient domain: which rule holds, and what it yields. Supplies the
// variables that config/settings.h declares.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "model/counts.h"
#include "model/window.h"

namespace rapporteur {

// What expressions may ask about the window that is being assembled.
struct WindowFacts {
  Period period;
  Frequency frequency = Frequency::kDaily;
  std::uint64_t successful = 0;
  std::uint64_t failed = 0;
  std::vector<std::string> policy_types;  // each once, sorted
  std::vector<std::string> result_types;  // each once, sorted
  std::vector<std::string> rua;
};

// Of `rua`, the record's destinations, as many as [delivery] maxDestinations allows.
WindowFacts facts_of(const Config& config, const Window& window, const WindowCounts& counts,
                     std::vector<std::string> rua);

// What only `subject` may ask.
struct PartFacts {
  std::string submitter;
  std::string report_id;
  int part = 1;
  int parts = 1;
};

struct Question {
  std::string domain;                   // rcpt_domain, normalised
  const WindowFacts* window = nullptr;  // null: only rcpt_domain has a value
  const PartFacts* part = nullptr;
  std::string delivery_id;   // for envelopeFrom
  expr::Dns* dns = nullptr;  // answers dns_query(); null: it fails
};

// A setting's value and how it came about. The conditions of the trace are
// kept only by evaluate_all() with `traced`.
struct Answer {
  Answer() {}  // not defaulted: g++ would clear the memory of all members first

  Setting setting = Setting::kFromName;
  std::optional<expr::Value> value;  // of the one form that conform() gives
  std::string problem;               // one sentence if there is no value
  const Rule* rule = nullptr;        // points into the configuration; null: `derived_from` gave it
  std::optional<Setting> derived_from;
  expr::Trace trace;
};

Answer evaluate(const Config& config, Setting setting, const Question& question);

// Every setting in the order of kSettings. `traced`: with the value of each condition.
using Answers = std::array<Answer, kSettingCount>;
Answers evaluate_all(const Config& config, const Question& question, bool traced = false);

// The same as plain C++ values. Each fails with Fault::kConfig, naming the setting, the place of
// its rule and the problem.
Result<std::string> text_setting(const Config& config, Setting setting, const Question& question);
Result<std::vector<std::string>> list_setting(const Config& config, Setting setting,
                                              const Question& question);
Result<std::int64_t> number_setting(const Config& config, Setting setting,
                                    const Question& question);  // also truth values
Result<Frequency> frequency_setting(const Config& config, const std::string& domain);

}  // namespace rapporteur
