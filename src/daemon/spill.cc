#include "daemon/spill.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/hash.h"
#include "base/text.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

constexpr mode_t kFolderMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::string_view kExtension = ".spill";
constexpr std::string_view kBroken = ".broken";
constexpr std::size_t kTokenLength = 8;

// The name of a node as the name of a file: what is no letter, digit, dot, '-' or '_' is "%" and
// its number.
std::string file_name_of(std::string_view node) {
  std::string name;
  for (const char c : node) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || (c == '.' && !name.empty());
    name += plain ? std::string(1, c) : '%' + hex({&c, 1});
  }
  return name.empty() ? "%" : name;
}

void sync_folder(const std::string& path) {
  const Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
}

Result<void> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), kFolderMode) != 0) {
    struct stat status {};
    const bool there = errno == EEXIST && stat(path.c_str(), &status) == 0;
    if (there && S_ISDIR(status.st_mode)) return {};
    if (there) errno = ENOTDIR;
    return Error{Fault::kTransient, system_error("cannot make the folder " + path)};
  }
  sync_folder(fs::path(path).parent_path().string());
  return {};
}

// A file that was being written when its process ended: "NAME.spill.XXXXXX".
bool is_unfinished(const std::string& name) {
  constexpr std::size_t kSuffix = 7;
  return name.size() > kSuffix && name[name.size() - kSuffix] == '.' &&
         std::string_view(name).substr(0, name.size() - kSuffix).ends_with(kExtension);
}

}  // namespace

Spill::Spill(const std::string& folder, const std::string& node, Random& random, Log& log,
             DaemonMetrics& metrics)
    : parent_(folder),
      folder_(folder + '/' + file_name_of(node)),
      prefix_(file_name_of(node) + '-' + random_token(random, kTokenLength) + '-'),
      log_(log),
      metrics_(metrics) {}

Result<void> Spill::open() {
  if (lock_) return {};
  for (const auto& folder : {parent_, folder_}) {
    if (auto made = make_folder(folder); !made) return made;
  }
  if (auto locked = lock(); !locked) return locked;
  if (auto listed = list(); !listed) {
    lock_ = Fd();
    return listed;
  }
  tell();
  return {};
}

Result<void> Spill::lock() {
  const auto path = path_of("lock");
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode));
  if (!fd) return Error{Fault::kTransient, system_error("cannot open " + path)};
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error{Fault::kTransient, system_error("cannot lock " + path)};
    const auto holder = read_file(path);
    const auto process = holder ? std::string(trim(*holder)) : std::string();
    return Error{Fault::kConfig, "another daemon" +
                                     (process.empty() ? "" : " (process " + process + ")") +
                                     " spills to " + folder_ +
                                     ": give each its own [store] node, or its own [store] spill"};
  }
  const auto process = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), process.data(), process.size(), 0) != static_cast<ssize_t>(process.size())) {
    return Error{Fault::kTransient, system_error("cannot write " + path)};
  }
  lock_ = std::move(fd);
  return {};
}

Result<void> Spill::list() {
  struct Found {
    fs::file_time_type written;
    File file;
  };
  std::vector<Found> found;
  std::error_code failure;
  for (fs::directory_iterator entry(folder_, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const auto name = entry->path().filename().string();
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    if (is_unfinished(name)) fs::remove(entry->path(), ignored);
    if (!name.ends_with(kExtension)) continue;
    found.push_back({entry->last_write_time(ignored), {name, entry->file_size(ignored)}});
  }
  if (failure) return Error{Fault::kTransient, "cannot list " + folder_ + ": " + failure.message()};
  std::ranges::sort(found, [](const Found& a, const Found& b) {
    return std::tie(a.written, a.file.name) < std::tie(b.written, b.file.name);
  });
  for (auto& [written, file] : found) {
    bytes_ += file.bytes;
    files_.push_back(std::move(file));
  }
  return {};
}

Result<void> Spill::write(std::span<const Tally* const> tallies, std::uint64_t max_bytes,
                          const std::optional<FlushId>& flush) {
  if (auto opened = open(); !opened) return opened;
  const auto stem = prefix_ + std::to_string(++number_);
  const auto bytes = write_spilled_counts(flush.value_or(FlushId{"spill:" + stem, 1}), tallies);
  if (bytes.size() > max_bytes || bytes_ > max_bytes - bytes.size()) {
    return Error{Fault::kPermanent, "the folder " + folder_ + " is full: [store] spillMax"};
  }
  File file{stem + std::string(kExtension), bytes.size()};
  if (auto written = write_file(path_of(file.name), bytes, kFileMode); !written) return written;
  bytes_ += file.bytes;
  files_.push_back(std::move(file));
  metrics_.spills_written.add();
  tell();
  return {};
}

std::optional<std::string> Spill::oldest() const {
  if (files_.empty()) return std::nullopt;
  return path_of(files_.front().name);
}

Spill::File Spill::take_oldest() {
  auto file = std::move(files_.front());
  files_.pop_front();
  bytes_ -= file.bytes;
  tell();
  return file;
}

Result<void> Spill::remove() {
  stored_.push_back(take_oldest().name);
  metrics_.spills_recovered.add();
  return tidy();
}

Result<void> Spill::tidy() {
  std::string why;
  std::erase_if(stored_, [&](const std::string& name) {
    if (unlink(path_of(name).c_str()) == 0 || errno == ENOENT) return true;
    why = system_error("cannot remove " + path_of(name));
    return false;
  });
  sync_folder(folder_);
  if (!why.empty()) return Error{Fault::kTransient, why};
  return {};
}

void Spill::set_aside() {
  const auto name = take_oldest().name;
  const auto stem = name.substr(0, name.size() - kExtension.size());
  static_cast<void>(rename(path_of(name).c_str(), path_of(stem + std::string(kBroken)).c_str()));
  sync_folder(folder_);
  metrics_.spills_broken.add();
}

void Spill::postpone() {
  files_.push_back(std::move(files_.front()));
  files_.pop_front();
}

void Spill::tell() {
  metrics_.spilled_bytes.set(static_cast<std::int64_t>(bytes_));
  metrics_.spilled_files.set(static_cast<std::int64_t>(files_.size()));
}

}  // namespace rapporteur
