#include "deliver/pool.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "deliver/judge.h"

namespace rapporteur {

namespace {

constexpr auto kIdle = std::chrono::seconds(30);

Finished untouched(const Job& job, std::string_view why) {
  return {job.id,
          {Reply::Outcome::kInterrupted, Stage::kConnect, 0, reply_text(why, Stage::kConnect), {}},
          job.mail,
          false};
}

constexpr std::string_view kStop = "not begun because of a stop";
constexpr std::string_view kTrouble = "not begun because the relay is in trouble";

bool holds_mails(const Finished& finished) {
  return finished.mail && finished.begun && finished.reply.outcome != Reply::Outcome::kAccepted;
}

// Signals are the main thread's business, and a broken connection is an error code, not a SIGPIPE.
void block_signals() {
  sigset_t all{};
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Pool::Transports {
  std::uint64_t generation = 0;
  MailTransportFactory make_mail;
  HttpsTransportFactory make_https;
  std::unique_ptr<MailTransport> mail;
  std::unique_ptr<HttpsTransport> https;

  void drop() {
    mail.reset();
    https.reset();
  }
};

Pool::Pool(int threads, MailTransportFactory mail, HttpsTransportFactory https) {
  configure(threads, std::move(mail), std::move(https));
}

Pool::~Pool() {
  finish();
}

void Pool::submit(Job job) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    finished_.push_back(untouched(job, kStop));
    done_.notify_all();
    return;
  }
  jobs_.push_back(std::move(job));
  work_.notify_one();
}

std::vector<Finished> Pool::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

std::vector<Finished> Pool::recall_mails() {
  std::vector<Finished> recalled;
  const std::lock_guard lock(mutex_);
  std::erase_if(jobs_, [&](const Job& job) {
    if (job.mail) recalled.push_back(untouched(job, kTrouble));
    return job.mail;
  });
  return recalled;
}

void Pool::go_on_with_mails() {
  const std::lock_guard lock(mutex_);
  mails_held_ = std::ranges::any_of(finished_, holds_mails);
  if (!mails_held_ && !jobs_.empty()) work_.notify_all();
}

bool Pool::wait(std::chrono::milliseconds patience, Gathering gathering) {
  std::unique_lock lock(mutex_);
  const bool in_time =
      done_.wait_for(lock, patience, [this] { return woken_ || !finished_.empty(); });
  enough_ = gathering.enough;
  if (in_time) {
    done_.wait_for(lock, gathering.most,
                   [this] { return woken_ || stopping_ || enough_have_finished(); });
  }
  enough_ = 1;
  woken_ = false;
  return in_time;
}

bool Pool::enough_have_finished() const {
  return mails_held_ || finished_.size() >= enough_;
}

void Pool::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  done_.notify_all();
}

void Pool::configure(int threads, MailTransportFactory mail, HttpsTransportFactory https) {
  std::unique_lock lock(mutex_);
  mail_ = std::move(mail);
  https_ = std::move(https);
  ++generation_;
  wanted_ = static_cast<std::size_t>(std::max(threads, 1));
  if (!stopping_) start_threads(lock);
  work_.notify_all();
}

void Pool::start_threads(std::unique_lock<std::mutex>&) {
  if (slots_.size() < wanted_) slots_.resize(wanted_);
  for (std::size_t i = 0; i < wanted_; ++i) {
    auto& slot = slots_[i];
    if (slot.running) continue;
    if (slot.thread.joinable()) slot.thread.join();  // it has let go of the lock for the last time
    slot.running = true;
    slot.thread = std::thread([this, i] { work(i); });
  }
}

// The first that may begin.
std::deque<Job>::iterator Pool::find_job() {
  return std::ranges::find_if(jobs_, [this](const Job& job) { return !(job.mail && mails_held_); });
}

// Waits for a job with the transports to do it. False: this thread is to end.
bool Pool::next(std::size_t index, Transports& transports, Job& job) {
  std::unique_lock lock(mutex_);
  auto found = jobs_.end();
  for (;;) {
    if (index >= wanted_ || (stopping_ && jobs_.empty())) {
      slots_[index].running = false;
      // A job may have been announced to this thread alone.
      work_.notify_one();
      return false;
    }
    found = find_job();
    if (found != jobs_.end()) break;
    const auto status = work_.wait_for(lock, kIdle);
    if (status == std::cv_status::timeout && jobs_.empty()) {
      lock.unlock();
      transports.drop();
      lock.lock();
    }
  }
  job = std::move(*found);
  jobs_.erase(found);
  if (transports.generation != generation_) {
    transports.make_mail = mail_;
    transports.make_https = https_;
    transports.generation = generation_;
    lock.unlock();
    transports.drop();
  }
  return true;
}

void Pool::work(std::size_t index) {
  block_signals();
  Transports transports;
  Job job;
  while (next(index, transports, job)) {
    Finished finished{job.id, {}, job.mail};
    if (job.mail) {
      if (!transports.mail) transports.mail = transports.make_mail(interrupt_);
      finished.reply = transports.mail->send(job.envelope_from, job.target, job.payload);
    } else {
      if (!transports.https) transports.https = transports.make_https(interrupt_);
      finished.reply = transports.https->post(job.target, job.payload);
    }
    job = {};
    const std::lock_guard lock(mutex_);
    mails_held_ = mails_held_ || holds_mails(finished);
    finished_.push_back(std::move(finished));
    if (enough_have_finished()) done_.notify_all();
  }
}

void Pool::interrupt() {
  interrupt_.before_final = true;
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const auto& job : jobs_) finished_.push_back(untouched(job, kStop));
  jobs_.clear();
  work_.notify_all();
  done_.notify_all();
}

void Pool::finish() {
  interrupt();
  interrupt_.everything = true;
  std::vector<Slot> slots;
  {
    const std::lock_guard lock(mutex_);
    for (auto& slot : slots_) slots.push_back({std::move(slot.thread), slot.running});
  }
  for (auto& slot : slots) {
    if (slot.thread.joinable()) slot.thread.join();
  }
}

}  // namespace rapporteur
