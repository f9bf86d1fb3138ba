#ifndef PROCESS_CPU_H
#define PROCESS_CPU_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// Nanoseconds of processor time that a process has had, with threads that have ended; ends the program if there is no
// such process.
static uint64_t process_cpu(int pid) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &time)) {
    fprintf(stderr, "there is no process %d\n", pid);
    exit(1);
  }
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

#endif
