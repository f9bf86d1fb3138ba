// Functions whose frames are hard to take apart.
#pragma once

// Spends its time at the end of a function, where the registers that it saved have been restored, but its table still
// says where on the stack they were: as compilers have it.
void test_spin_after_restoring(unsigned long rounds);
