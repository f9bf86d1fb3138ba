#pragma once

// Accepts a connection from a nonblocking listening socket. Returns its descriptor, which is nonblocking and not
// inherited by started programs, or -1 with errno.
int muv_accept(int socket);
