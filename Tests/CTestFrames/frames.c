#include "include/frames.h"

#if defined(__x86_64__) && defined(__linux__)

__asm__(
    ".pushsection .text\n"
    ".globl test_spin_after_restoring\n"
    ".type test_spin_after_restoring, @function\n"
    "test_spin_after_restoring:\n"
    ".cfi_startproc\n"
    "    push %rbp\n"
    "    .cfi_adjust_cfa_offset 8\n"
    "    push %rbx\n"
    "    .cfi_adjust_cfa_offset 8\n"
    "    .cfi_offset %rbp, -16\n"
    "    .cfi_offset %rbx, -24\n"
    "    pop %rbx\n"
    "    .cfi_adjust_cfa_offset -8\n"
    "    pop %rbp\n"
    "    .cfi_adjust_cfa_offset -8\n"
    "1:  dec %rdi\n"
    "    jnz 1b\n"
    "    ret\n"
    ".cfi_endproc\n"
    ".size test_spin_after_restoring, . - test_spin_after_restoring\n"
    ".popsection\n"
);

#else

void test_spin_after_restoring(unsigned long rounds) {
    for (volatile unsigned long round = 0; round < rounds; round++) {}
}

#endif
