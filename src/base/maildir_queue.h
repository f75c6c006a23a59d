#pragma once
// Works through the messages that wait in a Maildir, a few at a time: what was taken is moved away,
// what could not be taken stays and does not keep the others.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/maildir.h"
#include "base/result.h"

namespace rapporteur {

// One thread.
class MaildirQueue {
 public:
  // `limits.messages` is how many are listed at a time. What stays is left alone for `rest`, and
  // each time that it stays for twice as long, up to kLongestRest.
  MaildirQueue(const std::string& path, Maildir::Limits limits, std::size_t batch = 1,
               std::chrono::steady_clock::duration rest = {});

  struct Item {
    std::string path;
    MaildirMessage message;  // kRead or kTooLarge
  };
  enum class Verdict { kTaken, kStays };
  // What is to become of each item. If it fails, all stay, and nothing more is looked at.
  using Look = std::function<Result<std::vector<Verdict>>(std::span<const Item> items)>;

  struct Round {
    std::size_t taken = 0;
    std::size_t stayed = 0;
    // What kept the first of the others from being taken; told by the round that ends a listing.
    std::optional<Error> problem;
  };

  // Looks at up to `most` messages, in batches of the size told, or fewer if they are large. Those
  // that stay are looked at again when all that were listed with them have been.
  Round take(std::size_t most, const Look& look);

  // How many of those that stayed are left alone now.
  std::size_t resting() const;
  static constexpr std::chrono::minutes kLongestRest{10};

  // Whether messages may wait at which take() has not looked yet.
  bool has_more() const { return !listed_.empty() || full_; }

 private:
  Result<void> list();
  void let_rest(const std::string& path);
  Result<void> look_at_some(std::size_t most, const Look& look, Round& round);
  std::vector<Item> read_some(std::size_t most);
  Round ended(Round round);

  Maildir maildir_;
  const std::size_t most_listed_;
  const std::size_t batch_;
  const std::chrono::steady_clock::duration rest_;
  struct Rest {
    std::chrono::steady_clock::time_point until;
    std::chrono::steady_clock::duration length{};
  };
  std::map<std::string, Rest> resting_;  // by path
  std::deque<std::string> listed_;       // to be looked at
  bool full_ = false;                    // the listing may have left some out
  bool progress_ = false;                // one of the listing was taken
  std::optional<Error> problem_;         // the first of the listing
};

}  // namespace rapporteur
