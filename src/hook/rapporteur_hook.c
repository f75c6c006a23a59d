#define _GNU_SOURCE  // MADV_POPULATE_WRITE, pthread_setname_np
#include "hook/rapporteur_hook.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// The ring is a sequence of records, each a header of eight bytes and the text, padded to eight.
// `head` and `tail` count bytes and never wrap; their low bits are the place. A producer reserves a
// record by moving `head`, writes the text, and then the header, which is the length plus one:
// until then it is 0, and the sender waits there. The sender fills what it has sent with zeros
// before it moves `tail`, so that every place where a header may come to stand is 0 in free space.
// Thus a producer that the scheduler stops in the middle delays what is sent, but no other
// producer.
//
// Nobody wakes the sender for a record: a system call that does costs its caller ten and, where the
// scheduler then prefers the sender, a hundred microseconds. It looks for itself, ten times a
// second and more often while there is something.

enum {
  kHeader = 8,
  kLeastRing = 256 * 1024,  // holds the largest record
  kLine = 64,               // bytes that processors share
  kFirstIdleMs = 5,         // between two looks into an empty ring
  kMostIdleMs = 100,
  kBusyMs = 1000,  // how long the daemon's queue may be full before we connect anew
  kFirstBackOffMs = 50,
  kMostBackOffMs = 2000,
  kLossIntervalMs = 60000,
};

struct rapporteur_hook {
  // Written by every producer.
  _Alignas(kLine) _Atomic uint64_t head;
  _Atomic uint64_t handed_over;
  // Written by the sender.
  _Alignas(kLine) _Atomic uint64_t tail;
  _Atomic uint64_t sent;
  _Atomic uint64_t refused;
  // Written seldom.
  _Alignas(kLine) _Atomic int stopping;
  _Atomic int flushers;
  _Atomic uint64_t lost_full;
  _Atomic uint64_t lost_too_large;
  _Atomic uint64_t lost_by_caller;

  // Never changed after rapporteur_open().
  _Alignas(kLine) char* ring;
  uint64_t mask;            // the ring's size less one
  size_t control;           // bytes before the ring
  bool inherited;           // a child has the ring, too
  const _Atomic int* mark;  // on a page that is all zero in a child; NULL: there is no such page
  pid_t owner;              // asked only then: a descendant may have the number again
  int wakeup;               // eventfd
  pthread_t thread;
  struct sockaddr_un address;
  void (*on_loss)(void*, const struct rapporteur_counters*);
  void* closure;
  int64_t loss_interval;  // milliseconds

  pthread_mutex_t flush_lock;
  pthread_cond_t flushed;

  // Of the sender alone.
  int socket;    // -1: not connected
  int back_off;  // milliseconds
  int idle;      // milliseconds
  uint64_t losses_told;
  int64_t next_telling;
};

static int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static _Atomic uint64_t* header_at(const rapporteur_hook* hook, uint64_t position) {
  return (_Atomic uint64_t*)(void*)(hook->ring + (position & hook->mask));
}

static uint64_t record_size(uint64_t length) {
  return kHeader + ((length + (kHeader - 1)) & ~(uint64_t)(kHeader - 1));
}

// How many bytes from `position` on lie before the ring's end.
static uint64_t before_end(const rapporteur_hook* hook, uint64_t position, uint64_t length) {
  const uint64_t rest = hook->mask + 1 - (position & hook->mask);
  return length < rest ? length : rest;
}

static void wake(rapporteur_hook* hook) {
  const uint64_t one = 1;
  const ssize_t written = write(hook->wakeup, &one, sizeof one);
  (void)written;  // fails only if it is readable already
}

// ---- What the host's threads call

static bool is_ours(const rapporteur_hook* hook) {
  return hook->mark != NULL ? atomic_load_explicit(hook->mark, memory_order_relaxed) != 0
                            : getpid() == hook->owner;
}

int rapporteur_hand_over(rapporteur_hook* hook, const char* text, size_t length) {
  if (hook == NULL || text == NULL || length == 0) return RAPPORTEUR_NOTHING;
  if (!is_ours(hook)) return RAPPORTEUR_FORKED;
  if (length > RAPPORTEUR_MOST_BYTES) {
    atomic_fetch_add(&hook->lost_too_large, 1);
    return RAPPORTEUR_TOO_LARGE;
  }
  const uint64_t need = record_size(length);
  uint64_t head = atomic_load_explicit(&hook->head, memory_order_relaxed);
  do {
    // `head` is read before `tail`: where it is old, the difference may be below zero and the
    // exchange fails; where there seems to be no room, there was none.
    const uint64_t tail = atomic_load_explicit(&hook->tail, memory_order_acquire);
    if ((int64_t)(head + need - tail) > (int64_t)(hook->mask + 1)) {
      atomic_fetch_add(&hook->lost_full, 1);
      return RAPPORTEUR_FULL;
    }
  } while (!atomic_compare_exchange_weak_explicit(&hook->head, &head, head + need,
                                                  memory_order_relaxed, memory_order_relaxed));
  const uint64_t first = before_end(hook, head + kHeader, length);
  memcpy(hook->ring + ((head + kHeader) & hook->mask), text, first);
  memcpy(hook->ring, text + first, length - first);
  atomic_fetch_add_explicit(&hook->handed_over, 1, memory_order_relaxed);
  atomic_store_explicit(header_at(hook, head), length + 1, memory_order_release);
  return RAPPORTEUR_DONE;
}

void rapporteur_count_loss(rapporteur_hook* hook) {
  if (hook != NULL && is_ours(hook)) atomic_fetch_add(&hook->lost_by_caller, 1);
}

static void count(const rapporteur_hook* hook, struct rapporteur_counters* counters) {
  // In this order sent + refused never exceed handed_over.
  counters->sent = atomic_load(&hook->sent);
  counters->refused = atomic_load(&hook->refused);
  counters->handed_over = atomic_load(&hook->handed_over);
  counters->lost_full = atomic_load(&hook->lost_full);
  counters->lost_too_large = atomic_load(&hook->lost_too_large);
  counters->lost_by_caller = atomic_load(&hook->lost_by_caller);
}

void rapporteur_count(const rapporteur_hook* hook, struct rapporteur_counters* counters) {
  memset(counters, 0, sizeof *counters);
  if (hook != NULL && is_ours(hook)) count(hook, counters);
}

int rapporteur_flush(rapporteur_hook* hook, int timeout_ms) {
  if (hook == NULL) return RAPPORTEUR_NOTHING;
  if (!is_ours(hook)) return RAPPORTEUR_FORKED;
  const uint64_t target = atomic_load(&hook->head);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  if (timeout_ms > 0) {
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
      ++until.tv_sec;
      until.tv_nsec -= 1000000000L;
    }
  }
  pthread_mutex_lock(&hook->flush_lock);
  atomic_fetch_add(&hook->flushers, 1);
  wake(hook);  // out of whatever wait
  int error = 0;
  while (atomic_load(&hook->tail) < target && error == 0) {
    error = pthread_cond_timedwait(&hook->flushed, &hook->flush_lock, &until);
  }
  const bool done = atomic_load(&hook->tail) >= target;
  atomic_fetch_sub(&hook->flushers, 1);
  pthread_mutex_unlock(&hook->flush_lock);
  return done ? RAPPORTEUR_DONE : RAPPORTEUR_TIMED_OUT;
}

// ---- The sender

// The length of the oldest record plus one; 0 if there is none yet.
static uint64_t oldest(const rapporteur_hook* hook) {
  const uint64_t tail = atomic_load_explicit(&hook->tail, memory_order_relaxed);
  return atomic_load_explicit(header_at(hook, tail), memory_order_acquire);
}

static void remove_oldest(rapporteur_hook* hook, uint64_t length) {
  const uint64_t tail = atomic_load_explicit(&hook->tail, memory_order_relaxed);
  const uint64_t size = record_size(length);
  const uint64_t first = before_end(hook, tail, size);
  memset(hook->ring + (tail & hook->mask), 0, first);
  memset(hook->ring, 0, size - first);
  atomic_store(&hook->tail, tail + size);
  if (atomic_load(&hook->flushers) == 0) return;
  pthread_mutex_lock(&hook->flush_lock);
  pthread_cond_broadcast(&hook->flushed);
  pthread_mutex_unlock(&hook->flush_lock);
}

static void disconnect(rapporteur_hook* hook) {
  const int fd = hook->socket;
  hook->socket = -1;  // first: a fork in between must not see the number of a closed descriptor
  if (fd >= 0) close(fd);
}

static bool connect_socket(rapporteur_hook* hook) {
  if (hook->socket >= 0) return true;
  hook->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (hook->socket < 0) return false;
  const struct sockaddr* address = (const struct sockaddr*)&hook->address;
  if (connect(hook->socket, address, sizeof hook->address) == 0) return true;
  disconnect(hook);
  return false;
}

enum attempt { kSent, kRefused, kBusy, kAway };

static enum attempt send_oldest(rapporteur_hook* hook, uint64_t length) {
  if (!connect_socket(hook)) return kAway;
  const uint64_t start = atomic_load_explicit(&hook->tail, memory_order_relaxed) + kHeader;
  const uint64_t first = before_end(hook, start, length);
  struct iovec pieces[2] = {{hook->ring + (start & hook->mask), first},
                            {hook->ring, length - first}};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = pieces;
  message.msg_iovlen = first < length ? 2 : 1;
  if (sendmsg(hook->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return kSent;
  switch (errno) {
    case EMSGSIZE:
      return kRefused;
    case EAGAIN:
    case EINTR:
      return kBusy;
    default:
      return kAway;
  }
}

// Waits for wake(), for room behind the socket (-1: none is given), or for `timeout_ms`. Whether
// there is room.
static bool wait_for(rapporteur_hook* hook, int socket, int timeout_ms) {
  struct pollfd polled[2] = {{hook->wakeup, POLLIN, 0}, {socket, POLLOUT, 0}};
  const int ready = poll(polled, socket < 0 ? 1 : 2, timeout_ms);
  if (ready > 0 && polled[0].revents != 0) {
    uint64_t wakes;
    const ssize_t taken = read(hook->wakeup, &wakes, sizeof wakes);
    (void)taken;
  }
  return ready > 0 && polled[1].revents != 0;
}

static uint64_t losses(const rapporteur_hook* hook) {
  return atomic_load(&hook->refused) + atomic_load(&hook->lost_full) +
         atomic_load(&hook->lost_too_large) + atomic_load(&hook->lost_by_caller);
}

// Tells of losses, if there are new ones and it is time.
static void tell_losses(rapporteur_hook* hook) {
  const uint64_t now_lost = losses(hook);
  if (hook->on_loss == NULL || now_lost == hook->losses_told) return;
  const int64_t now = monotonic_ms();
  if (now < hook->next_telling && atomic_load(&hook->stopping) == 0) return;
  hook->losses_told = now_lost;
  hook->next_telling = now + hook->loss_interval;
  struct rapporteur_counters counters;
  count(hook, &counters);
  hook->on_loss(hook->closure, &counters);
}

static int doubled(int milliseconds, int most) {
  return milliseconds < most / 2 ? 2 * milliseconds : most;
}

// One step: sends the oldest record, or waits for what keeps it from being sent.
static void work(rapporteur_hook* hook) {
  const uint64_t mark = oldest(hook);
  if (mark == 0) {
    wait_for(hook, -1, hook->idle);
    hook->idle = doubled(hook->idle, kMostIdleMs);
    return;
  }
  hook->idle = kFirstIdleMs;
  const uint64_t length = mark - 1;
  switch (send_oldest(hook, length)) {
    case kSent:
      atomic_fetch_add(&hook->sent, 1);
      hook->back_off = kFirstBackOffMs;
      remove_oldest(hook, length);
      break;
    case kRefused:
      atomic_fetch_add(&hook->refused, 1);
      remove_oldest(hook, length);
      break;
    case kBusy:
      // The socket may belong to a process that is stuck while another one serves the path.
      if (!wait_for(hook, hook->socket, kBusyMs)) disconnect(hook);
      break;
    case kAway:
      disconnect(hook);
      wait_for(hook, -1, hook->back_off);
      hook->back_off = doubled(hook->back_off, kMostBackOffMs);
      break;
  }
}

static void* run_sender(void* argument) {
  rapporteur_hook* hook = argument;
#ifdef MADV_POPULATE_WRITE
  // So that the host's threads do not meet the page faults. Where the kernel cannot, they do.
  madvise(hook->ring, hook->mask + 1, MADV_POPULATE_WRITE);
#endif
  while (atomic_load(&hook->stopping) == 0) {
    work(hook);
    tell_losses(hook);
  }
  tell_losses(hook);
  disconnect(hook);
  return NULL;
}

// ---- Opening and closing

static uint64_t ring_size(size_t wanted) {
  uint64_t size = kLeastRing;
  const uint64_t most = (uint64_t)1 << 40;
  while (size < wanted && size < most) size *= 2;
  return size;
}

static bool set_address(rapporteur_hook* hook, const char* path) {
  const size_t length = path == NULL ? 0 : strlen(path);
  if (length == 0 || path[0] != '/') {
    errno = EINVAL;
    return false;
  }
  if (length >= sizeof hook->address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  hook->address.sun_family = AF_UNIX;
  memcpy(hook->address.sun_path, path, length + 1);
  return true;
}

static bool make_flush_signal(rapporteur_hook* hook) {
  pthread_condattr_t attributes;
  int error = pthread_condattr_init(&attributes);
  if (error == 0) {
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0) error = pthread_cond_init(&hook->flushed, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  if (error == 0) error = pthread_mutex_init(&hook->flush_lock, NULL);
  if (error != 0) errno = error;
  return error == 0;
}

// The thread inherits the mask of blocked signals; ours is put back.
static bool start_thread(rapporteur_hook* hook) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  int error = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (error == 0) {
    error = pthread_create(&hook->thread, NULL, run_sender, hook);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
  if (error == 0) pthread_setname_np(hook->thread, "rapporteur");
  if (error != 0) errno = error;
  return error == 0;
}

static void free_memory(rapporteur_hook* hook) {
  const int saved = errno;
  if (hook->wakeup >= 0) close(hook->wakeup);
  // In a child something else may have come to stand where the parent has the ring.
  const bool has_ring = is_ours(hook) || hook->inherited;
  munmap(hook, hook->control + (has_ring ? hook->mask + 1 : 0));
  errno = saved;
}

rapporteur_hook* rapporteur_open(const struct rapporteur_options* options) {
  if (options == NULL) {
    errno = EINVAL;
    return NULL;
  }
  const uint64_t size =
      ring_size(options->ring_bytes == 0 ? RAPPORTEUR_RING_BYTES : options->ring_bytes);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  // The handle itself, and a page for the mark.
  const size_t control = (sizeof(rapporteur_hook) + page - 1) / page * page + page;
  void* memory =
      mmap(NULL, control + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  rapporteur_hook* hook = memory;  // all zero
  hook->control = control;
  hook->ring = (char*)memory + control;
  hook->mask = size - 1;
  hook->owner = getpid();
  _Atomic int* const mark = (_Atomic int*)(void*)(hook->ring - page);
  atomic_store(mark, 1);
  if (madvise(hook->ring - page, page, MADV_WIPEONFORK) == 0) hook->mark = mark;
  hook->socket = -1;
  hook->back_off = kFirstBackOffMs;
  hook->idle = kFirstIdleMs;
  hook->on_loss = options->on_loss;
  hook->closure = options->closure;
  hook->loss_interval =
      options->loss_interval_ms == 0 ? kLossIntervalMs : (int64_t)options->loss_interval_ms;
  // A child never touches the ring; without it, a fork does not make the parent copy pages.
  hook->inherited = madvise(hook->ring, size, MADV_DONTFORK) != 0;
  hook->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (hook->wakeup < 0 || !set_address(hook, options->socket_path) || !make_flush_signal(hook) ||
      !start_thread(hook)) {
    free_memory(hook);
    return NULL;
  }
  return hook;
}

uint64_t rapporteur_close(rapporteur_hook* hook, int timeout_ms) {
  if (hook == NULL) return 0;
  if (!is_ours(hook)) {
    disconnect(hook);
    free_memory(hook);
    return 0;
  }
  rapporteur_flush(hook, timeout_ms);
  atomic_store(&hook->stopping, 1);
  wake(hook);
  pthread_join(hook->thread, NULL);
  struct rapporteur_counters counters;
  count(hook, &counters);
  pthread_cond_destroy(&hook->flushed);
  pthread_mutex_destroy(&hook->flush_lock);
  free_memory(hook);
  return counters.handed_over - counters.sent - counters.refused;
}
