#ifndef STRESS_SUPPORT_H
#define STRESS_SUPPORT_H

/// The bytes of the heap that are allocated, after what is free was given back to the system.
long stress_heap_in_use(void);

#endif
