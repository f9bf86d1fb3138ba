/* Clients of an echo server that come and go: connload PORT CONNECTIONS AT_ONCE PID
   Each connects, sends a byte, waits for it to come back, and resets the connection, so that no port lingers. Prints as
   JSON how many there were, how many a second, and the processor time of process PID for each. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in server;
static int polled;

static void fail(const char *what) {
  fprintf(stderr, "connload: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now)) fail("clock_gettime");
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void begin(void) {
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client < 0) fail("socket");
  struct linger reset = {1, 0};
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(client, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = client};
  if (epoll_ctl(polled, EPOLL_CTL_ADD, client, &event)) fail("epoll_ctl");
}

/* Gives whether the connection has ended. */
static int go_on(struct epoll_event *event) {
  int client = event->data.fd;
  char byte = 'x';
  if (event->events & EPOLLOUT) {
    if (send(client, &byte, 1, MSG_NOSIGNAL) != 1) fail("send");
    event->events = EPOLLIN;
    if (epoll_ctl(polled, EPOLL_CTL_MOD, client, event)) fail("epoll_ctl");
    return 0;
  }
  if (recv(client, &byte, 1, 0) != 1) fail("recv");
  close(client);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 5) return fprintf(stderr, "connload PORT CONNECTIONS AT_ONCE PID\n"), 2;
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(arguments[1]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  long connections = atol(arguments[2]), begun = 0, ended = 0;
  int at_once = atoi(arguments[3]);
  clockid_t processor;
  if (clock_getcpuclockid(atoi(arguments[4]), &processor)) fail("clock_getcpuclockid");
  if ((polled = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
  uint64_t used = nanoseconds(processor), start = nanoseconds(CLOCK_MONOTONIC);
  for (; begun < at_once && begun < connections; begun++) begin();
  struct epoll_event events[256];
  while (ended < connections) {
    int ready = epoll_wait(polled, events, 256, 30000);
    if (ready <= 0) fail("epoll_wait");
    for (int each = 0; each < ready; each++) {
      if (!go_on(&events[each])) continue;
      ended++;
      if (begun < connections) begun++, begin();
    }
  }
  double seconds = (nanoseconds(CLOCK_MONOTONIC) - start) / 1e9;
  printf("{\"connections\": %ld, \"at_once\": %d, \"per_second\": %.0f, \"cpu_ns\": %.0f}\n", ended, at_once,
         ended / seconds, (double)(nanoseconds(processor) - used) / ended);
  return 0;
}
