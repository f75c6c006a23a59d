#include "base/url.h"

#include <algorithm>

namespace rapporteur {

std::string without_password(std::string url) {
  const auto begin = url.find("://");
  if (begin == url.npos) return url;
  const auto user = begin + 3;
  auto at = url.rfind('@', url.find('/', user));
  // A password with a slash that should have been encoded.
  if (at == url.npos || at < user) at = url.rfind('@', url.find('?', user));
  const auto colon = url.find(':', user);
  if (at != url.npos && colon < at) url.replace(colon + 1, at - colon - 1, "***");
  for (auto parameter = url.find("password=", user); parameter != url.npos;
       parameter = url.find("password=", parameter + 1)) {
    const auto value = parameter + 9;
    url.replace(value, std::min(url.find('&', value), url.size()) - value, "***");
  }
  return url;
}

}  // namespace rapporteur
