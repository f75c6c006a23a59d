#include "received/zip.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "base/text.h"

namespace rapporteur {

namespace {

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using File = std::unique_ptr<zip_file_t, Discard>;

Error refused(std::string why) {
  return {Fault::kInput, std::move(why)};
}

Error damaged(zip_error_t* error) {
  return refused("a damaged zip archive: " + std::string(zip_error_strerror(error)));
}

Result<Archive> open(std::string_view bytes) {
  zip_error_t error;
  zip_error_init(&error);
  auto* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  Archive archive(source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!archive) {
    auto failure = damaged(&error);
    zip_source_free(source);
    zip_error_fini(&error);
    return failure;
  }
  zip_error_fini(&error);
  return archive;
}

// What archives hold beside their files.
bool is_file(std::string_view name) {
  return !name.empty() && !name.ends_with('/') && !name.starts_with("__MACOSX/");
}

bool is_report(std::string_view name) {
  const auto lower = to_lower(name);
  return lower.ends_with(".json") || lower.ends_with(".json.gz");
}

struct Choice {
  std::optional<zip_stat_t> file;
  std::size_t files = 0;
};

Choice choose(zip_t* archive, std::size_t entries) {
  Choice choice;
  bool report = false;
  for (std::size_t index = 0; index < entries; ++index) {
    zip_stat_t stat;
    if (zip_stat_index(archive, index, 0, &stat) != 0) continue;
    const std::string_view name = (stat.valid & ZIP_STAT_NAME) != 0U ? stat.name : "";
    if (!is_file(name)) continue;
    ++choice.files;
    if (report || (choice.file && !is_report(name))) continue;
    report = is_report(name);
    choice.file = stat;
  }
  return choice;
}

}  // namespace

Result<ZippedFile> read_zip(std::string_view archive, std::size_t most_files,
                            std::size_t most_bytes) {
  auto opened = open(archive);
  if (!opened) return std::move(opened).error();
  const auto entries =
      static_cast<std::size_t>(std::max<zip_int64_t>(zip_get_num_entries(opened->get(), 0), 0));
  if (entries > most_files) {
    return refused("a zip archive of more than " + std::to_string(most_files) + " files");
  }
  const auto choice = choose(opened->get(), entries);
  if (!choice.file) return refused("an empty zip archive");
  const auto& stat = *choice.file;
  if (stat.encryption_method != ZIP_EM_NONE) return refused("an encrypted zip archive");
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return refused("a zip archive that is compressed in an unusual way");
  }
  const File file(zip_fopen_index(opened->get(), stat.index, 0));
  if (!file) return damaged(zip_get_error(opened->get()));
  ZippedFile result{.content = {}, .others = choice.files - 1};
  std::array<char, 65536> piece{};
  for (;;) {
    const auto size = zip_fread(file.get(), piece.data(), piece.size());
    if (size < 0) return damaged(zip_file_get_error(file.get()));
    if (size == 0) return result;
    result.content.append(piece.data(), static_cast<std::size_t>(size));
    if (result.content.size() > most_bytes) {
      return refused("a zip archive that holds more than " + std::to_string(most_bytes) +
                     " bytes, which is too much for its size");
    }
  }
}

}  // namespace rapporteur
