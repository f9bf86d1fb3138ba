/* Users of a server that answers lines: usersload PORT USERS SECONDS PID
   Each user waits for 100 to 300 ms, asks "ping" four times of five and else "slow", and waits for the answer. Prints
   as JSON the response times of both in microseconds, and the processor time of process PID for each answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "process_cpu.h"

struct user {
  int fd, is_slow;
  uint64_t due;    // when to ask next; 0 while it waits for an answer
  uint64_t asked;
};

struct times {
  uint32_t *values;
  size_t count, room;
};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint32_t random_state = 2463534242u;
static uint32_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  return random_state ^= random_state << 5;
}

static uint64_t pause_length(void) { return 100000000ull + next_random() % 200000000u; }

static void add(struct times *times, uint64_t nanoseconds) {
  if (times->count == times->room) {
    times->room = times->room ? times->room * 2 : 4096;
    times->values = realloc(times->values, times->room * sizeof *times->values);
    if (!times->values) die("memory");
  }
  times->values[times->count++] = (uint32_t)(nanoseconds / 1000);
}

static int compare(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static void print(const char *name, struct times *times) {
  static const double percents[] = {50, 75, 90, 95, 99, 99.9};
  qsort(times->values, times->count, sizeof *times->values, compare);
  printf("\"%s\":{\"count\":%zu", name, times->count);
  for (size_t i = 0; i < sizeof percents / sizeof *percents && times->count; i++)
    printf(",\"%g\":%u", percents[i], times->values[(size_t)(percents[i] / 100 * (double)(times->count - 1))]);
  printf("}");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: usersload PORT USERS SECONDS PID\n");
    return 64;
  }
  int count = atoi(argv[2]), epoll = epoll_create1(0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct user *users = calloc(count, sizeof *users);
  for (int i = 0; i < count; i++) {
    users[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (users[i].fd < 0) die("socket");
    setsockopt(users[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(users[i].fd, (void *)&address, sizeof address)) die("connect");
    fcntl(users[i].fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &users[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, users[i].fd, &event);
    users[i].due = now() + next_random() % 300000000u;
  }
  struct times ping = {0}, slow = {0};
  uint64_t warm = now() + 500000000ull, end = warm + (uint64_t)(atof(argv[3]) * 1e9), cpu = 0, answers = 0;
  for (;;) {
    struct epoll_event events[1024];
    int ready = epoll_wait(epoll, events, 1024, 1);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    uint64_t time = now();
    if (!cpu && time >= warm) cpu = process_cpu(atoi(argv[4]));
    if (time >= end) break;
    for (int i = 0; i < ready; i++) {
      struct user *user = events[i].data.ptr;
      char answer[64];
      ssize_t got = recv(user->fd, answer, sizeof answer, 0);
      if (got <= 0) die("the server closed");
      if (answer[got - 1] != '\n' || user->due) continue;
      if (cpu) {
        add(user->is_slow ? &slow : &ping, time - user->asked);
        answers++;
      }
      user->due = time + pause_length();
    }
    for (int i = 0; i < count; i++) {
      struct user *user = &users[i];
      if (!user->due || user->due > time) continue;
      user->is_slow = next_random() % 5 == 0;
      user->asked = now();
      user->due = 0;
      if (send(user->fd, user->is_slow ? "slow\n" : "ping\n", 5, MSG_NOSIGNAL) != 5) die("send");
    }
  }
  cpu = process_cpu(atoi(argv[4])) - cpu;
  printf("{\"users\":%d,\"answers\":%llu,\"cpu_ns\":%.0f,", count, (unsigned long long)answers,
         answers ? (double)cpu / (double)answers : 0);
  print("ping", &ping);
  printf(",");
  print("slow", &slow);
  printf("}\n");
  return 0;
}
