// rapporteur config import-stalwart: Stalwart's report settings as tables of our configuration.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "config/stalwart.h"

namespace rapporteur {

namespace {

// Up to one byte more than an import takes.
Result<std::string> read_some(int fd, const std::string& name) {
  std::string content;
  std::array<char, 65536> buffer{};
  while (content.size() <= kMaxStalwartFile) {
    const auto size = ::read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error{Fault::kPermanent, system_error("cannot read " + name)};
    if (size == 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return content;
}

Result<std::string> read_input(const std::string& path, const std::string& name) {
  if (path == "-") return read_some(STDIN_FILENO, name);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{Fault::kPermanent, system_error("cannot open " + path)};
  return read_some(fd.get(), name);
}

// One line for each setting that the administrator has to look at.
void tell_of(const Context& context, const std::string& name,
             const std::vector<ImportedSetting>& settings) {
  for (const auto& setting : settings) {
    const bool left_out = setting.status == ImportedSetting::Status::kLeftOut;
    const bool remark =
        setting.status == ImportedSetting::Status::kImported && !setting.reason.empty();
    if (!left_out && !remark) continue;
    context.world.err << fmt::format("rapporteur: {}: {}{}: {}\n", printable(name),
                                     printable(setting.setting), left_out ? " is left out" : "",
                                     printable(setting.reason));
  }
}

void print_json(const Context& context, const StalwartImport& import) {
  auto settings = Json::array();
  for (const auto& setting : import.settings) {
    settings.add(Json::object()
                     .set("setting", setting.setting)
                     .set("status", to_string(setting.status))
                     .set("source", Json::text_or_null(setting.source))
                     .set("reason", Json::text_or_null(setting.reason)));
  }
  context.print(Json::object().set("toml", import.toml).set("settings", std::move(settings)));
}

}  // namespace

int config_import_stalwart(const Context& context, const std::string& path) {
  const std::string name = path == "-" ? "standard input" : path;
  const auto text = read_input(path, name);
  if (!text) return fail(context, text.error());
  // Expressions may depend on [system]; a configuration need not be there yet.
  const auto config = load_config(context.config_path).config;
  const auto import = import_stalwart(*text, name, config ? config->domain : "example.org",
                                      config ? config->hostname : "mail.example.org");
  if (!import) return fail(context, import.error());
  if (context.json) {
    print_json(context, *import);
  } else {
    context.world.out << import->toml;
  }
  tell_of(context, name, import->settings);
  return kExitDone;
}

}  // namespace rapporteur
