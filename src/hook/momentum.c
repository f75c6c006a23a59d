// The module for Momentum's hook core_smtp_tls_reporting (added in Momentum 5.1): hands each data
// point to Rapporteur. docs/integrations/momentum.md. Knows of Momentum's interface the one
// function that the documentation of the hook shows, and json-c.
//
// Environment, read at the first data point: RAPPORTEUR_SOCKET, the daemon's socket;
// RAPPORTEUR_LOG, the system log's socket, to which a line goes when data points are lost (empty:
// none).

#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "hook/rapporteur_hook.h"

enum {
  kExitFlushMs = 1000,
  kMostDepth = 32,  // as deep as json-c itself parses
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool fork_is_watched;
static _Atomic(rapporteur_hook*) handle;
static _Atomic uint64_t without_handle;  // data points while there is none
static struct sockaddr_un system_log;    // sun_path "": none

// ---- The system log

static void set_path(struct sockaddr_un* address, const char* path) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) < sizeof address->sun_path) strcpy(address->sun_path, path);
}

// One datagram as syslog(3) writes it, but past the host's own use of syslog(3), and never waiting.
static void log_warning(const char* text) {
  enum { kMailWarning = (2 << 3) | 4 };  // RFC 3164, section 4.1.1
  if (system_log.sun_path[0] == '\0') return;
  char line[512];
  const int length = snprintf(line, sizeof line, "<%d>rapporteur_momentum[%ld]: %s", kMailWarning,
                              (long)getpid(), text);
  if (length < 0) return;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
  const struct sockaddr* address = (const struct sockaddr*)&system_log;
  const ssize_t sent =
      sendto(fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL, address, sizeof system_log);
  (void)sent;  // there is nobody else to tell
  close(fd);
}

static void log_counters(const char* what, const struct rapporteur_counters* counters) {
  const uint64_t waiting = counters->handed_over - counters->sent - counters->refused;
  char text[400];
  snprintf(text, sizeof text,
           "%s: handed-over=%" PRIu64 " sent=%" PRIu64 " waiting=%" PRIu64 " lost-full=%" PRIu64
           " lost-too-large=%" PRIu64 " lost-json=%" PRIu64 " refused=%" PRIu64,
           what, counters->handed_over, counters->sent, waiting, counters->lost_full,
           counters->lost_too_large, counters->lost_by_caller, counters->refused);
  log_warning(text);
}

static void tell_losses(void* closure, const struct rapporteur_counters* counters) {
  (void)closure;
  log_counters("data points were lost", counters);
}

// ---- One handle a process

// In a child that was forked off: the parent's thread is not there, so the first data point opens
// a handle of the child's own. The child has one thread at this moment.
static void start_anew(void) {
  rapporteur_close(atomic_exchange(&handle, NULL), 0);
  atomic_store(&without_handle, 0);
  const pthread_once_t fresh = PTHREAD_ONCE_INIT;
  once = fresh;
}

static void open_handle(void) {
  const char* log_path = getenv("RAPPORTEUR_LOG");
  set_path(&system_log, log_path == NULL ? "/dev/log" : log_path);
  if (!fork_is_watched) fork_is_watched = pthread_atfork(NULL, NULL, start_anew) == 0;
  struct rapporteur_options options;
  memset(&options, 0, sizeof options);
  options.socket_path = getenv("RAPPORTEUR_SOCKET");
  if (options.socket_path == NULL) options.socket_path = "/run/rapporteur/tlsrpt.sock";
  options.on_loss = tell_losses;
  rapporteur_hook* opened = rapporteur_open(&options);
  if (opened == NULL) {
    char text[200];
    snprintf(text, sizeof text, "no data point will be handed over: errno %d, RAPPORTEUR_SOCKET %s",
             errno, options.socket_path);
    log_warning(text);
  }
  atomic_store(&handle, opened);
}

// ---- The data point

// Whether the text of `json` has a chance to fit into `*room` bytes, which are used up. Every value
// and key is counted with less than it takes, but with at least one byte; so what json-c allocates
// for the text of an object that passes is bounded, too.
static bool may_fit(struct json_object* json, size_t* room, int depth) {
  size_t own = 1;
  if (json_object_is_type(json, json_type_string)) {
    own += (size_t)json_object_get_string_len(json);
  }
  if (own > *room || depth > kMostDepth) return false;
  *room -= own;
  if (json_object_is_type(json, json_type_array)) {
    const size_t length = (size_t)json_object_array_length(json);
    for (size_t i = 0; i < length; ++i) {
      if (!may_fit(json_object_array_get_idx(json, i), room, depth + 1)) return false;
    }
  } else if (json_object_is_type(json, json_type_object)) {
    struct json_object_iterator at = json_object_iter_begin(json);
    const struct json_object_iterator end = json_object_iter_end(json);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
      const size_t key = strlen(json_object_iter_peek_name(&at));
      if (key > *room) return false;
      *room -= key;
      if (!may_fit(json_object_iter_peek_value(&at), room, depth + 1)) return false;
    }
  }
  return true;
}

RAPPORTEUR_API int core_smtp_tls_reporting(void* closure, struct json_object* json);

// The hook. The documentation writes `void closure`, which is no parameter in C; the return value
// has no significance. Any thread, several at once, each with a data point of its own: json-c keeps
// the text inside of the object, so nobody else may use the object during the call. That memory, at
// most a few times what one data point may have, goes when Momentum frees the object.
int core_smtp_tls_reporting(void* closure, struct json_object* json) {
  (void)closure;
  if (json == NULL) return 0;
  pthread_once(&once, open_handle);
  rapporteur_hook* hook = atomic_load_explicit(&handle, memory_order_relaxed);
  if (hook == NULL) {
    atomic_fetch_add(&without_handle, 1);
    return 0;
  }
  const int saved = errno;
  size_t room = RAPPORTEUR_MOST_BYTES;
  const char* text =
      may_fit(json, &room, 0) ? json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN) : NULL;
  errno = saved;
  if (text == NULL) {
    rapporteur_count_loss(hook);
  } else {
    rapporteur_hand_over(hook, text, strlen(text));
  }
  return 0;
}

RAPPORTEUR_API void rapporteur_momentum_count(struct rapporteur_counters* counters);

// For whoever has the module loaded and wants to know: what rapporteur_count() tells, and in
// lost_by_caller also the data points that came while no handle could be opened.
void rapporteur_momentum_count(struct rapporteur_counters* counters) {
  rapporteur_count(atomic_load(&handle), counters);
  counters->lost_by_caller += atomic_load(&without_handle);
}

// The module is never unloaded (-z nodelete), so this runs when the process ends by exit().
__attribute__((destructor)) static void flush_at_exit(void) {
  rapporteur_flush(atomic_load(&handle), kExitFlushMs);
  struct rapporteur_counters counters;
  rapporteur_momentum_count(&counters);
  if (counters.sent != counters.handed_over || counters.lost_full != 0 ||
      counters.lost_too_large != 0 || counters.lost_by_caller != 0) {
    log_counters("the process ends, and not all data points were sent", &counters);
  }
}
