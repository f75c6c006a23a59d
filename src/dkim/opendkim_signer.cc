#include "dkim/opendkim_signer.h"

#include <sys/types.h>

#include <algorithm>
#include <cassert>
#include <ctime>
#include <mutex>
#include <vector>

// dkim.h is written for C and uses its Boolean type.
#define _Bool bool
#include <opendkim/dkim.h>
#undef _Bool

#include "dkim/canonical.h"

namespace rapporteur {

namespace {

struct CloseLibrary {
  void operator()(DKIM_LIB* library) const { dkim_close(library); }
};
using Library = std::unique_ptr<DKIM_LIB, CloseLibrary>;

struct FreeHandle {
  void operator()(DKIM* handle) const { dkim_free(handle); }
};
using Handle = std::unique_ptr<DKIM, FreeHandle>;

const unsigned char* bytes(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.c_str());
}

// libopendkim takes what it only reads by pointers to what it could write.
unsigned char* mutable_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

template <std::size_t kSize>
bool set_names(DKIM_LIB* library, dkim_opts_t option, const std::array<const char*, kSize>& names) {
  std::vector<const char*> list(names.begin(), names.end());
  list.push_back(nullptr);
  // The length that it wants is that of a pointer, whatever the list's.
  return dkim_options(library, DKIM_OP_SETOPT, option, list.data(), sizeof(unsigned char**)) ==
         DKIM_STAT_OK;
}

Library open_library() {
  Library library(dkim_init(nullptr, nullptr));
  if (!library || !set_names(library.get(), DKIM_OPTS_SIGNHDRS, kSignedFields) ||
      !set_names(library.get(), DKIM_OPTS_OVERSIGNHDRS, kOversignedFields)) {
    return nullptr;
  }
  return library;
}

Error failure(const SigningKey& key, DKIM* handle, DKIM_STAT status) {
  const char* reason = handle == nullptr ? nullptr : dkim_geterror(handle);
  return {Fault::kConfig, "cannot sign with " + key.selector + "._domainkey." + key.domain + ": " +
                              (reason != nullptr && *reason != '\0'
                                   ? std::string(reason)
                                   : "libopendkim status " + std::to_string(status))};
}

DKIM_STAT feed(DKIM* handle, const Message& message) {
  for (const auto field : header_fields(message.header)) {
    const auto status = dkim_header(handle, mutable_bytes(field), field.size());
    if (status != DKIM_STAT_OK) return status;
  }
  auto status = dkim_eoh(handle);
  if (status == DKIM_STAT_OK) {
    status = dkim_body(handle, mutable_bytes(message.body), message.body.size());
  }
  return status == DKIM_STAT_OK ? dkim_eom(handle, nullptr) : status;
}

}  // namespace

// The time of a signature is an option of the DKIM_LIB, not of the signing handle, so one DKIM_LIB
// serves one signature at a time. There come to be as many as there are threads that sign.
class OpendkimSigner::Libraries {
 public:
  Library take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return open_library();
    auto library = std::move(idle_.back());
    idle_.pop_back();
    return library;
  }

  void give_back(Library library) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(library));
  }

 private:
  std::mutex mutex_;
  std::vector<Library> idle_;
};

OpendkimSigner::OpendkimSigner() : libraries_(std::make_unique<Libraries>()) {}
OpendkimSigner::~OpendkimSigner() = default;

Result<std::string> OpendkimSigner::sign(const SigningKey& key, const Message& message,
                                         Time date) const {
  assert(key.key.type() == PrivateKey::Type::kRsa);
  constexpr std::string_view kFieldName = "DKIM-Signature: ";
  auto library = libraries_->take();
  auto time = static_cast<std::time_t>(date.time_since_epoch().count());
  if (!library || dkim_options(library.get(), DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &time,
                               sizeof time) != DKIM_STAT_OK) {
    return failure(key, nullptr, DKIM_STAT_NORESOURCE);
  }

  DKIM_STAT status = DKIM_STAT_OK;
  std::string id = "report";
  Handle handle(dkim_sign(library.get(), bytes(id), nullptr, mutable_bytes(key.key.pem()),
                          bytes(key.selector), bytes(key.domain), DKIM_CANON_RELAXED,
                          DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &status));
  if (!handle) return failure(key, nullptr, status);
  status = feed(handle.get(), message);
  unsigned char* text = nullptr;
  std::size_t length = 0;
  if (status == DKIM_STAT_OK) {
    status = dkim_getsighdr_d(handle.get(), kFieldName.size(), &text, &length);
  }
  if (status != DKIM_STAT_OK) return failure(key, handle.get(), status);

  std::string field(kFieldName);
  field.append(reinterpret_cast<const char*>(text), length).append("\r\n");
  handle.reset();
  libraries_->give_back(std::move(library));
  return field;
}

}  // namespace rapporteur
