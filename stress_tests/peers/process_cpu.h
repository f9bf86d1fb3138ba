#ifndef PROCESS_CPU_H
#define PROCESS_CPU_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Nanoseconds of processor time that the threads of a process have had; ends the program if there is no such process.
static uint64_t process_cpu(int pid) {
  char path[300];
  uint64_t sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *folder = opendir(path);
  if (!folder) {
    fprintf(stderr, "there is no process %d\n", pid);
    exit(1);
  }
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long part = 0;
    if (file && fscanf(file, "%llu", &part) == 1) sum += part;
    if (file) fclose(file);
  }
  closedir(folder);
  return sum;
}

#endif
