// Stands for Momentum: loads the module and calls its hook from several threads, each time with a
// data point of its own as json-c parses it, and prints how long the calls took and what became of
// them as one JSON object.
//
//   momentum_driver MODULE DATA THREADS CALLS WAIT_MS [fork]
//
// DATA is a file of one data point a line; every thread makes CALLS calls and goes through them in
// turn. Waits at most WAIT_MS until all that was handed over is sent. With `fork` a child that is
// forked off afterwards makes the same calls again and ends.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hook/rapporteur_hook.h"

enum { kMostLines = 64, kMostThreads = 64 };

typedef int hook_function(void*, struct json_object*);
typedef void count_function(struct rapporteur_counters*);

static hook_function* hook;
static count_function* count;
static char* lines[kMostLines];
static size_t line_count;
static size_t calls;
static pthread_barrier_t start;

static void fail(const char* what) {
  fprintf(stderr, "momentum_driver: %s\n", what);
  exit(2);
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// dlsym() returns an object pointer, which ISO C does not convert to a function.
static void find(void* module, const char* name, void* function, size_t size) {
  void* symbol = dlsym(module, name);
  if (symbol == NULL) fail(dlerror());
  memcpy(function, &symbol, size);
}

static void read_lines(const char* path) {
  FILE* file = fopen(path, "r");
  if (file == NULL) fail("cannot read the data points");
  size_t size = 0;
  while (line_count < kMostLines && getline(&lines[line_count], &size, file) > 0) {
    ++line_count;
    size = 0;
  }
  fclose(file);
  if (line_count == 0) fail("no data points");
}

static void* call(void* argument) {
  int64_t* took = argument;
  pthread_barrier_wait(&start);
  for (size_t i = 0; i < calls; ++i) {
    struct json_object* json = json_tokener_parse(lines[i % line_count]);
    if (json == NULL) fail("a data point is no JSON");
    const int64_t began = nanoseconds();
    hook(NULL, json);
    took[i] = nanoseconds() - began;
    json_object_put(json);
  }
  return NULL;
}

static int compare(const void* left, const void* right) {
  const int64_t a = *(const int64_t*)left;
  const int64_t b = *(const int64_t*)right;
  return a < b ? -1 : a > b;
}

static void call_from(size_t threads, int64_t* took) {
  pthread_t started[kMostThreads];
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  for (size_t i = 0; i < threads; ++i) {
    if (pthread_create(&started[i], NULL, call, took + i * calls) != 0) fail("no thread");
  }
  for (size_t i = 0; i < threads; ++i) pthread_join(started[i], NULL);
  pthread_barrier_destroy(&start);
}

static struct rapporteur_counters wait_until_sent(int64_t wait_ms) {
  const int64_t until = nanoseconds() + wait_ms * 1000000;
  struct rapporteur_counters counters;
  do {
    count(&counters);
    if (counters.sent + counters.refused == counters.handed_over) break;
    const struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
  } while (nanoseconds() < until);
  return counters;
}

int main(int argument_count, char** arguments) {
  if (argument_count < 6) fail("MODULE DATA THREADS CALLS WAIT_MS [fork]");
  void* module = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) fail(dlerror());
  find(module, "core_smtp_tls_reporting", &hook, sizeof hook);
  find(module, "rapporteur_momentum_count", &count, sizeof count);
  read_lines(arguments[2]);
  const size_t threads = strtoul(arguments[3], NULL, 10);
  calls = strtoul(arguments[4], NULL, 10);
  if (threads == 0 || threads > kMostThreads || calls == 0) fail("bad THREADS or CALLS");
  const size_t total = threads * calls;
  int64_t* took = calloc(total, sizeof *took);
  if (took == NULL) fail("no memory");
  call_from(threads, took);
  const struct rapporteur_counters counters = wait_until_sent(strtol(arguments[5], NULL, 10));
  if (argument_count > 6 && strcmp(arguments[6], "fork") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      call_from(threads, took);
      exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) fail("the child failed");
  }
  qsort(took, total, sizeof *took, compare);
  printf(
      "{\"calls\": %zu, \"handed-over\": %llu, \"sent\": %llu, \"lost-full\": %llu, "
      "\"lost\": %llu, \"median-us\": %.2f, \"p99-us\": %.2f, \"p99.9-us\": %.2f, "
      "\"most-us\": %.2f}\n",
      total, (unsigned long long)counters.handed_over, (unsigned long long)counters.sent,
      (unsigned long long)counters.lost_full,
      (unsigned long long)(counters.refused + counters.lost_too_large + counters.lost_by_caller),
      (double)took[total / 2] / 1000, (double)took[total * 99 / 100] / 1000,
      (double)took[total * 999 / 1000] / 1000, (double)took[total - 1] / 1000);
  free(took);
  for (size_t i = 0; i < line_count; ++i) free(lines[i]);
  dlclose(module);
  return 0;
}
