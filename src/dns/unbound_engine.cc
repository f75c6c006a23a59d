#include "dns/unbound_engine.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/ip.h"
#include "base/text.h"
#include "dns/answer_packet.h"
#include "dns/record_data.h"

namespace rapporteur {

namespace {

constexpr int kClassIn = 1;

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

Result<void> set_options(ub_ctx* context, const ResolverOptions& options) {
  ub_ctx_debugout(context, nullptr);  // it would write to standard error
  if (auto pointed = point_at_servers(context, options); !pointed) return pointed;
  constexpr std::pair<const char*, const char*> kOptions[] = {
      {"do-not-query-localhost:", "no"},  // a resolver on the same machine is the usual case
      {"infra-keep-probing:", "yes"},     // a server that was down is asked again
      {"so-reuseport:", "no"},
      {"cache-max-negative-ttl:", "21600"},  // what is told of an answer
      // The servers know the names of addresses that are not public; nobody signs them.
      {"unblock-lan-zones:", "yes"},
      {"insecure-lan-zones:", "yes"},
  };
  for (const auto& [name, value] : kOptions) {
    const int code = ub_ctx_set_option(context, name, value);
    if (code != 0) return unusable(std::string("cannot set the resolver's option ") + name, code);
  }
  if (options.trust_anchor.empty()) {
    // Nothing can be validated.
    const int code = ub_ctx_set_option(context, "module-config:", "iterator");
    if (code != 0) return unusable("cannot set up the resolver", code);
    return {};
  }
  const int code = ub_ctx_add_ta_file(context, options.trust_anchor.c_str());
  if (code != 0) return unusable("cannot use the trust anchor " + options.trust_anchor, code);
  return {};
}

// Never blocks, and fails only when the counter is full: it is readable then.
void ring(const Fd& fd) {
  constexpr std::uint64_t kOne = 1;
  static_cast<void>(write(fd.get(), &kOne, sizeof kOne) == sizeof kOne);
}

void silence(int fd) {
  std::uint64_t count = 0;
  static_cast<void>(read(fd, &count, sizeof count) == sizeof count);
}

}  // namespace

struct UnboundEngine::Query {
  UnboundEngine* engine = nullptr;
  Id id = 0;
  DnsType type = DnsType::kTxt;
  int unbound_id = 0;  // of libunbound
};

void UnboundEngine::BaseDeleter::operator()(event_base* base) const {
  event_base_free(base);
}
void UnboundEngine::EventDeleter::operator()(event* one) const {
  event_free(one);
}
void UnboundEngine::ContextDeleter::operator()(ub_ctx* context) const {
  ub_ctx_delete(context);
}

UnboundEngine::UnboundEngine() = default;

Result<std::unique_ptr<UnboundEngine>> UnboundEngine::make(const ResolverOptions& options) {
  std::unique_ptr<UnboundEngine> engine(new UnboundEngine);
  if (auto ready = engine->set_up(options); !ready) return std::move(ready).error();
  engine->thread_ = std::thread([engine = engine.get()] { engine->serve(); });
  return engine;
}

UnboundEngine::~UnboundEngine() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ring(ordered_fd_);
  thread_.join();
}

Result<void> UnboundEngine::set_up(const ResolverOptions& options) {
  const Error no_memory{Fault::kTransient, "cannot make a resolver: out of memory"};
  ordered_fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  answered_fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ordered_fd_ || !answered_fd_) {
    return Error{Fault::kTransient, system_error("cannot make a resolver")};
  }
  base_.reset(event_base_new());
  if (!base_) return no_memory;
  order_event_.reset(
      event_new(base_.get(), ordered_fd_.get(), EV_READ | EV_PERSIST, on_order, this));
  if (!order_event_ || event_add(order_event_.get(), nullptr) != 0) return no_memory;
  context_.reset(ub_ctx_create_event(base_.get()));
  if (!context_) return no_memory;
  if (auto set = set_options(context_.get(), options); !set) return set;
  // libunbound answers this name itself; to do so it reads its configuration.
  const int code = ub_resolve_event(
      context_.get(), "localhost.", type_number(DnsType::kTxt), kClassIn, nullptr,
      [](void*, int, void*, int, int, char*, int) {}, nullptr);
  if (code != 0) {
    const auto about = options.trust_anchor.empty()
                           ? std::string("cannot set up the resolver")
                           : "cannot use the trust anchor " + options.trust_anchor;
    return unusable(about, code);
  }
  if (options.servers.empty()) return {};
  // The servers that the administrator names answer for these, too.
  for (const char* const zone : {"test.", "home.arpa."}) ub_ctx_zone_remove(context_.get(), zone);
  return {};
}

// ---- The asking thread

void UnboundEngine::ask(Id id, std::string name, DnsType type) {
  held_.push_back({id, false, std::move(name), type});
}

void UnboundEngine::cancel(Id id) {
  held_.push_back({id, true, {}, {}});
}

void UnboundEngine::flush() {
  if (held_.empty()) return;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = orders_.empty();
    std::ranges::move(held_, std::back_inserter(orders_));
  }
  held_.clear();
  if (first) ring(ordered_fd_);
}

std::vector<UnboundEngine::Answered> UnboundEngine::take() {
  std::vector<Answered> taken;
  const std::lock_guard lock(mutex_);
  if (answered_.empty()) return taken;
  silence(answered_fd_.get());
  taken.swap(answered_);
  return taken;
}

// ---- The engine's thread

void UnboundEngine::serve() {
  // Signals are the main thread's business.
  sigset_t all{};
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  event_base_loop(base_.get(), EVLOOP_NO_EXIT_ON_EMPTY);
}

void UnboundEngine::on_order(int fd, short /*events*/, void* engine) {
  silence(fd);
  static_cast<UnboundEngine*>(engine)->take_orders();
}

void UnboundEngine::take_orders() {
  std::vector<Order> orders;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) event_base_loopbreak(base_.get());
    orders.swap(orders_);
  }
  for (const auto& order : orders) {
    if (!order.cancel) {
      start(order);
    } else if (const auto found = queries_.find(order.id); found != queries_.end()) {
      // libunbound does not call back any more, unless it has done so already.
      ub_cancel(context_.get(), found->second->unbound_id);
      queries_.erase(found);
    }
  }
}

void UnboundEngine::start(const Order& order) {
  auto query = std::make_unique<Query>();
  query->engine = this;
  query->id = order.id;
  query->type = order.type;
  auto* const its = queries_.emplace(order.id, std::move(query)).first->second.get();
  // It may call back at once, and the query is gone then.
  int unbound_id = 0;
  const int code = ub_resolve_event(context_.get(), order.name.c_str(), type_number(order.type),
                                    kClassIn, its, on_answer, &unbound_id);
  const auto found = queries_.find(order.id);
  if (found == queries_.end()) return;
  found->second->unbound_id = unbound_id;
  if (code == 0) return;
  queries_.erase(found);
  answer(order.id, code == UB_SYNTAX ? no_records() : temporary_answer(ub_strerror(code)));
}

void UnboundEngine::on_answer(void* query, int rcode, void* packet, int length, int security,
                              char* why_bogus, int /*was_ratelimited*/) {
  constexpr int kBogus = 1;
  constexpr int kSecure = 2;
  const auto& its = *static_cast<Query*>(query);
  auto& engine = *its.engine;
  const auto id = its.id;
  DnsAnswer answer;
  if (security == kBogus) {
    const std::string why = why_bogus != nullptr ? shown(why_bogus) : "";
    answer = temporary_answer("DNSSEC validation failed" + (why.empty() ? "" : ": " + why));
  } else if (rcode != 0 || packet == nullptr) {
    answer = temporary_answer(rcode_name(rcode));
  } else {
    answer = read_answer_packet(
        {static_cast<const char*>(packet), static_cast<std::size_t>(std::max(length, 0))},
        its.type);
    answer.secure = security == kSecure && answer.status != DnsAnswer::Status::kTemporary;
  }
  engine.queries_.erase(id);
  engine.answer(id, std::move(answer));
}

void UnboundEngine::answer(Id id, DnsAnswer answer) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = answered_.empty();
    answered_.push_back({id, std::move(answer)});
  }
  if (first) ring(answered_fd_);
}

}  // namespace rapporteur
