#pragma once

#include <uv.h>

#ifdef __linux__
#include <pthread.h>
/* The C library declares it under _GNU_SOURCE alone, which Swift's import does not set. */
extern int pthread_setname_np(pthread_t thread, const char *name);
#endif
