#pragma once
// The HTTP server of the daemon with a store of its own, a Beast server that answers without work,
// and clients.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rapporteur::bench {

// Runs `client` with the port of the one or the other.
void with_http_server(const std::string& folder, const std::function<void(std::uint16_t)>& client);
void with_idle_server(const std::function<void(std::uint16_t)>& client);

// Seconds that a POST to /v1/sessions takes until it is answered. Aborts unless that is 200.
double time_of_post(std::uint16_t port, const std::string& body);

struct Latencies {
  double requests_a_second = 0;
  double median = 0;  // milliseconds
  double p99 = 0;
};

// `connections` clients that post a session of Halon's hook each, one after the other, `requests`
// in all. Aborts unless each is answered with 201.
Latencies documents(std::uint16_t port, unsigned connections, unsigned requests);

}  // namespace rapporteur::bench
