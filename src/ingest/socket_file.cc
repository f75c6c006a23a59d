#include "ingest/socket_file.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace rapporteur {

namespace {

constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

Error trouble(const std::string& what) {
  return Error{Fault::kConfig, system_error(what)};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

std::optional<unsigned> parse_id(const std::string& text) {
  unsigned id = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end) return std::nullopt;
  return id;
}

constexpr std::size_t kEntryBytes = 65536;

Result<uid_t> find_user(const std::string& name) {
  if (name.empty()) return static_cast<uid_t>(-1);
  if (const auto id = parse_id(name)) return static_cast<uid_t>(*id);
  std::vector<char> buffer(kEntryBytes);
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return Error{Fault::kConfig, "there is no user '" + name + "'"};
  return found->pw_uid;
}

Result<gid_t> find_group(const std::string& name) {
  if (name.empty()) return static_cast<gid_t>(-1);
  if (const auto id = parse_id(name)) return static_cast<gid_t>(*id);
  std::vector<char> buffer(kEntryBytes);
  group entry{};
  group* found = nullptr;
  getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return Error{Fault::kConfig, "there is no group '" + name + "'"};
  return found->gr_gid;
}

// Succeeds if nothing stands at the path, or the socket of a process that is gone.
Result<void> check_place(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return trouble("cannot look at " + path);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Error{Fault::kConfig, path + " exists and is no socket"};
  }
  const Fd probe(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return trouble("cannot make a socket");
  const auto address = address_of(path);
  if (connect(probe.get(), generic(address), sizeof address) == 0 || errno == EPROTOTYPE) {
    return Error{Fault::kConfig, path + " is served by another process"};
  }
  if (errno == ECONNREFUSED || errno == ENOENT) return {};
  return trouble("cannot find out whether " + path + " is served");
}

// Removes the temporary name unless it became the real one.
class TemporaryName {
 public:
  TemporaryName(int directory, std::string name) : directory_(directory), name_(std::move(name)) {
    remove();
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  ~TemporaryName() { remove(); }

  const char* c_str() const { return name_.c_str(); }

 private:
  void remove() { unlinkat(directory_, name_.c_str(), 0); }

  int directory_;
  std::string name_;
};

Result<BoundSocket> bind_in(int directory, const std::string& parent, const std::string& name,
                            const DatagramSocketOptions& options, uid_t owner, gid_t group) {
  BoundSocket bound;
  bound.socket = Fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!bound.socket) return trouble("cannot make a socket");
  const int fd = bound.socket.get();
  // The file that bind() makes inherits this mode: until the mode that was asked for is set, only
  // we can reach it.
  if (fchmod(fd, S_IRUSR | S_IWUSR) != 0) return trouble("cannot set the mode of a socket");

  const TemporaryName temporary(directory, ".rapporteur-" + std::to_string(getpid()));
  auto place = parent + temporary.c_str();
  // A long path leaves no room for a longer name.
  if (place.size() > kMaxPath) {
    place = "/proc/self/fd/" + std::to_string(directory) + "/" + temporary.c_str();
  }
  const auto address = address_of(place);
  if (bind(fd, generic(address), sizeof address) != 0) {
    return trouble("cannot make the socket " + options.path);
  }
  const bool chown_asked = owner != static_cast<uid_t>(-1) || group != static_cast<gid_t>(-1);
  if (chown_asked && fchownat(directory, temporary.c_str(), owner, group, 0) != 0) {
    return trouble("cannot set owner '" + options.owner + "' and group '" + options.group +
                   "' of " + options.path);
  }
  if (fchmodat(directory, temporary.c_str(), options.mode & 07777U, 0) != 0) {
    return trouble("cannot set the mode of " + options.path);
  }
  struct stat status {};
  if (fstatat(directory, temporary.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    return trouble("cannot give the socket its name " + options.path);
  }
  bound.device = status.st_dev;
  bound.inode = status.st_ino;
  return bound;
}

}  // namespace

Result<BoundSocket> bind_datagram_socket(const DatagramSocketOptions& options) {
  const auto& path = options.path;
  if (path.size() > kMaxPath) {
    return Error{Fault::kConfig, "the socket path " + path + " has " + std::to_string(path.size()) +
                                     " bytes; at most " + std::to_string(kMaxPath) +
                                     " are possible"};
  }
  const auto slash = path.rfind('/');
  const auto name = path.substr(slash == path.npos ? 0 : slash + 1);
  if (name.empty()) return Error{Fault::kConfig, "the socket path '" + path + "' names no file"};
  const auto owner = find_user(options.owner);
  if (!owner) return owner.error();
  const auto group = find_group(options.group);
  if (!group) return group.error();

  const auto parent = slash == path.npos ? std::string("./") : path.substr(0, slash + 1);
  const Fd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return trouble("cannot open the directory " + parent);
  // Two processes that start at the same time look at the path one after the other. The lock ends
  // with the descriptor.
  if (flock(directory.get(), LOCK_EX) != 0) return trouble("cannot lock the directory " + parent);
  if (auto place = check_place(path); !place) return std::move(place).error();
  return bind_in(directory.get(), parent, name, options, *owner, *group);
}

}  // namespace rapporteur
