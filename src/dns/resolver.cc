#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include "base/file.h"
#include "base/ip.h"
#include "base/text.h"

namespace rapporteur {

namespace {

using Steady = std::chrono::steady_clock;

constexpr int kTypeTxt = 16;
constexpr int kClassIn = 1;
constexpr int kNoError = 0;
constexpr int kNxdomain = 3;
constexpr std::int64_t kLongestPoll = 60'000;  // milliseconds

struct ContextDeleter {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};
using Context = std::unique_ptr<ub_ctx, ContextDeleter>;

struct ResultDeleter {
  void operator()(ub_result* result) const { ub_resolve_free(result); }
};

std::string shown(std::string_view text) {
  return truncate_utf8(without_controls(to_valid_utf8(text.substr(0, 300))), 100);
}

// "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53" as libunbound writes it:
// "192.0.2.1@53".
Result<std::string> forward_address(const std::string& server) {
  const Error wrong{Fault::kConfig, "'" + shown(server) +
                                        "' is no DNS server: write ADDRESS, ADDRESS:PORT or "
                                        "[ADDRESS]:PORT"};
  std::string_view address = server;
  std::string_view port;
  if (address.starts_with('[')) {
    const auto close = address.find(']');
    if (close == address.npos) return wrong;
    port = address.substr(close + 1);
    address = address.substr(1, close - 1);
    if (!port.empty() && !port.starts_with(':')) return wrong;
  } else if (std::ranges::count(address, ':') == 1) {
    port = address.substr(address.find(':'));
    address = address.substr(0, address.find(':'));
  }
  const auto ip = parse_ip(address);
  if (!ip) return wrong;
  unsigned number = 53;
  if (!port.empty()) {
    port.remove_prefix(1);
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, number);
    if (error != std::errc() || stop != end || number < 1 || number > 65535) return wrong;
  }
  // A zone id ("%eth0") is part of where a link-local server is.
  const auto zone = address.find('%');
  const auto suffix = zone == address.npos ? std::string_view() : address.substr(zone);
  return format_ip(*ip) + std::string(suffix) + "@" + std::to_string(number);
}

Error unusable(std::string_view what, int code) {
  return Error{Fault::kConfig, std::string(what) + ": " + ub_strerror(code)};
}

// Which servers are asked.
Result<void> point_at_servers(ub_ctx* context, const ResolverOptions& options) {
  if (options.servers.empty()) {
    const int code = ub_ctx_resolvconf(context, nullptr);
    if (code != 0) return unusable("cannot use /etc/resolv.conf", code);
    return {};
  }
  for (const auto& server : options.servers) {
    const auto address = forward_address(server);
    if (!address) return address.error();
    const int code = ub_ctx_set_fwd(context, address->c_str());
    if (code != 0) return unusable("cannot use the DNS server " + *address, code);
  }
  return {};
}

// A context that can be asked at once. Everything that could be wrong with the options shows here.
Result<Context> make_context(const ResolverOptions& options) {
  Context context(ub_ctx_create());
  if (!context) return Error{Fault::kTransient, "cannot make a resolver: out of memory"};
  ub_ctx_debugout(context.get(), nullptr);  // it would write to standard error
  if (auto pointed = point_at_servers(context.get(), options); !pointed) return pointed.error();
  constexpr std::pair<const char*, const char*> kOptions[] = {
      {"do-not-query-localhost:", "no"},  // a resolver on the same machine is the usual case
      {"infra-keep-probing:", "yes"},     // a server that was down is asked again
      {"so-reuseport:", "no"},
  };
  for (const auto& [name, value] : kOptions) {
    const int code = ub_ctx_set_option(context.get(), name, value);
    if (code != 0) return unusable(std::string("cannot set the resolver's option ") + name, code);
  }
  if (!options.trust_anchor.empty()) {
    const int code = ub_ctx_add_ta_file(context.get(), options.trust_anchor.c_str());
    if (code != 0) return unusable("cannot use the trust anchor " + options.trust_anchor, code);
  }
  // Queries run in a thread of the context.
  if (const int code = ub_ctx_async(context.get(), 1); code != 0) {
    return unusable("cannot make a resolver's thread", code);
  }
  // libunbound answers this name itself; to do so it reads its configuration.
  ub_result* answer = nullptr;
  const int code = ub_resolve(context.get(), "localhost.", kTypeTxt, kClassIn, &answer);
  const std::unique_ptr<ub_result, ResultDeleter> owned(answer);
  if (code != 0) {
    const auto about = options.trust_anchor.empty()
                           ? std::string("cannot set up the resolver")
                           : "cannot use the trust anchor " + options.trust_anchor;
    return unusable(about, code);
  }
  if (!options.servers.empty()) {
    // The servers that the administrator names answer for these, too.
    for (const char* const zone : {"test.", "home.arpa."}) {
      ub_ctx_zone_remove(context.get(), zone);
    }
  }
  return context;
}

// RFC 1035, section 3.3.14: strings with their length before them. Nullopt if they do not fit.
std::optional<std::string> join_strings(std::string_view rdata) {
  std::string joined;
  while (!rdata.empty()) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(rdata.front()));
    rdata.remove_prefix(1);
    if (length > rdata.size()) return std::nullopt;
    joined += rdata.substr(0, length);
    rdata.remove_prefix(length);
  }
  return joined;
}

std::string rcode_name(int rcode) {
  switch (rcode) {
    case 1:
      return "FORMERR";
    case 2:
      return "SERVFAIL";
    case 4:
      return "NOTIMP";
    case 5:
      return "REFUSED";
    default:
      return "response code " + std::to_string(rcode);
  }
}

TxtAnswer temporary(std::string problem) {
  TxtAnswer answer;
  answer.status = TxtAnswer::Status::kTemporary;
  answer.problem = std::move(problem);
  return answer;
}

TxtAnswer read_result(const ub_result& result) {
  if (result.bogus != 0) {
    const std::string why = result.why_bogus != nullptr ? shown(result.why_bogus) : "";
    return temporary("DNSSEC validation failed" + (why.empty() ? "" : ": " + why));
  }
  if (result.rcode != kNoError && result.rcode != kNxdomain) {
    return temporary(rcode_name(result.rcode));
  }
  TxtAnswer answer;
  answer.status = TxtAnswer::Status::kNone;
  answer.secure = result.secure != 0;
  answer.ttl = Seconds(std::max(result.ttl, 0));
  if (result.nxdomain != 0 || result.havedata == 0 || result.data == nullptr) return answer;
  for (int index = 0; result.data[index] != nullptr; ++index) {
    const auto length = static_cast<std::size_t>(std::max(result.len[index], 0));
    if (auto text = join_strings({result.data[index], length})) {
      answer.records.push_back(*std::move(text));
    }
  }
  std::ranges::sort(answer.records);
  if (!answer.records.empty()) answer.status = TxtAnswer::Status::kFound;
  return answer;
}

// One query under way. libunbound keeps its address until it calls back or is cancelled.
struct Query {
  TxtAnswer* answer = nullptr;
  std::size_t* open = nullptr;  // how many of the batch are not done
  Steady::time_point deadline;
  int id = 0;
  bool done = false;
};

extern "C" void take_result(void* data, int error, ub_result* result) {
  auto* const query = static_cast<Query*>(data);
  const std::unique_ptr<ub_result, ResultDeleter> owned(result);
  query->done = true;
  --*query->open;
  if (error == UB_SYNTAX) return;  // what cannot be a name has no record: ask() has said so
  *query->answer =
      error == 0 && result != nullptr ? read_result(*result) : temporary(ub_strerror(error));
}

// Asks for many names through one context, some at a time.
class Batch {
 public:
  // Ends early once `stop` is readable.
  Batch(ub_ctx* context, const ResolverOptions& options, int stop)
      : context_(context), options_(options), stop_(stop) {}

  std::vector<TxtAnswer> run(std::span<const std::string> names) {
    std::vector<TxtAnswer> answers(names.size());
    const auto most = static_cast<std::size_t>(std::max(options_.concurrency, 1));
    std::size_t next = 0;
    while (next < names.size() || !under_way_.empty()) {
      while (next < names.size() && open_ < most) {
        ask(names[next], answers[next]);
        ++next;
      }
      const bool stopped = wait();
      settle(stopped);
      if (stopped) {
        std::fill(answers.begin() + static_cast<std::ptrdiff_t>(next), answers.end(),
                  temporary("interrupted"));
        next = names.size();
      }
    }
    return answers;
  }

 private:
  void ask(const std::string& name, TxtAnswer& answer) {
    // What cannot be a name has no record.
    answer.status = TxtAnswer::Status::kNone;
    if (name.empty() || name.find('\0') != name.npos) return;
    auto& query = under_way_.emplace_back();
    query.answer = &answer;
    query.open = &open_;
    query.deadline = Steady::now() + options_.timeout;
    const int code = ub_resolve_async(context_, name.c_str(), kTypeTxt, kClassIn, &query,
                                      take_result, &query.id);
    if (code == 0) {
      ++open_;
      return;
    }
    under_way_.pop_back();
    if (code != UB_SYNTAX) answer = temporary(ub_strerror(code));
  }

  // Until an answer has come, the oldest query's time is over, or the resolver is interrupted:
  // true.
  bool wait() {
    std::int64_t left = 0;
    if (!under_way_.empty()) {
      const auto time = under_way_.front().deadline - Steady::now();
      left = std::chrono::ceil<std::chrono::milliseconds>(time).count();
    }
    std::array<pollfd, 2> ready{{{ub_fd(context_), POLLIN, 0}, {stop_, POLLIN, 0}}};
    left = std::clamp<std::int64_t>(left, 0, kLongestPoll);
    poll(ready.data(), ready.size(), static_cast<int>(left));
    ub_process(context_);
    return (ready[1].revents & POLLIN) != 0;
  }

  // Takes out what is done or late. All queries have the same time: the oldest is the first to be
  // late.
  void settle(bool stopped) {
    const auto now = Steady::now();
    while (!under_way_.empty()) {
      auto& query = under_way_.front();
      if (!query.done && !stopped && query.deadline > now) return;
      if (!query.done) {
        ub_cancel(context_, query.id);
        --open_;
        *query.answer = temporary(
            stopped ? "interrupted" : "no answer within " + format_duration(options_.timeout));
      }
      under_way_.pop_front();
    }
  }

  ub_ctx* context_;
  const ResolverOptions& options_;
  const int stop_;
  std::size_t open_ = 0;
  std::deque<Query> under_way_;  // a deque leaves its elements where they are
};

// Contexts are used by one thread at a time and kept for their caches.
class UnboundResolver final : public Resolver {
 public:
  UnboundResolver(ResolverOptions options, Context first, Fd stop)
      : options_(std::move(options)), stop_(std::move(stop)) {
    idle_.push_back(std::move(first));
  }

  std::vector<TxtAnswer> txt(std::span<const std::string> names) override {
    if (names.empty()) return {};
    if (interrupted()) return std::vector<TxtAnswer>(names.size(), temporary("interrupted"));
    auto context = take();
    if (!context) {
      return std::vector<TxtAnswer>(names.size(), temporary(context.error().text));
    }
    auto answers = Batch(context->get(), options_, stop_.get()).run(names);
    // libunbound remembers servers as dead for minutes. If nothing was answered, the next try
    // begins without that memory.
    const bool total_failure = std::ranges::all_of(answers, [](const TxtAnswer& answer) {
      return answer.status == TxtAnswer::Status::kTemporary;
    });
    if (!total_failure) {
      const std::lock_guard lock(mutex_);
      idle_.push_back(*std::move(context));
    }
    return answers;
  }

  void interrupt() override {
    constexpr std::uint64_t kOne = 1;
    // It fails only when the counter is full, and then it is readable already.
    static_cast<void>(write(stop_.get(), &kOne, sizeof kOne) == sizeof kOne);
  }

 private:
  bool interrupted() const {
    pollfd ready{stop_.get(), POLLIN, 0};
    return poll(&ready, 1, 0) == 1;
  }

  Result<Context> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto context = std::move(idle_.back());
        idle_.pop_back();
        return context;
      }
    }
    return make_context(options_);
  }

  const ResolverOptions options_;
  const Fd stop_;  // an eventfd that stays readable after interrupt()
  std::mutex mutex_;
  std::vector<Context> idle_;  // guarded by mutex_
};

Result<void> check_options(const ResolverOptions& options) {
  if (options.timeout <= Seconds(0)) {
    return Error{Fault::kConfig, "the resolver's time-out must be a second at least"};
  }
  if (options.concurrency < 1) {
    return Error{Fault::kConfig, "the resolver's concurrency must be 1 at least"};
  }
  if (options.trust_anchor.empty()) return {};
  const auto anchor = read_file(options.trust_anchor);
  if (!anchor) return Error{Fault::kConfig, anchor.error().text};
  return {};
}

}  // namespace

Result<std::unique_ptr<Resolver>> make_resolver(const ResolverOptions& options) {
  if (auto checked = check_options(options); !checked) return std::move(checked).error();
  auto context = make_context(options);
  if (!context) return std::move(context).error();
  Fd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return Error{Fault::kTransient, system_error("cannot make a resolver")};
  return std::unique_ptr<Resolver>(
      new UnboundResolver(options, *std::move(context), std::move(stop)));
}

}  // namespace rapporteur
