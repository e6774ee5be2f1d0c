/* A failing disk: the Nth call of one kind on a file below a folder fails, as the environment of a process says.

   FAIL_BELOW=folder FAIL_CALL=write|sync|open|rename|any FAIL_AT=n FAIL_HOW=ENOSPC|EIO|SHORT|KILL|STICKY, set by
   fail_at() after the fork. Counted are calls on paths and descriptors below the folder; STICKY fails with ENOSPC from
   the Nth on. calls_seen() says how many there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4, RENAME = 8 };
enum { ENOSPC_ONCE, EIO_ONCE, SHORT_WRITE, KILLED, ENOSPC_FROM_HERE };

static char below[4096];
static int kinds, how;
static volatile long at = -1, seen;

void fail_at(const char *folder, int which, long number, int manner) {
    snprintf(below, sizeof below, "%s/", folder);
    kinds = which, how = manner, seen = 0;
    at = number;
}
long calls_seen(void) { return seen; }

static int is_below(const char *path) { return path && !strncmp(path, below, strlen(below)); }

static int descriptor_below(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* 0: go on; 1: failed with errno set; 2: do half of it */
static int fails(int kind) {
    if (at < 0 || !(kinds & kind)) return 0;
    long mine = __sync_fetch_and_add(&seen, 1);
    if (mine != at && !(how == ENOSPC_FROM_HERE && mine > at && kind != RENAME && kind != SYNC)) return 0;
    if (how == KILLED) kill(getpid(), SIGKILL);
    if (how == SHORT_WRITE) return kind == WRITE ? 2 : 0;
    errno = how == EIO_ONCE ? EIO : ENOSPC;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int what = at >= 0 && descriptor_below(fd) ? fails(WRITE) : 0;
    return what == 1 ? -1 : real(fd, data, what == 2 && size > 1 ? size / 2 : size);
}

#define PWRITE(name) \
ssize_t name(int fd, const void *data, size_t size, off_t place) { \
    REAL(ssize_t, #name, int, const void *, size_t, off_t); \
    int what = at >= 0 && descriptor_below(fd) ? fails(WRITE) : 0; \
    return what == 1 ? -1 : real(fd, data, what == 2 && size > 1 ? size / 2 : size, place); \
}
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    int what = at >= 0 && descriptor_below(fd) ? fails(WRITE) : 0;
    return what == 1 ? -1 : real(fd, parts, what == 2 && count > 1 ? 1 : count);
}

#define SYNCING(name) \
int name(int fd) { \
    REAL(int, #name, int); \
    return at >= 0 && descriptor_below(fd) && fails(SYNC) == 1 ? -1 : real(fd); \
}
SYNCING(fsync)
SYNCING(fdatasync)

#define OPENING(name) \
int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, ...); \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    if (at >= 0 && (flags & (O_WRONLY | O_RDWR)) && is_below(path) && fails(OPEN) == 1) return -1; \
    return real(path, flags, mode); \
}
OPENING(open)
OPENING(open64)

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return at >= 0 && is_below(to) && fails(RENAME) == 1 ? -1 : real(from, to);
}
