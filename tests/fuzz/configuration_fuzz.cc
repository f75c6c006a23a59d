// Any text as a configuration: what parse_config() and config_text() promise of all of them. The
// files that a text may name are those of one folder that is made for the purpose; everything else
// is not there, wherever it points, and neither are users and groups but root.

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"
#include "config/source_text.h"
#include "fuzz/require.h"

// The linker puts these in the place of the functions of the C library: --wrap in CMakeLists.txt.
extern "C" {

int __real_open(const char* path, int flags, ...);
passwd* __real_getpwnam(const char* name);
group* __real_getgrnam(const char* name);

int __wrap_open(const char* path, int flags, ...);
passwd* __wrap_getpwnam(const char* name);
group* __wrap_getgrnam(const char* name);

int __wrap_open(const char* path, int flags, ...) {
  const std::string_view name(path);
  const bool reads = (flags & O_ACCMODE) == O_RDONLY && (flags & O_CREAT) == 0;
  if (!reads || name.empty() || name.starts_with('.') || name.find('/') != name.npos) {
    errno = ENOENT;
    return -1;
  }
  return __real_open(path, flags);
}

passwd* __wrap_getpwnam(const char* name) {
  static passwd root{};
  return std::string_view(name) == "root" ? &root : nullptr;
}

group* __wrap_getgrnam(const char* name) {
  static group root{};
  return std::string_view(name) == "root" ? &root : nullptr;
}

}  // extern "C"

namespace {

namespace fs = std::filesystem;
using namespace rapporteur;
using fuzz::require;

constexpr std::string_view kName = "r.toml";

// The working directory of the process, gone when the process ends.
class Folder {
 public:
  Folder() : before_(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "configuration_fuzz.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    fs::current_path(path_);
    fs::copy_file(TEST_ROOT "/config/data/ed25519.pem", "ed25519.pem");
    fs::copy_file(TEST_ROOT "/config/data/rsa1024.pem", "rsa1024.pem");
    for (const char* key : {"ed25519.pem", "rsa1024.pem"}) ::chmod(key, 0600);
    write("password", "secret\n", 0600);
    write("public", "secret\n", 0644);
    write("empty", "", 0600);
    write("list",
          "# domains\nexample.com\nb\xC3\xBC"
          "cher.example  Bob \"B\" \\ \n\texample.net\r\n",
          0600);
    write("bad", "\xFF\n", 0600);
  }
  ~Folder() {
    std::error_code ignored;
    fs::current_path(before_, ignored);
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

 private:
  static void write(const char* name, std::string_view content, mode_t mode) {
    std::ofstream(name, std::ios::binary) << content;
    ::chmod(name, mode);
  }

  fs::path before_;
  fs::path path_;
};

// Of a very long line only a part is shown, between ellipses.
void check_line(std::string_view line, const ConfigDiagnostic& found) {
  constexpr std::string_view kEllipsis = "…";
  const std::string what = found.text();
  std::string_view shown = found.line;
  if (shown != line) {
    if (shown.starts_with(kEllipsis)) shown.remove_prefix(kEllipsis.size());
    if (shown.ends_with(kEllipsis)) shown.remove_suffix(kEllipsis.size());
    // The line may have begun or ended with an ellipsis of its own.
    require(shown.size() + 2 * kEllipsis.size() >= 1000 && line.find(shown) != line.npos,
            "a diagnostic shows its line", what);
  } else {
    require(found.line_column == 1, "a whole line begins at its first column", what);
  }
  require(found.where.column >= found.line_column, "the place is in what is shown", what);
  const auto before = static_cast<std::size_t>(found.where.column - found.line_column);
  const auto characters = count_characters(found.line);
  // What ends the line, CR and LF, may be underlined.
  require(before <= characters + 1 && before + found.length <= characters + 2,
          "a diagnostic ends with its line at the latest", what);
}

void check_place(const SourceText& source, const ConfigDiagnostic& found) {
  const std::string what = found.text();
  require(found.where.file == kName, "a diagnostic names the file", what);
  require(found.length >= 1, "a diagnostic covers something", what);
  if (found.where.line == 0) {
    require(found.where.column == 0 && found.line.empty(), "the file as a whole has no place",
            what);
    return;
  }
  require(found.where.line >= 1 && found.where.column >= 1, "lines and columns count from 1", what);
  const auto place = source.place_of(source.offset_of({found.where.line, found.where.column}));
  require(place.line == found.where.line && place.column == found.where.column,
          "a diagnostic stands in the text", what);
  check_line(source.line(found.where.line), found);
}

void check_diagnostics(std::string_view text, const LoadedConfig& loaded) {
  const SourceText source(text);
  bool error = false;
  std::pair<int, int> last{0, 0};
  for (const ConfigDiagnostic& found : loaded.diagnostics) {
    error = error || found.severity == expr::Severity::kError;
    require(!found.message.empty() && found.message.find('\n') == std::string::npos,
            "a message is one line", found.text());
    check_place(source, found);
    if (found.message.ends_with(" are not shown")) continue;  // how many there are besides
    const std::pair place(found.where.line, found.where.column);
    require(place >= last, "diagnostics are in the order of the file", found.text());
    last = place;
  }
  require((loaded.config == nullptr) == error, "there is a configuration or an error");
}

// What is shown of a configuration is a configuration, the same one.
void check_shown(const Config& config) {
  const std::string shown = config_text(config);
  const auto again = parse_config(shown, std::string(kName));
  for (const auto& found : again.diagnostics) {
    require(found.severity != expr::Severity::kError, "what is shown is accepted", found.text());
  }
  require(config_text(*again.config) == shown, "what is shown is shown the same way",
          shown + "\n" + config_text(*again.config));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string text(data, data + size);
  const auto loaded = parse_config(text, std::string(kName));
  check_diagnostics(text, loaded);
  if (loaded.config) check_shown(*loaded.config);
  return 0;
}
