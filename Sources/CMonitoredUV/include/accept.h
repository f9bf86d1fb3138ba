#pragma once

// Takes a connection off a listening socket that does not block: its descriptor, which neither blocks nor is inherited by
// programs that are started, or -1 with errno.
int muv_accept(int socket);
