#include "daemon/post_reception.h"

#include <utility>

#include "received/rules.h"

namespace rapporteur {

PostReception::PostReception(Store& store, const Clock& clock, Log& log, SharedState& shared,
                             OnNews on_news)
    : store_(store), clock_(clock), log_(log), shared_(shared), on_news_(std::move(on_news)) {}

bool PostReception::post(std::string body, std::string peer, Done done) {
  {
    const std::lock_guard lock(mutex_);
    const bool room = waiting_.size() < kMostWaiting && bytes_ + body.size() <= kMostWaitingBytes;
    if (ending_ || !room) return false;
    bytes_ += body.size();
    waiting_.push_back({std::move(body), std::move(peer), std::move(done)});
  }
  changed_.notify_one();
  return true;
}

void PostReception::start() {
  thread_ = std::thread([this] { serve(); });
}

void PostReception::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PostReception::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::vector<Post> posts;
    std::size_t bytes = 0;
    while (!waiting_.empty() && posts.size() < kMostTogether) {
      bytes += waiting_.front().body.size();
      posts.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    lock.unlock();
    take(posts);
    lock.lock();
    bytes_ -= bytes;
  }
}

void PostReception::take(const std::vector<Post>& posts) {
  if (auto latest = shared_.config.get(); latest != config_) {
    config_ = std::move(latest);
    reception_.emplace(Reception::Needs{.store = store_,
                                        .log = log_,
                                        .stopping = &shared_.stopping,
                                        .store_url = config_->store.url},
                       reception_rules(config_->received));
  }
  std::vector<Arrival> arrivals;
  for (const auto& post : posts) {
    arrivals.push_back({Arrival::Way::kPost, post.body, post.peer});
  }
  const auto batch = reception_->take(arrivals, clock_.now());
  shared_.health.tell(Problem::kReceived, batch ? "" : batch.error().text);
  if (!batch && !std::exchange(failing_, true)) {
    log_.error("store-failed", {{"error", batch.error().text}});
  }
  if (batch) failing_ = false;
  for (std::size_t index = 0; index < posts.size(); ++index) {
    posts[index].done(batch ? Result<ReceptionOutcome>(batch->outcomes[index]) : batch.error());
  }
  on_news_(reception_->take_news());
}

}  // namespace rapporteur
