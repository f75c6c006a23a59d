#include "cli/parser_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace rapporteur {

namespace {

constexpr std::size_t kMaxLimit = 1'000'000;
constexpr int kMaxNumber = 1'000'000;

}  // namespace

void add_time(CLI::App* app, const std::string& name, std::optional<Time>& target,
              const std::string& help) {
  const auto take = [&target, name](const std::string& text) {
    target = parse_time(text);
    if (!target) throw CLI::ValidationError(name, fmt::format("'{}' is no time", text));
  };
  app->add_option_function<std::string>(name, take, help)->option_text("TIME");
}

void add_domain_filter(CLI::App* app, std::string& target) {
  app->add_option("--domain", target, "only this recipient domain, or those that match a glob")
      ->option_text("GLOB");
}

void add_limit(CLI::App* app, std::size_t& target) {
  app->add_option("--limit", target, "at most so many rows (100)")
      ->option_text("N")
      ->check(CLI::Range(std::size_t{1}, kMaxLimit));
}

void add_number(CLI::App* app, const std::string& name, int least, std::optional<int>& target,
                const std::string& help) {
  app->add_option_function<int>(
         name, [&target](const int& number) { target = number; }, help)
      ->option_text("N")
      ->check(CLI::Range(least, kMaxNumber));
}

}  // namespace rapporteur
