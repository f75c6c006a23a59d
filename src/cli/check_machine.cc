// The machine: who may read what, room on its disk, and its clock.

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "aggregate/tally.h"
#include "cli/check.h"
#include "cli/print.h"
#include "store/open.h"

namespace rapporteur {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSqlite = "sqlite:";
constexpr unsigned kMegabyteBits = 20;

// The folder in which the daemon keeps its files; empty: there is none.
std::string state_folder(const Config& config) {
  const auto& url = config.store.url;
  if (!url.starts_with(kSqlite)) {
    // The daemon makes it when it needs it.
    const fs::path spill(config.store.spill);
    std::error_code ignored;
    return fs::exists(spill, ignored) ? spill.string() : spill.parent_path().string();
  }
  const auto path = url.substr(kSqlite.size());
  if (path == ":memory:") return {};
  const auto folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

struct User {
  uid_t id = 0;
  std::string name;
  std::vector<gid_t> groups;
};

User user_of(uid_t id) {
  User user{.id = id, .name = std::to_string(id), .groups = {}};
  const passwd* const entry = getpwuid(id);
  if (entry == nullptr) return user;
  user.name = entry->pw_name;
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (getgrouplist(entry->pw_name, entry->pw_gid, user.groups.data(), &count) < 0) {
    user.groups.resize(static_cast<std::size_t>(count));
    getgrouplist(entry->pw_name, entry->pw_gid, user.groups.data(), &count);
  }
  user.groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  return user;
}

// By the bits of its mode; access control lists are not looked at.
bool may(const User& user, const struct stat& status, unsigned bits) {
  if (user.id == 0) return true;
  if (status.st_uid == user.id) return ((status.st_mode >> 6U) & bits) == bits;
  const bool member = std::ranges::find(user.groups, status.st_gid) != user.groups.end();
  return ((member ? (status.st_mode >> 3U) : status.st_mode) & bits) == bits;
}

// The first folder above the file that the user may not pass; empty: none.
std::string closed_folder(const User& user, const std::string& path) {
  std::error_code ignored;
  fs::path folder;
  for (const auto& part : fs::absolute(path, ignored).parent_path()) {
    folder /= part;
    struct stat status {};
    if (stat(folder.c_str(), &status) == 0 && !may(user, status, 1)) return folder.string();
  }
  return {};
}

// The files of a database that somebody else has made, such as root with a command.
void check_database_files(const Config& config, const User& daemon, Checks& checks) {
  if (!config.store.url.starts_with(kSqlite)) return;
  const auto path = config.store.url.substr(kSqlite.size());
  for (const auto* const ending : {"", "-wal", "-shm"}) {
    const auto file = path + ending;
    struct stat status {};
    if (stat(file.c_str(), &status) != 0 || may(daemon, status, 6)) continue;
    checks.fault(
        "permissions of " + file,
        fmt::format("{}, to whom the daemon's folder belongs, may not write to it", daemon.name),
        fmt::format("chown {} {}, and run the commands as that user", daemon.name,
                    shell_word(file)));
  }
}

void check_secret(const std::string& path, const User& daemon, Checks& checks) {
  struct stat status {};
  const auto check = "permissions of " + path;
  if (stat(path.c_str(), &status) != 0) return;  // read a moment ago; the next check tells
  if (const auto closed = closed_folder(daemon, path); !closed.empty()) {
    return checks.fault(
        check,
        fmt::format("{}, to whom the daemon's folder belongs, may not pass {}", daemon.name,
                    closed),
        fmt::format("chmod o+x {}, or keep the file elsewhere", shell_word(closed)));
  }
  if (!may(daemon, status, 4)) {
    return checks.fault(
        check, fmt::format("{}, to whom the daemon's folder belongs, cannot read it", daemon.name),
        fmt::format("chown {} {}", daemon.name, shell_word(path)));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return checks.warning(check, "others than its owner may write it",
                          fmt::format("chmod go-w {}", shell_word(path)));
  }
  checks.ok(check, fmt::format("mode {:04o}", status.st_mode & 07777U));
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{} MiB", bytes >> kMegabyteBits);
}

}  // namespace

void check_permissions(const CheckScene& scene, Checks& checks) {
  const auto folder = state_folder(scene.config);
  struct stat status {};
  User daemon = user_of(geteuid());
  if (!folder.empty()) {
    const auto check = "permissions of " + folder;
    if (stat(folder.c_str(), &status) != 0) {
      checks.fault(check, std::generic_category().message(errno),
                   fmt::format("make it, and give it to the daemon's user: install -d -m 0750 -o "
                               "rapporteur {}",
                               shell_word(folder)));
    } else {
      if (status.st_uid != 0) daemon = user_of(status.st_uid);
      if (!may(daemon, status, 3)) {
        checks.fault(check, fmt::format("its owner {} may not write there", daemon.name),
                     fmt::format("chmod u+rwx {}", shell_word(folder)));
      } else if (geteuid() != 0 && geteuid() != daemon.id) {
        checks.warning(
            check,
            fmt::format("it belongs to {}, and this is {}", daemon.name, user_of(geteuid()).name),
            "run the commands as the daemon's user");
      } else {
        checks.ok(check, fmt::format("it belongs to {}", daemon.name));
      }
    }
  }
  check_database_files(scene.config, daemon, checks);
  for (const auto& key : scene.config.dkim) check_secret(key.path, daemon, checks);
  const auto& received = scene.config.received;
  std::vector<std::string> files = {scene.config.delivery.smtp.password_file, received.certificate,
                                    received.key};
  if (const auto& http = scene.config.http) {
    files.insert(files.end(), {http->certificate, http->key, http->credentials});
  }
  for (const auto& file : files) {
    if (!file.empty()) check_secret(file, daemon, checks);
  }
}

void check_disk(const CheckScene& scene, Checks& checks) {
  const auto folder = state_folder(scene.config);
  if (folder.empty()) return;
  std::error_code failure;
  const auto space = fs::space(folder, failure);
  const auto check = "disk of " + folder;
  if (failure) return checks.fault(check, failure.message(), "make the folder");
  if (space.available < kLeastDiskRoom) {
    return checks.fault(check, megabytes(space.available) + " are left",
                        fmt::format("make room: {} are the least", megabytes(kLeastDiskRoom)));
  }
  checks.ok(check, megabytes(space.available) + " are left");
}

void check_clock(const CheckScene& scene, Checks& checks) {
  const auto now = scene.context.now();
  const auto seen = format_rfc3339(now);
  if (now < kEarliestNow) {
    return checks.fault("clock", seen + ": it is not set, and nothing is counted",
                        "set it, and let a time service keep it");
  }
  const auto& synchronised = scene.context.world.clock_is_synchronised;
  if (synchronised && !synchronised()) {
    return checks.warning(
        "clock", seen + ", and no time service keeps it",
        "run one, such as systemd-timesyncd or chrony: windows end by this clock");
  }
  checks.ok("clock", seen);
}

}  // namespace rapporteur
