#include "include/diagnostics.h"

// Of the library MonitoredUVDiagnostics, if the program is linked with it.
extern void muv_diagnostics_were_asked_for(const char *place) __attribute__((weak));

bool muv_ask_for_diagnostics(const char *place) {
    if (!muv_diagnostics_were_asked_for) return false;
    muv_diagnostics_were_asked_for(place);
    return true;
}
