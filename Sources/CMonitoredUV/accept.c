#define _GNU_SOURCE
#include "include/accept.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__linux__)

int muv_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

#else

int muv_accept(int socket) {
    int connection = accept(socket, NULL, NULL);
    if (connection < 0) return -1;
    if (fcntl(connection, F_SETFD, FD_CLOEXEC) == 0 && fcntl(connection, F_SETFL, O_NONBLOCK) == 0) return connection;
    int error = errno;
    close(connection);
    errno = error;
    return -1;
}

#endif
