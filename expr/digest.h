#pragma once
// MD5 (RFC 1321), SHA-1, SHA-256 and SHA-512 (RFC 6234) for the function hash(). They name things;
// nothing is protected with them.

#include <string>
#include <string_view>

namespace expr {

// In lower-case hexadecimal digits.
std::string md5_hex(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
std::string sha512_hex(std::string_view bytes);

}  // namespace expr
