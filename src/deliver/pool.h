#pragma once
// Threads that do the blocking part of deliveries: a job goes in, its reply comes out. They share
// nothing else; each makes transports of its own and drops them when it had nothing to do for a
// while, which closes their connections. More jobs may be submitted than there are threads, so that
// none of these waits for the next; a mail that is not accepted keeps those behind it from
// beginning until it is known whether the relay is in trouble.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "deliver/transport.h"

namespace rapporteur {

struct Job {
  std::string id;
  bool mail = false;
  std::string envelope_from;  // mail
  std::string target;         // mail: the recipient; else the URL
  std::string payload;        // the message, or the gzip body
};

struct Finished {
  std::string id;
  Reply reply;
  bool mail = false;
  bool begun = true;  // false: it came back untouched
};

// Ends of jobs that are waited for after the first, and for how long.
struct Gathering {
  std::chrono::milliseconds most{0};
  std::size_t enough = 1;
};

class Pool {
 public:
  Pool(int threads, MailTransportFactory mail, HttpsTransportFactory https);
  // Breaks off what is under way.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Jobs begin in the order in which they are submitted. After interrupt() they come back at once.
  void submit(Job job);
  // What has ended since the last call.
  std::vector<Finished> take();
  // Mails that have not begun come back as kInterrupted.
  std::vector<Finished> recall_mails();
  // Every reply that take() has returned is judged: mails may begin again, unless another one has
  // not been accepted meanwhile.
  void go_on_with_mails();
  // Until a job ends, wake() is called, or the time is up. False: the time was up. Once a job has
  // ended, further ones are waited for as `gathering` says, unless a mail was not accepted.
  bool wait(std::chrono::milliseconds patience, Gathering gathering = {});
  void wake();  // any thread

  // Jobs that begin from here on use these. Threads beyond `threads` end after their job.
  void configure(int threads, MailTransportFactory mail, HttpsTransportFactory https);

  // What has not begun comes back as kInterrupted, what is under way is broken off before it is
  // handed over. For good.
  void interrupt();
  // Also what waits for a final reply; then ends the threads. What they did can still be taken.
  void finish();

 private:
  struct Slot {
    std::thread thread;
    bool running = false;
  };
  struct Transports;

  void work(std::size_t index);
  bool next(std::size_t index, Transports& transports, Job& job);
  std::deque<Job>::iterator find_job();
  bool enough_have_finished() const;
  void start_threads(std::unique_lock<std::mutex>& lock);

  Interrupt interrupt_;
  std::mutex mutex_;
  std::condition_variable work_;  // a job is there, or a thread is to end
  std::condition_variable done_;  // a job has ended, or somebody woke the waiting one
  // All below: under the lock.
  std::vector<Slot> slots_;
  std::size_t wanted_ = 0;
  std::deque<Job> jobs_;
  bool mails_held_ = false;
  std::vector<Finished> finished_;
  std::size_t enough_ = 1;  // of them, for the one that waits
  bool woken_ = false;
  bool stopping_ = false;
  MailTransportFactory mail_;
  HttpsTransportFactory https_;
  std::uint64_t generation_ = 0;  // of the factories
};

}  // namespace rapporteur
