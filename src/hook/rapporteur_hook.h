#pragma once
// Hands data points (one JSON object each, docs/formats.md) from inside of an MTA to Rapporteur's
// datagram socket without ever making the MTA wait. Plain C, for C and C++; needs POSIX threads and
// Linux, and nothing else. Knows nothing of what the data points say.
//
// rapporteur_hand_over() copies the data point into a ring of a fixed size and returns. A thread of
// the library's own sends from there, waits while the daemon is busy, and comes back to a daemon
// that was away. Nothing is written to disk: what waits in the ring ends with the process.
//
// What a handle costs: the ring, one page, one thread with all signals blocked, two descriptors
// that are closed on exec. The library has no global state, reads no environment, allocates no
// other memory and prints nothing. A program that closes descriptors which it did not open has to
// do so before rapporteur_open().

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RAPPORTEUR_API __attribute__((visibility("default")))

// The largest data point in bytes: what Linux puts into one datagram, and what the daemon takes.
#define RAPPORTEUR_MOST_BYTES 212960U

// The ring's size if none is given: some 30,000 data points of 500 bytes.
#define RAPPORTEUR_RING_BYTES (16U * 1024 * 1024)

typedef struct rapporteur_hook rapporteur_hook;

// What became of a data point, or of a call.
enum rapporteur_result {
  RAPPORTEUR_DONE = 0,  // it is in the ring
  RAPPORTEUR_FULL,      // the ring has no room for it: the daemon is away or too slow
  RAPPORTEUR_TOO_LARGE,
  RAPPORTEUR_FORKED,    // the handle is the parent process's; not counted
  RAPPORTEUR_NOTHING,   // no handle, or an empty data point; not counted
  RAPPORTEUR_TIMED_OUT  // rapporteur_flush(): some still wait
};

// Since rapporteur_open(), in data points. handed_over - sent - refused are waiting in the ring.
struct rapporteur_counters {
  uint64_t handed_over;     // taken into the ring
  uint64_t sent;            // given to the daemon's socket
  uint64_t refused;         // lost: the kernel does not let so large a datagram through
  uint64_t lost_full;       // never taken: RAPPORTEUR_FULL
  uint64_t lost_too_large;  // never taken: RAPPORTEUR_TOO_LARGE
  uint64_t lost_by_caller;  // told by rapporteur_count_loss()
};

// Set all of it to zero first, so that what later versions add has its default.
struct rapporteur_options {
  const char* socket_path;  // absolute, at most 107 bytes; copied. Nothing has to be there yet
  size_t ring_bytes;        // 0: RAPPORTEUR_RING_BYTES. Made a power of two of at least 256 KiB
  // Called by the library's thread soon after data points were lost (refused, lost_*), at most once
  // in loss_interval_ms (0: 60,000). Must not use the handle. NULL: nobody is told.
  void (*on_loss)(void* closure, const struct rapporteur_counters* counters);
  void* closure;
  unsigned loss_interval_ms;
};

// A handle for any number of threads; NULL with errno set if the path is none, or if there is no
// memory, descriptor or thread. Takes some hundred microseconds and never waits for the daemon.
RAPPORTEUR_API rapporteur_hook* rapporteur_open(const struct rapporteur_options* options);

// Copies `length` bytes and returns an enum rapporteur_result. Takes a microsecond or so whatever
// the daemon does: no lock, no allocation, no wait, no system call (getpid(2) before Linux 4.14).
// Any thread, any number at once; keeps errno, is no cancellation point (and must not be cancelled
// asynchronously). What one thread hands over is sent in that order, each once; within a tenth of a
// second if the daemon is there.
RAPPORTEUR_API int rapporteur_hand_over(rapporteur_hook* hook, const char* text, size_t length);

// Counts a data point that the caller could not even bring into text. As rapporteur_hand_over().
RAPPORTEUR_API void rapporteur_count_loss(rapporteur_hook* hook);

// All zero for a handle that is NULL or the parent process's. Any thread; does not wait.
RAPPORTEUR_API void rapporteur_count(const rapporteur_hook* hook,
                                     struct rapporteur_counters* counters);

// Waits until everything that was handed over before this call has left the ring, at most
// `timeout_ms` (below 0: 0). RAPPORTEUR_DONE, _TIMED_OUT, _FORKED or _NOTHING. Any thread.
RAPPORTEUR_API int rapporteur_flush(rapporteur_hook* hook, int timeout_ms);

// Flushes, ends the thread and frees everything; returns how many data points were left behind. No
// other thread may be using the handle, or use it later. In a process that was forked off it frees
// the child's copy and returns 0; the parent's handle goes on as it was.
RAPPORTEUR_API uint64_t rapporteur_close(rapporteur_hook* hook, int timeout_ms);

#ifdef __cplusplus
}
#endif
