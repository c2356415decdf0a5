/* Lets the n-th of the calls that write or read files fail, as a full or broken disk does. Loaded by LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

static int at, count, number; /* which call fails; calls so far; its errno */

void fault_arm(int n, int error) { at = n; count = 0; number = error; }
int fault_calls(void) { return count; }

static int fails(void) {
    if (at && ++count == at) { errno = number; return 1; }
    return 0;
}

#define REAL(name, type, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

#define WRAP_OPEN(name) \
int name(const char *path, int flags, ...) { \
    va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
    return fails() ? -1 : REAL(name, int, const char *, int, int)(path, flags, mode); \
}
WRAP_OPEN(open)
WRAP_OPEN(open64)

ssize_t write(int fd, const void *data, size_t n) {
    return fails() ? -1 : REAL(write, ssize_t, int, const void *, size_t)(fd, data, n);
}
ssize_t read(int fd, void *data, size_t n) {
    return fails() ? -1 : REAL(read, ssize_t, int, void *, size_t)(fd, data, n);
}
int fsync(int fd) { return fails() ? -1 : REAL(fsync, int, int)(fd); }
int flock(int fd, int how) { return fails() ? -1 : REAL(flock, int, int, int)(fd, how); }
int rename(const char *a, const char *b) { return fails() ? -1 : REAL(rename, int, const char *, const char *)(a, b); }
int unlink(const char *path) { return fails() ? -1 : REAL(unlink, int, const char *)(path); }
int chmod(const char *path, mode_t mode) { return fails() ? -1 : REAL(chmod, int, const char *, mode_t)(path, mode); }
int fstat(int fd, struct stat *out) { return fails() ? -1 : REAL(fstat, int, int, struct stat *)(fd, out); }
int stat(const char *path, struct stat *out) {
    return fails() ? -1 : REAL(stat, int, const char *, struct stat *)(path, out);
}
off_t lseek(int fd, off_t to, int how) { return fails() ? -1 : REAL(lseek, off_t, int, off_t, int)(fd, to, how); }
int close(int fd) { /* a failed close has closed all the same */
    int failed = fails(), result = REAL(close, int, int)(fd);
    if (failed) { errno = number; return -1; }
    return result;
}
