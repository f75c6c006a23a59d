#pragma once
// The gzip member (RFC 1952) of one part while it grows: tells at any time how large it would be if
// it ended there, and goes back to where it was marked. zlib at level 6; no I/O.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rapporteur {

// One part after the other; its memory (a third of a mebibyte for each of up to three compressors,
// and the bytes of the part) is kept for the next. Equal calls make equal bytes.
class PartStream {
 public:
  // Adds the bytes that are compressed to `work`, which outlives the object.
  explicit PartStream(std::uint64_t& work);
  ~PartStream();
  PartStream(const PartStream&) = delete;
  PartStream& operator=(const PartStream&) = delete;

  // Begins a part, whatever became of the one before.
  void begin(std::string_view text);
  // Leaves a place here for a number that finish() is told. At most once in a part, before mark().
  void leave_place();
  void add(std::string_view text);

  // The size of the member if `closing` were added and the member ended there, the place filled
  // with the widest number. Takes about as long as adding 20 kilobytes.
  std::size_t size_with(std::string_view closing);
  // At least size_with(text), for a text of that length. Costs nothing.
  std::size_t most_with(std::size_t length) const;
  // At most size_with(). Grows by leaps, tens of kilobytes behind what was added.
  std::size_t written() const { return out_.size(); }
  // How many bytes were added at most since written() grew last.
  std::size_t pending() const { return pending_; }

  // back() returns to the last mark() of this part, as often as wanted.
  void mark();
  void back();

  // Ends the part, the place filled with `number`. begin() must come next.
  std::string finish(std::string_view closing, std::uint64_t number);

 private:
  struct Deflater;
  struct State {
    std::unique_ptr<Deflater> deflater;
    std::uint32_t crc = 0;     // of what was added behind the place
    std::uint64_t length = 0;  // and its length
    std::size_t pending = 0;
    std::size_t written = 0;
  };

  // Compresses what was collected and appends what comes out.
  void run(int flush);

  std::uint64_t& work_;
  std::unique_ptr<Deflater> live_;
  std::string collected_;  // short texts, not yet given to zlib
  State mark_;
  std::string out_;
  std::uint32_t crc_ = 0;
  std::uint64_t length_ = 0;
  std::size_t pending_ = 0;
  bool has_place_ = false;
  std::size_t place_ = 0;         // in out_
  std::uint32_t crc_before_ = 0;  // of what stands before the place
  std::uint64_t length_before_ = 0;
};

}  // namespace rapporteur
