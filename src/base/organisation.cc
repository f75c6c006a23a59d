#include "base/organisation.h"

#include <cstring>
#include <memory>
#include <string>

#include <libpsl.h>

namespace rapporteur {

namespace {

struct PslDeleter {
  void operator()(psl_ctx_t* list) const { psl_free(list); }
};

}  // namespace

std::string_view organisational_domain(std::string_view domain) {
  // The list is read once and only looked at from then on.
  static const std::unique_ptr<psl_ctx_t, PslDeleter> list(psl_latest(nullptr));
  const std::string name(domain);
  const char* const found = psl_registrable_domain(list.get(), name.c_str());
  if (found == nullptr) return domain;
  return domain.substr(domain.size() - std::strlen(found));
}

}  // namespace rapporteur
