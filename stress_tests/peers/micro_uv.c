/* What posted callbacks and timers cost on libuv alone: micro_uv WHAT COUNT
   WHAT: posted_batch, posted_chain, posted_remote, timers. Prints "WHAT wall cpu", nanoseconds for each. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static long count, ran;

// libuv has no queue of its own for callbacks: a list of nodes that an idle handle drains, as in uvloop.
struct node {
  struct node *next;
  void (*body)(void);
};
static struct node *first, **last = &first;
static uv_idle_t idle;
static int is_idle_active;

static void run_all(struct node *list) {
  while (list) {
    struct node *node = list;
    list = node->next;
    node->body();
    free(node);
  }
}

static void drain(uv_idle_t *handle) {
  struct node *list = first;
  first = NULL;
  last = &first;
  run_all(list);
  if (!first) {
    uv_idle_stop(handle);
    is_idle_active = 0;
  }
}

static struct node *make(void (*body)(void)) {
  struct node *node = malloc(sizeof *node);
  node->next = NULL;
  node->body = body;
  return node;
}

static void post(void (*body)(void)) {
  struct node *node = make(body);
  *last = node;
  last = &node->next;
  if (!is_idle_active) {
    uv_idle_start(&idle, drain);
    is_idle_active = 1;
  }
}

static void nothing(void) { ran++; }

static void chain(void) {
  if (++ran < count) post(chain);
}

static void batch(void) {
  for (int i = 0; i < 999; i++) post(nothing);
  if (++ran + 999 < count) post(batch);
}

static uv_async_t async;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node *remote_first, **remote_last = &remote_first;

static void on_async(uv_async_t *handle) {
  pthread_mutex_lock(&lock);
  struct node *list = remote_first;
  remote_first = NULL;
  remote_last = &remote_first;
  pthread_mutex_unlock(&lock);
  run_all(list);
  if (ran >= count) uv_close((uv_handle_t *)handle, NULL);
}

static void *flood(void *context) {
  for (long i = 0; i < count; i++) {
    struct node *node = make(nothing);
    pthread_mutex_lock(&lock);
    *remote_last = node;
    remote_last = &node->next;
    pthread_mutex_unlock(&lock);
    uv_async_send(&async);
  }
  return context;
}

static void on_closed(uv_handle_t *handle) { free(handle); }

static void on_timer(uv_timer_t *timer) {
  ran++;
  uv_close((uv_handle_t *)timer, on_closed);
}

static void start_timers(uv_loop_t *loop) {
  uint32_t random = 12345;
  for (long i = 0; i < count; i++) {
    random = random * 1664525u + 1013904223u;
    uv_timer_t *timer = malloc(sizeof *timer);
    uv_timer_init(loop, timer);
    uv_timer_start(timer, on_timer, 1 + (random >> 8) % 100, 0);
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 2 ? argv[1] : "";
  count = argc > 2 ? atol(argv[2]) : 0;
  uv_loop_t *loop = uv_default_loop();
  pthread_t thread;
  uv_idle_init(loop, &idle);
  uint64_t wall = read_clock(CLOCK_MONOTONIC), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  if (!strcmp(what, "posted_batch")) {
    post(batch);
  } else if (!strcmp(what, "posted_chain")) {
    post(chain);
  } else if (!strcmp(what, "posted_remote")) {
    uv_async_init(loop, &async, on_async);
    pthread_create(&thread, NULL, flood, NULL);
  } else if (!strcmp(what, "timers")) {
    start_timers(loop);
  } else {
    fprintf(stderr, "usage: micro_uv posted_batch|posted_chain|posted_remote|timers COUNT\n");
    return 64;
  }
  uv_run(loop, UV_RUN_DEFAULT);
  wall = read_clock(CLOCK_MONOTONIC) - wall;
  cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (ran < count) return 1;
  printf("%s %.2f %.2f\n", what, (double)wall / ran, (double)cpu / ran);
  return 0;
}
