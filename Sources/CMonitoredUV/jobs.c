#define _GNU_SOURCE
#include "include/jobs.h"
#include "include/symbols.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

// One pointer is passed as in C, so compilers that do not know Swift's calling convention may call this as well.
#if __has_attribute(swiftcall)
__attribute__((swiftcall))
#endif
extern void swift_task_cancel(void *task) __attribute__((weak));

void muv_task_cancel(const void *task) {
    if (swift_task_cancel) swift_task_cancel((void *)task);
}

#if defined(__linux__) && defined(__LP64__)

// Exported by the runtime for debuggers; weak, so that a runtime without them links, too.
extern const uint32_t _swift_concurrency_debug_internal_layout_version __attribute__((weak));
extern const size_t _swift_concurrency_debug_asyncTaskSize __attribute__((weak));
extern const void *const _swift_concurrency_debug_future_adapter __attribute__((weak));
extern const void *const _swift_concurrency_debug_non_future_adapter __attribute__((weak));

bool muv_job_layout_is_known(void) {
    return &_swift_concurrency_debug_internal_layout_version && &_swift_concurrency_debug_asyncTaskSize
        && &_swift_concurrency_debug_future_adapter && &_swift_concurrency_debug_non_future_adapter
        && _swift_concurrency_debug_internal_layout_version == 1
        && _swift_concurrency_debug_asyncTaskSize == 0xd0;
}

bool muv_task_is_new(const muv_job *task) {
    const void *resume = (const void *)task->resume;
    return resume == _swift_concurrency_debug_future_adapter || resume == _swift_concurrency_debug_non_future_adapter;
}

// Functions found to be in the library. Only a few of its functions create tasks.
static _Atomic uintptr_t known_in_runtime[4];

bool muv_is_known_in_runtime(uintptr_t function) {
    for (int index = 0; index < 4; index++) {
        if (atomic_load_explicit(&known_in_runtime[index], memory_order_relaxed) == function) return true;
    }
    return false;
}

bool muv_is_in_runtime(uintptr_t function) {
    Dl_info runtime, program, info;
    if (!dladdr((void *)swift_task_cancel, &runtime) || !dladdr((void *)function, &info)) return false;
    if (!dladdr((void *)&muv_is_in_runtime, &program) || info.dli_fbase != runtime.dli_fbase) return false;
    // If the library is linked into the program itself, only the symbol's name distinguishes the two.
    if (info.dli_fbase == program.dli_fbase && !muv_symbol_contains(function, "sleep")) return false;
    for (int index = 0; index < 4; index++) {
        uintptr_t none = 0;
        if (atomic_compare_exchange_strong(&known_in_runtime[index], &none, function)) break;
    }
    return true;
}

#else

bool muv_job_layout_is_known(void) { return false; }
bool muv_is_known_in_runtime(uintptr_t function) { return false; }
bool muv_is_in_runtime(uintptr_t function) { return false; }
bool muv_task_is_new(const muv_job *task) { return false; }

#endif

typedef struct status_record {
    uintptr_t flags; // kind in the low byte
    struct status_record *next;
    const char *name;
} status_record;

enum { status_records = 0x68, task_name_record = 6 };

const char *muv_task_name(const muv_job *task) {
    const status_record *record = *(status_record *const *)((const char *)task + status_records);
    for (; record; record = record->next) {
        if ((record->flags & 0xff) == task_name_record) return record->name;
    }
    return NULL;
}

// In front of a new task's frame: the closure's captures, and its entry.
enum { entry_before_frame = 0x18, captures_before_frame = 0x10, object_header = 16 };

uintptr_t muv_task_entry(const muv_job *task) {
    return *(const uintptr_t *)((const char *)task->context - entry_before_frame);
}

uintptr_t muv_task_captures(const muv_job *task) {
    uintptr_t closure = *(const uintptr_t *)((const char *)task->context - captures_before_frame);
    return closure ? closure + object_header : 0;
}

// May read one word past what was captured, behind which more memory follows.
__attribute__((no_sanitize("address", "thread")))
uintptr_t muv_task_capture(const muv_job *task, int index) {
    uintptr_t captures = muv_task_captures(task);
    return captures ? ((const uintptr_t *)captures)[index] : 0;
}

const void *muv_job_actor_of(const muv_job *job) { return *(const void *const *)((const char *)job + 0x40); }

const void *muv_job_resumed_task(const muv_job *job) { return *(const void *const *)((const char *)job + 0x48); }
