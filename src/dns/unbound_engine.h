#pragma once
// libunbound in a thread of its own. Questions go in and answers come out by the batch, so that the
// two threads seldom wake each other.

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "dns/resolver.h"

struct event;
struct event_base;
struct ub_ctx;

namespace rapporteur {

// One thread, beside the engine's own.
class UnboundEngine {
 public:
  // Fails with Fault::kConfig if an option cannot be used: everything that could be wrong with them
  // shows here.
  static Result<std::unique_ptr<UnboundEngine>> make(const ResolverOptions& options);
  // Gives up what is open.
  ~UnboundEngine();
  UnboundEngine(const UnboundEngine&) = delete;
  UnboundEngine& operator=(const UnboundEngine&) = delete;

  using Id = std::uint64_t;

  // A name as query_name() gives it. The id is no other question's, ever. Nothing is asked before
  // flush().
  void ask(Id id, std::string name, DnsType type);
  // Its answer is not wanted any more. One that is on its way may still come.
  void cancel(Id id);
  void flush();

  struct Answered {
    Id id = 0;
    DnsAnswer answer;
  };
  // What was answered since the last call, in any order.
  std::vector<Answered> take();
  // Readable when there is something to take.
  int fd() const { return answered_fd_.get(); }

 private:
  struct Order {
    Id id = 0;
    bool cancel = false;
    std::string name;
    DnsType type = DnsType::kTxt;
  };
  struct Query;
  struct BaseDeleter {
    void operator()(event_base* base) const;
  };
  struct EventDeleter {
    void operator()(event* one) const;
  };
  struct ContextDeleter {
    void operator()(ub_ctx* context) const;
  };

  UnboundEngine();
  Result<void> set_up(const ResolverOptions& options);
  void serve();
  void take_orders();
  void start(const Order& order);
  void answer(Id id, DnsAnswer answer);
  static void on_order(int fd, short events, void* engine);
  static void on_answer(void* query, int rcode, void* packet, int length, int security,
                        char* why_bogus, int was_ratelimited);

  std::vector<Order> held_;  // until flush(); the asking thread's

  std::mutex mutex_;
  std::vector<Order> orders_;       // under the lock
  std::vector<Answered> answered_;  // under the lock
  bool ending_ = false;             // under the lock
  Fd ordered_fd_;                   // written when orders_ gets its first
  Fd answered_fd_;                  // likewise of answered_

  // The engine's thread's.
  std::unique_ptr<event_base, BaseDeleter> base_;
  std::unique_ptr<event, EventDeleter> order_event_;
  std::unordered_map<Id, std::unique_ptr<Query>> queries_;  // before the context, which calls back
  std::unique_ptr<ub_ctx, ContextDeleter> context_;

  std::thread thread_;
};

}  // namespace rapporteur
