#include "cli/parser_received.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace rapporteur {

namespace {

// A time, or a duration before the present second.
void add_past(CLI::App* app, const std::string& name, const Context& context,
              std::optional<Time>& target, const std::string& help) {
  const auto take = [&target, &context, name](const std::string& text) {
    target = parse_time(text);
    if (target) return;
    const auto duration = parse_duration(text);
    if (!duration) throw CLI::ValidationError(name, fmt::format("'{}' is no time", text));
    target = context.now() - *duration;
  };
  app->add_option_function<std::string>(name, take, help + ", or a duration before now (30d)")
      ->option_text("TIME");
}

void add_domain(CLI::App* app, std::string& target) {
  app->add_option("--domain", target, "only about this policy domain, or those that match a glob")
      ->option_text("GLOB");
}

}  // namespace

void add_received_commands(const AddCommand& add, const Context& context,
                           ReceivedArguments& arguments) {
  add("add", "take reports: mails, JSON, gzip or zip", "received add - < report.eml",
      [&] { return received_add(context, arguments.paths); })
      ->add_option("FILE", arguments.paths, "files or Maildirs; - is standard input")
      ->required();

  auto* list = add("list", "what is kept, the newest first", "received list --failed",
                   [&] { return received_list(context, arguments.list); });
  add_domain(list, arguments.list.domain);
  list->add_option("--organization", arguments.list.organization,
                   "only of this organization, or those that match a glob")
      ->option_text("GLOB");
  list->add_flag("--failed", arguments.list.failed, "only reports with failed sessions");
  list->add_option("--limit", arguments.list.limit, "at most so many rows (100)")
      ->option_text("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  list->add_option("--after", arguments.list.after, "go on with what is older than this one")
      ->option_text("ID");

  add("show", "one report whole; with --json as it was received", "received show 3f0a99c2d1e4b756",
      [&] { return received_show(context, arguments.id); })
      ->add_option("ID", arguments.id, "its id, the beginning of it, or its report-id")
      ->required();

  auto* summary = add("summary", "sessions by domain, organization and failure, and what changed",
                      "received summary --domain example.org --since 7d",
                      [&] { return received_summary(context, arguments.summary); });
  add_domain(summary, arguments.summary.domain);
  add_past(summary, "--since", context, arguments.summary.since,
           "reports whose period begins then or later (30 days before the end)");
  add_past(summary, "--until", context, arguments.summary.until,
           "reports whose period begins before it (the end of today)");
  summary->add_flag("--csv", arguments.summary.csv, "print CSV, for spreadsheets");
}

}  // namespace rapporteur
