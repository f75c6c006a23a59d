#pragma once
// Fills one part up to a size with texts in a given order: finds how many of them fit, compressing
// little more than once. The texts' meaning is report/split.h's matter.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/part_stream.h"

namespace rapporteur {

class PartFiller {
 public:
  // Adds the bytes that are compressed to `work`, which outlives the object.
  explicit PartFiller(std::uint64_t& work) : stream_(work) {}

  // Begins a part of at most `room` bytes of gzip with this text. Whether that fits is not looked
  // at.
  void begin(std::string_view text, std::size_t room);
  // See PartStream::leave_place(). Before the first run.
  void leave_place() { stream_.leave_place(); }
  void add(std::string_view text) { stream_.add(text); }
  // The part's size if it ended with this text, and whether it fits.
  std::size_t size_with(std::string_view closing) { return stream_.size_with(closing); }
  bool fits_with(std::string_view closing);

  // A run of texts of which as many are kept, from the first on, as fit with `closing` behind them.
  // Without any of them the part must fit.
  void begin_run(std::string_view closing);
  // False: the run has ended, no more fit; taken() tells how many are kept.
  bool offer(std::string_view text);
  // Ends the run if offer() has not; false if not all that was offered is kept.
  bool end_run();
  std::size_t taken() const { return taken_; }

  // Texts of which everything is kept or nothing; `closing` as above,
  // `size` is size_with(closing). False as soon as it is
  // certain that they do not fit. take_back() leaves the part as it was at begin_all().
  void begin_all(std::string_view closing, std::size_t size);
  bool offer_all(std::string_view text);
  void take_back() { stream_.back(); }

  std::string finish(std::string_view closing, std::uint64_t number) {
    return stream_.finish(closing, number);
  }

 private:
  // Looks at the real size. False: the run has ended.
  bool check();
  // Finds how many of the run's texts since the mark fit, given that all of them make `size`.
  void settle(std::size_t size);
  void keep(std::size_t size);
  void learn(std::size_t compressed, std::size_t plain);
  void set_goal();
  std::size_t full_enough() const { return room_ / kFullShare; }
  // The size with that many bytes more.
  double predicted(std::size_t more) const;

  // What may stay empty is this share of the part.
  static constexpr std::size_t kFullShare = 160;

  PartStream stream_;
  std::size_t room_ = 0;
  std::string closing_;
  bool marked_ = false;
  std::size_t size_ = 0;           // at the mark, closed
  std::string since_;              // the texts since the mark
  std::vector<std::size_t> ends_;  // where they end
  std::size_t added_ = 0;          // bytes added since the mark
  double goal_ = 0;                // the predicted size at which check() is worth it
  std::size_t taken_ = 0;
  double ratio_ = 0.125;  // compressed to plain bytes, as last seen
  double worst_ = 0.125;  // the same at its worst, slowly forgotten
  bool careful_ = false;  // the last prediction was far too low
};

}  // namespace rapporteur
