/* A disk that can be watched and made to fail, and a wall clock that can be set: preloaded into one process.

   UNSTEADY_BELOW   only files below this folder are touched
   UNSTEADY_ONLY    and only those whose names begin so, where it is set
   UNSTEADY_LOG     every change of them is appended here, in the order in which it was made
   UNSTEADY_FAULTS  five numbers of 64 bits that anyone may change at any time; see `faults`

   A record is: kind (1 byte), length of the path (2), of the data (4), offset or size (8), path, data; little endian.
   Kinds: C created, M made a directory, W written, T truncated, S flushed (file or directory), F failed to flush,
   U unlinked, L linked and R renamed (the data is the new path). Other failed calls are not recorded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static struct { int64_t clock_shift_ns, write_errno, sync_errno, sync_delay_ms, spared_syncs; } *faults;
static char below[4096];
static size_t below_length;
static int log_fd = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void set_up(void) {
    const char *folder = getenv("UNSTEADY_BELOW"), *log = getenv("UNSTEADY_LOG");
    const char *control = getenv("UNSTEADY_FAULTS");
    if (folder && realpath(folder, below)) below_length = strlen(below);
    if (log) log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (control) {
        int fd = open(control, O_RDWR | O_CLOEXEC);
        void *page = fd < 0 ? MAP_FAILED : mmap(0, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED) faults = page;
    }
}

static int is_below(const char *path) {
    if (!below_length || strncmp(path, below, below_length) || (path[below_length] && path[below_length] != '/'))
        return 0;
    const char *only = getenv("UNSTEADY_ONLY"), *name = strrchr(path, '/');
    return !only || !strncmp(name + 1, only, strlen(only));
}

/* The folder's path is resolved, so what programs call the files must be too. */
static int resolve(const char *path, char *full) {
    char copy[4096], *slash;
    if (!below_length || strlen(path) >= sizeof copy - 2) return 0;
    snprintf(copy, sizeof copy, "%s%s", strchr(path, '/') ? "" : "./", path);
    for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/'; end--) copy[end - 1] = 0;
    slash = strrchr(copy, '/');
    *slash = 0;
    if (!realpath(*copy ? copy : "/", full)) return 0;
    size_t length = strlen(full);
    snprintf(full + length, 4096 - length, "/%s", slash + 1);
    return is_below(full);
}

static int path_of(int fd, char *full) {
    char link[64];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = below_length && fd != log_fd ? readlink(link, full, 4095) : -1;
    errno = saved;
    if (length < 0) return 0;
    full[length] = 0;
    return is_below(full) && !(length > 10 && !strcmp(full + length - 10, " (deleted)"));
}

static void record(char kind, const char *path, int64_t number, const void *data, uint32_t length) {
    if (log_fd < 0) return;
    int saved = errno;
    uint16_t path_length = strlen(path);
    size_t total = 15 + path_length + length;
    char *whole = malloc(total);
    whole[0] = kind;
    memcpy(whole + 1, &path_length, 2);
    memcpy(whole + 3, &length, 4);
    memcpy(whole + 7, &number, 8);
    memcpy(whole + 15, path, path_length);
    if (length) memcpy(whole + 15 + path_length, data, length);
    REAL(ssize_t, "write", int, const void *, size_t);
    if (real(log_fd, whole, total) != (ssize_t)total) abort();
    free(whole);
    errno = saved;
}

/* A number below 0 fails once. What the program says of itself (the file `said`) is recorded whatever its disk does. */
static int takes_place(int64_t *fault, const char *path) {
    if (!*fault || !strcmp(path + below_length, "/said")) return 0;
    errno = *fault < 0 ? -*fault : *fault;
    if (*fault < 0) *fault = 0;
    return 1;
}

#define FAIL(field, kind) \
    if (faults && takes_place(&faults->field, path)) { \
        if (kind) record(kind, path, 0, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return -1; \
    }

#define WRITE(name, declared, passed, offset_now) \
    ssize_t name declared { \
        char path[4096]; \
        ssize_t (*real) declared = (ssize_t(*) declared)dlsym(RTLD_NEXT, #name); \
        if (!path_of(fd, path)) return real passed; \
        pthread_mutex_lock(&lock); \
        FAIL(write_errno, 0) \
        int64_t where = offset_now; \
        ssize_t done = real passed; \
        if (done > 0) record('W', path, where, data, done); \
        pthread_mutex_unlock(&lock); \
        return done; \
    }
WRITE(write, (int fd, const void *data, size_t size), (fd, data, size),
      (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR))
WRITE(pwrite, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset), offset)
WRITE(pwrite64, (int fd, const void *data, size_t size, off64_t offset), (fd, data, size, offset), offset)

#define TRUNCATE(name, type) \
    int name(int fd, type size) { \
        char path[4096]; \
        REAL(int, #name, int, type); \
        if (!path_of(fd, path)) return real(fd, size); \
        pthread_mutex_lock(&lock); \
        int failed = real(fd, size); \
        if (!failed) record('T', path, size, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        char path[4096]; \
        REAL(int, #name, int); \
        if (!path_of(fd, path)) return real(fd); \
        if (faults && faults->sync_delay_ms) usleep(faults->sync_delay_ms * 1000); \
        pthread_mutex_lock(&lock); \
        if (faults && faults->sync_errno && faults->spared_syncs) faults->spared_syncs--; \
        else FAIL(sync_errno, 'F') \
        int failed = real(fd); \
        if (!failed) record('S', path, 0, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }
SYNC(fsync)
SYNC(fdatasync)

#define OPEN(name) \
    int name(const char *given, int flags, ...) { \
        char path[4096]; \
        REAL(int, #name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (!(flags & (O_CREAT | O_TRUNC)) || !resolve(given, path)) return real(given, flags, mode); \
        pthread_mutex_lock(&lock); \
        struct stat found; \
        int is_new = stat(path, &found); \
        if (is_new) { FAIL(write_errno, 0) } \
        int fd = real(given, flags, mode); \
        if (fd >= 0 && is_new) record('C', path, 0, 0, 0); \
        else if (fd >= 0 && (flags & O_TRUNC)) record('T', path, 0, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

#define ONE(name, kind, declared, passed) \
    int name declared { \
        char path[4096]; \
        int (*real) declared = (int(*) declared)dlsym(RTLD_NEXT, #name); \
        int watched = resolve(given, path); \
        if (!watched) return real passed; \
        pthread_mutex_lock(&lock); \
        int failed = real passed; \
        if (!failed) record(kind, path, 0, 0, 0); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }
ONE(mkdir, 'M', (const char *given, mode_t mode), (given, mode))
ONE(unlink, 'U', (const char *given), (given))

#define TWO(name, kind) \
    int name(const char *given, const char *to) { \
        char path[4096], target[4096]; \
        REAL(int, #name, const char *, const char *); \
        if (!resolve(given, path) || !resolve(to, target)) return real(given, to); \
        pthread_mutex_lock(&lock); \
        int failed = real(given, to); \
        if (!failed) record(kind, path, 0, target, strlen(target)); \
        pthread_mutex_unlock(&lock); \
        return failed; \
    }
TWO(link, 'L')
TWO(rename, 'R')

int clock_gettime(clockid_t id, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int failed = real(id, now);
    if (!failed && faults && faults->clock_shift_ns && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t whole = now->tv_sec * 1000000000LL + now->tv_nsec + faults->clock_shift_ns;
        now->tv_sec = whole / 1000000000LL;
        now->tv_nsec = whole % 1000000000LL;
    }
    return failed;
}
