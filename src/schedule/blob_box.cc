#include "schedule/blob_box.h"

#include <utility>

namespace rapporteur {

Result<std::size_t> BlobBox::put(std::string bytes) {
  Blob blob;
  if (held_ + bytes.size() <= most_) {
    held_ += bytes.size();
    blob.bytes = std::move(bytes);
  } else {
    const auto place = file_.append(bytes);
    if (!place) return place.error();
    blob.spilled = true;
    blob.place = *place;
    ++spilled_;
  }
  blobs_.push_back(std::move(blob));
  return blobs_.size() - 1;
}

Result<std::string> BlobBox::get(std::size_t number) const {
  const auto& blob = blobs_.at(number);
  if (blob.spilled) return file_.read(blob.place);
  return blob.bytes;
}

}  // namespace rapporteur
