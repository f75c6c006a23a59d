#pragma once
// What writing a file takes, for those in this room who do it.

#include <string>
#include <string_view>

namespace rapporteur {

// All of it, however often the system writes a part. False: not all; errno says why.
bool write_all(int fd, std::string_view content);

// So that the name of the file is on disk, too. Where the folder cannot be opened, nothing happens.
void sync_folder_of(const std::string& path);

}  // namespace rapporteur
