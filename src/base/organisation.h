#pragma once
// Where organisations begin among domain names: by the Public Suffix List, the newer of the one
// that this system keeps and the one that libpsl was built with.

#include <string_view>

namespace rapporteur {

// The organisational domain (RFC 7489, section 3.2) of a normalised domain: its public suffix and
// one label more, "foo.co.uk" of "a.foo.co.uk". A public suffix is its own, and so is a single
// label. Under a top level that the list does not know, one label is the suffix. A view into
// `domain`. Any thread.
std::string_view organisational_domain(std::string_view domain);

}  // namespace rapporteur
