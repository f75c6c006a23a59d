// Loading a configuration with five thousand overrides, and parsing its TOML alone.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>
#include <toml++/toml.h>

#include "config/config.h"

namespace rapporteur::bench {
namespace {

std::string many_overrides() {
  std::string text = "[system]\ndomain = \"example.org\"\n[delivery.smtp]\nrelaySigns = true\n";
  for (int i = 0; i < 5'000; ++i) {
    const std::string name = "customer" + std::to_string(i) + ".example";
    text += "[report.tls.domain.\"" + std::string(i % 3 == 0 ? "*." : "") + name + "\"]\n";
    text +=
        "sendFrequency = [ { if = \"ends_with(rcpt_domain, '.gov')\", then = \"hourly\" }, "
        "{ if = '''matches('^mx[0-9]+\\.', rcpt_domain)''', then = \"weekly\" }, { else = "
        "\"daily\" } ]\n";
    text += "orgName = \"'Customer " + std::to_string(i) + " of ' + system('domain')\"\n";
    text += "maxReportSize = \"5mb\"\n";
  }
  return text;
}

void load_5000_overrides(benchmark::State& state) {
  const auto text = many_overrides();
  for (auto _ : state) {
    const auto loaded = parse_config(text, "bench.toml");
    if (!loaded.config) {
      state.SkipWithError("the configuration is not accepted");
      return;
    }
    benchmark::DoNotOptimize(loaded.config.get());
  }
}
BENCHMARK(load_5000_overrides)->Unit(benchmark::kMillisecond);

void toml_5000_overrides(benchmark::State& state) {
  const auto text = many_overrides();
  for (auto _ : state) benchmark::DoNotOptimize(toml::parse(text));
}
BENCHMARK(toml_5000_overrides)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rapporteur::bench
