#pragma once
// Making the file of a unix socket so that nobody can reach it before it is ready. Internal to this
// room: see ingest/datagram_socket.h.

#include <sys/types.h>

#include "base/file.h"
#include "base/result.h"
#include "ingest/datagram_socket.h"

namespace rapporteur {

// A bound, non-blocking socket, and which file it is.
struct BoundSocket {
  Fd socket;
  dev_t device = 0;
  ino_t inode = 0;
};

// As DatagramSocket::open promises for a socket that it makes.
Result<BoundSocket> bind_datagram_socket(const DatagramSocketOptions& options);

}  // namespace rapporteur
