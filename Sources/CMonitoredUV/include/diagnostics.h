#pragma once

#include <stdbool.h>

// Has the process served as the environment asks. Returns false if the program is not linked with what serves it.
bool muv_ask_for_diagnostics(const char *place);
