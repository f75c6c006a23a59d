#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <unbound.h>

#include "base/file.h"
#include "base/ip.h"
#include "base/text.h"
#include "dns/record_data.h"

namespace rapporteur {

namespace {

using Steady = std::chrono::steady_clock;

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
      // The servers know the names of addresses that are not public; nobody signs them.
      {"unblock-lan-zones:", "yes"},
      {"insecure-lan-zones:", "yes"},
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
  const int code =
      ub_resolve(context.get(), "localhost.", type_number(DnsType::kTxt), kClassIn, &answer);
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

DnsAnswer temporary(std::string problem) {
  DnsAnswer answer;
  answer.status = DnsAnswer::Status::kTemporary;
  answer.problem = std::move(problem);
  return answer;
}

// How long it holds that there is nothing: as long as the SOA record beside it says. Without one it
// is not kept (RFC 2308, section 5); libunbound then takes the flags of EDNS for a TTL.
Seconds negative_ttl(const ub_result& result) {
  constexpr int kHeaderBytes = 12;  // RFC 1035, section 4.1.1; NSCOUNT is in bytes 8 and 9
  if (result.answer_packet == nullptr || result.answer_len < kHeaderBytes) return Seconds(0);
  const auto* const header = static_cast<const std::uint8_t*>(result.answer_packet);
  return Seconds(header[8] != 0 || header[9] != 0 ? std::max(result.ttl, 0) : 0);
}

DnsAnswer read_result(const ub_result& result, DnsType type) {
  if (result.bogus != 0) {
    const std::string why = result.why_bogus != nullptr ? shown(result.why_bogus) : "";
    return temporary("DNSSEC validation failed" + (why.empty() ? "" : ": " + why));
  }
  if (result.rcode != kNoError && result.rcode != kNxdomain) {
    return temporary(rcode_name(result.rcode));
  }
  DnsAnswer answer;
  answer.status = DnsAnswer::Status::kNone;
  answer.secure = result.secure != 0;
  answer.ttl = Seconds(std::max(result.ttl, 0));
  if (result.nxdomain != 0 || result.havedata == 0 || result.data == nullptr) {
    answer.ttl = negative_ttl(result);
    return answer;
  }
  std::vector<std::string_view> data;
  for (int index = 0; result.data[index] != nullptr; ++index) {
    data.emplace_back(result.data[index], static_cast<std::size_t>(std::max(result.len[index], 0)));
  }
  answer.records = read_record_data(type, data);
  if (!answer.records.empty()) answer.status = DnsAnswer::Status::kFound;
  return answer;
}

// One query under way. libunbound keeps its address until it calls back or is cancelled.
struct Query {
  DnsAnswer* answer = nullptr;
  DnsType type = DnsType::kTxt;
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
  if (error == UB_SYNTAX) return;  // what cannot be a name has no record: start() has said so
  *query->answer = error == 0 && result != nullptr ? read_result(*result, query->type)
                                                   : temporary(ub_strerror(error));
}

// Asks many questions through one context, some at a time.
class Batch {
 public:
  // Ends early once `stop` is readable.
  Batch(ub_ctx* context, const ResolverOptions& options, int stop)
      : context_(context), options_(options), stop_(stop) {}

  std::vector<DnsAnswer> run(std::span<const DnsQuestion> questions) {
    std::vector<DnsAnswer> answers(questions.size());
    const auto most = static_cast<std::size_t>(std::max(options_.concurrency, 1));
    std::size_t next = 0;
    while (next < questions.size() || !under_way_.empty()) {
      while (next < questions.size() && open_ < most) {
        start(questions[next], answers[next]);
        ++next;
      }
      const bool stopped = wait();
      settle(stopped);
      if (stopped) {
        std::fill(answers.begin() + static_cast<std::ptrdiff_t>(next), answers.end(),
                  temporary("interrupted"));
        next = questions.size();
      }
    }
    return answers;
  }

 private:
  void start(const DnsQuestion& question, DnsAnswer& answer) {
    // What cannot be a name has no record.
    answer.status = DnsAnswer::Status::kNone;
    const auto name = query_name(question);
    if (!name) return;
    auto& query = under_way_.emplace_back();
    query.answer = &answer;
    query.type = question.type;
    query.open = &open_;
    query.deadline = Steady::now() + options_.timeout;
    const int code = ub_resolve_async(context_, name->c_str(), type_number(question.type), kClassIn,
                                      &query, take_result, &query.id);
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
        query.answer->timed_out = !stopped;
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

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    if (questions.empty()) return {};
    if (interrupted()) return std::vector<DnsAnswer>(questions.size(), temporary("interrupted"));
    auto context = take();
    if (!context) {
      return std::vector<DnsAnswer>(questions.size(), temporary(context.error().text));
    }
    auto answers = Batch(context->get(), options_, stop_.get()).run(questions);
    // libunbound remembers servers as dead for minutes. If nothing was answered, the next try
    // begins without that memory.
    const bool total_failure = std::ranges::all_of(answers, [](const DnsAnswer& answer) {
      return answer.status == DnsAnswer::Status::kTemporary;
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

std::vector<DnsAnswer> Resolver::txt(std::span<const std::string> names) {
  std::vector<DnsQuestion> questions;
  questions.reserve(names.size());
  for (const auto& name : names) questions.push_back({name, DnsType::kTxt});
  return ask(questions);
}

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
