#pragma once
// Replies for the responder, and a resolver that asks it.

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dns/resolver.h"
#include "dns_responder.h"

namespace rapporteur {

using testing_support::DnsResponder;
using Reply = DnsResponder::Reply;

inline Reply with(std::vector<DnsResponder::Record> records) {
  Reply reply;
  reply.records = std::move(records);
  return reply;
}
inline Reply alias(std::string target) {
  Reply reply;
  reply.cname = std::move(target);
  return reply;
}
inline Reply failing(int rcode) {
  Reply reply;
  reply.rcode = rcode;
  return reply;
}
inline Reply silence() {
  Reply reply;
  reply.silent = true;
  return reply;
}

inline std::unique_ptr<Resolver> resolver_for(const DnsResponder& server, int concurrency = 200,
                                              Seconds timeout = Seconds(10)) {
  auto made = make_resolver({.servers = {server.address()},
                             .timeout = timeout,
                             .concurrency = concurrency,
                             .trust_anchor = {}});
  if (!made) {
    ADD_FAILURE() << made.error().text;
    std::abort();
  }
  return *std::move(made);
}

inline DnsAnswer ask(Resolver& resolver, const std::string& name, DnsType type = DnsType::kTxt) {
  const DnsQuestion question{name, type};
  return resolver.ask(std::span(&question, 1)).at(0);
}

}  // namespace rapporteur
