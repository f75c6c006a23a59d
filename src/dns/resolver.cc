#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
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
constexpr std::chrono::milliseconds kNoTime{0};
constexpr std::chrono::milliseconds kLongestPoll{60'000};

// A context is not kept for longer, so that what it remembers about names that do not exist is
// never older: two questions an hour apart are asked twice.
constexpr std::chrono::hours kContextLife{1};

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
      {"cache-max-negative-ttl:", "21600"},  // what is told of an answer, see kContextLife
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
  answer.null_mx = type == DnsType::kMx && is_null_mx(data);
  return answer;
}

// A context, and when it was made.
struct AgedContext {
  Context context;
  Steady::time_point made;
};

// Contexts are used by one thread at a time and kept for their caches.
class UnboundResolver final : public Resolver {
 public:
  UnboundResolver(ResolverOptions options, Context first, Fd stop)
      : options_(std::move(options)), stop_(std::move(stop)) {
    idle_.push_back({std::move(first), Steady::now()});
  }

  std::vector<DnsAnswer> ask(std::span<const DnsQuestion> questions) override {
    std::vector<DnsAnswer> answers(questions.size());
    const auto asking = stream();
    for (std::size_t i = 0; i < questions.size(); ++i) asking->ask(questions[i], i);
    for (std::size_t open = questions.size(); open > 0;) {
      for (auto& [ticket, answer] : asking->take(kLongestPoll)) {
        answers[ticket] = std::move(answer);
        --open;
      }
    }
    return answers;
  }

  std::unique_ptr<DnsStream> stream() override;

  void interrupt() override {
    constexpr std::uint64_t kOne = 1;
    // It fails only when the counter is full, and then it is readable already.
    static_cast<void>(write(stop_.get(), &kOne, sizeof kOne) == sizeof kOne);
  }

  Result<AgedContext> take() {
    {
      const std::lock_guard lock(mutex_);
      while (!idle_.empty()) {
        auto context = std::move(idle_.back());
        idle_.pop_back();
        if (Steady::now() - context.made < kContextLife) return context;
      }
    }
    auto made = make_context(options_);
    if (!made) return std::move(made).error();
    return AgedContext{*std::move(made), Steady::now()};
  }

  void give_back(AgedContext context) {
    if (Steady::now() - context.made >= kContextLife) return;
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(context));
  }

  const ResolverOptions& options() const { return options_; }
  int stop() const { return stop_.get(); }  // readable after interrupt()

 private:
  const ResolverOptions options_;
  const Fd stop_;  // an eventfd that stays readable after interrupt()
  std::mutex mutex_;
  std::vector<AgedContext> idle_;  // guarded by mutex_
};

// Asks through one context, some questions at a time.
class UnboundStream final : public DnsStream {
 public:
  explicit UnboundStream(UnboundResolver& resolver)
      : resolver_(resolver), options_(resolver.options()), context_(resolver.take()) {}

  ~UnboundStream() override {
    if (!context_) return;
    for (const auto& query : under_way_) ub_cancel(unbound(), query.id);
    // libunbound remembers servers as dead for minutes. If nothing was answered, the next try
    // begins without that memory.
    if (definite_ || !asked_) resolver_.give_back(*std::move(context_));
  }
  UnboundStream(const UnboundStream&) = delete;
  UnboundStream& operator=(const UnboundStream&) = delete;

  void ask(const DnsQuestion& question, std::size_t ticket) override {
    waiting_.emplace_back(question, ticket);
  }

  std::vector<StreamedAnswer> take(std::chrono::milliseconds most) override {
    const auto until = Steady::now() + most;
    for (;;) {
      start_some();
      wait(done_.empty() ? until : Steady::now());
      if (interrupted_) {
        give_up("interrupted");
      } else {
        settle_late();
        start_some();
      }
      const bool open = !under_way_.empty() || !waiting_.empty();
      if (!done_.empty() || !open || Steady::now() >= until) return std::exchange(done_, {});
    }
  }

 private:
  // One query under way. libunbound keeps its address until it calls back or is cancelled.
  struct Query {
    UnboundStream* stream = nullptr;
    std::list<Query>::iterator self;
    std::size_t ticket = 0;
    DnsType type = DnsType::kTxt;
    Steady::time_point deadline;
    int id = 0;
  };

  static void take_result(void* data, int error, ub_result* result) {
    const std::unique_ptr<ub_result, ResultDeleter> owned(result);
    const auto& query = *static_cast<Query*>(data);
    auto& stream = *query.stream;
    DnsAnswer answer;
    answer.status = DnsAnswer::Status::kNone;  // of what cannot be a name
    if (error != UB_SYNTAX) {
      answer = error == 0 && result != nullptr ? read_result(*result, query.type)
                                               : temporary(ub_strerror(error));
    }
    stream.finish(query.ticket, std::move(answer));
    stream.under_way_.erase(query.self);
  }

  ub_ctx* unbound() const { return context_->context.get(); }

  void finish(std::size_t ticket, DnsAnswer answer) {
    definite_ = definite_ || answer.status != DnsAnswer::Status::kTemporary;
    done_.push_back({ticket, std::move(answer)});
  }

  void start_some() {
    const auto most = static_cast<std::size_t>(std::max(options_.concurrency, 1));
    while (!waiting_.empty() && under_way_.size() < most) {
      start(waiting_.front().first, waiting_.front().second);
      waiting_.pop_front();
    }
  }

  void start(const DnsQuestion& question, std::size_t ticket) {
    asked_ = true;
    if (!context_) return finish(ticket, temporary(context_.error().text));
    DnsAnswer nothing;
    nothing.status = DnsAnswer::Status::kNone;  // what cannot be a name has no record
    const auto name = query_name(question);
    if (!name) return finish(ticket, std::move(nothing));
    auto& query = under_way_.emplace_back();
    query.stream = this;
    query.self = std::prev(under_way_.end());
    query.ticket = ticket;
    query.type = question.type;
    query.deadline = Steady::now() + options_.timeout;
    const int code = ub_resolve_async(unbound(), name->c_str(), type_number(question.type),
                                      kClassIn, &query, take_result, &query.id);
    if (code == 0) return;
    under_way_.pop_back();
    finish(ticket, code == UB_SYNTAX ? std::move(nothing) : temporary(ub_strerror(code)));
  }

  // Until an answer has come, the oldest query's time is over, the resolver is interrupted, or it
  // is `until`.
  void wait(Steady::time_point until) {
    if (!under_way_.empty()) until = std::min(until, under_way_.front().deadline);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now());
    const bool asking = !under_way_.empty();
    std::array<pollfd, 2> ready{
        {{resolver_.stop(), POLLIN, 0}, {asking ? ub_fd(unbound()) : -1, POLLIN, 0}}};
    const auto most =
        asking || !waiting_.empty() ? std::clamp(left, kNoTime, kLongestPoll) : kNoTime;
    poll(ready.data(), ready.size(), static_cast<int>(most.count()));
    if (asking) ub_process(unbound());
    interrupted_ = (ready[0].revents & POLLIN) != 0;
  }

  // All queries have the same time: the oldest is the first to be late.
  void settle_late() {
    const auto now = Steady::now();
    while (!under_way_.empty() && under_way_.front().deadline <= now) {
      auto late = temporary("no answer within " + format_duration(options_.timeout));
      late.timed_out = true;
      cancel_oldest(std::move(late));
    }
  }

  void give_up(const std::string& why) {
    while (!under_way_.empty()) cancel_oldest(temporary(why));
    for (const auto& [question, ticket] : waiting_) finish(ticket, temporary(why));
    waiting_.clear();
  }

  void cancel_oldest(DnsAnswer answer) {
    const auto& query = under_way_.front();
    ub_cancel(unbound(), query.id);
    finish(query.ticket, std::move(answer));
    under_way_.pop_front();
  }

  UnboundResolver& resolver_;
  const ResolverOptions& options_;
  Result<AgedContext> context_;
  std::deque<std::pair<DnsQuestion, std::size_t>> waiting_;
  std::list<Query> under_way_;  // in the order of their deadlines
  std::vector<StreamedAnswer> done_;
  bool asked_ = false;
  bool definite_ = false;  // something was answered
  bool interrupted_ = false;
};

std::unique_ptr<DnsStream> UnboundResolver::stream() {
  return std::make_unique<UnboundStream>(*this);
}

// All that is open in one ask(), for resolvers that have nothing better.
class PlainStream final : public DnsStream {
 public:
  explicit PlainStream(Resolver& resolver) : resolver_(resolver) {}

  void ask(const DnsQuestion& question, std::size_t ticket) override {
    questions_.push_back(question);
    tickets_.push_back(ticket);
  }

  std::vector<StreamedAnswer> take(std::chrono::milliseconds /*most*/) override {
    std::vector<StreamedAnswer> taken;
    if (questions_.empty()) return taken;
    auto answers = resolver_.ask(questions_);
    taken.reserve(answers.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      taken.push_back({tickets_[i], std::move(answers[i])});
    }
    questions_.clear();
    tickets_.clear();
    return taken;
  }

 private:
  Resolver& resolver_;
  std::vector<DnsQuestion> questions_;
  std::vector<std::size_t> tickets_;
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

std::unique_ptr<DnsStream> Resolver::stream() {
  return std::make_unique<PlainStream>(*this);
}

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
