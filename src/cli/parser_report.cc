#include "cli/parser_report.h"

#include <CLI/CLI.hpp>

#include "cli/parser_options.h"

namespace rapporteur {

void add_report_commands(const AddCommand& add, const Context& context,
                         ReportArguments& arguments) {
  auto& wanted = arguments.preview;
  auto* preview =
      add("preview", "exactly what is sent for a window", "report preview example.org --as eml",
          [&] { return report_preview(context, wanted); });
  preview->add_option("DOMAIN", wanted.domain, "recipient domain")->required();
  add_time(preview, "--window", wanted.window, "the window that begins then (the newest)");
  add_number(preview, "--supplement", 0, wanted.supplement, "of several, this one (the last)");
  add_number(preview, "--part", 1, wanted.part, "this part (the first)");
  preview
      ->add_option_function<std::string>(
          "--as", [&wanted](const std::string& form) { wanted.as_mail = form == "eml"; },
          "json: the report; eml: the signed mail (json)")
      ->option_text("FORM")
      ->check(CLI::IsMember({"json", "eml"}));

  auto* list = add("list", "what was assembled", "report list --domain example.org",
                   [&] { return report_list(context, arguments.list); });
  add_domain_filter(list, arguments.list.domain);
  add_limit(list, arguments.list.limit);
  add("show", "one report and its deliveries", "report show ID --json",
      [&] { return report_show(context, arguments.id); })
      ->add_option("ID", arguments.id, "its report-id")
      ->required();
  auto* test = add("test", "send a sample report, marked as one, and show what was said",
                   "report test --to tlsrpt@example.org",
                   [&] { return report_test(context, arguments.test); });
  test->add_option("--to", arguments.test.to, "an address or an https URL")
      ->option_text("ADDRESS|URL")
      ->required();
  test->add_option(
          "--domain", arguments.test.domain,
          "the recipient domain whose settings hold (that of the address or URL, if it names one)")
      ->option_text("DOMAIN");
}

}  // namespace rapporteur
