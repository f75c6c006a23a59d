#pragma once
// What a session says, in as few bytes as possible: its recipient domain, its TLSRPT record and its
// outcomes, without time, id and count. Equal sessions have equal bytes, equal policies and equal
// failure details have equal bytes within them. The
// form is that of the store's journal, too: whoever changes it counts up kVersion of journal.cc.

#include <cstddef>
#include <string>
#include <string_view>

#include "model/session.h"

namespace rapporteur {

// Replaces what `packed` held.
void pack_session(const Session& session, std::string& packed);

// Whether the bytes are what pack_session() could have made: those that come back from a disk.
bool is_packed_session(std::string_view bytes);

// Reads packed bytes. Views point into them.
class PackedSession {
 public:
  explicit PackedSession(std::string_view packed);

  std::string_view domain() const { return domain_; }
  std::string_view tlsrpt_record() const { return record_; }

  struct Outcome {
    std::string_view policy;  // see unpack_policy()
    bool success = false;
    std::size_t details = 0;  // how many next_detail() will give
  };
  // Walks through the outcomes in order; false at the end. All details of one are to be read before
  // the next.
  bool next_outcome(Outcome& outcome);
  std::string_view next_detail();  // see unpack_detail()

 private:
  std::string_view rest_;
  std::string_view domain_;
  std::string_view record_;
  std::size_t outcomes_ = 0;
};

Policy unpack_policy(std::string_view packed, std::string_view recipient_domain);
FailureDetail unpack_detail(std::string_view packed);
// Packed, a detail that has this one's result type and nothing else.
std::string_view bare_detail(std::string_view packed);

}  // namespace rapporteur
