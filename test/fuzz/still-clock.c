// A wall clock that stands still until it is told to go on, for a redis-server started with this in LD_PRELOAD. The file that STILL_CLOCK names holds
// microseconds since 1970 as one 64-bit number; whoever writes there moves the clock. Monotonic time goes on, so that the server's own timers run.
#define _GNU_SOURCE
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *clock_us;

__attribute__((constructor)) static void open_clock(void) {
  const char *path = getenv("STILL_CLOCK");
  int fd = path == NULL ? -1 : open(path, O_RDONLY);
  if (fd < 0) _exit(97);
  void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) _exit(98);
  clock_us = page;
}

static int64_t now_us(void) {
  if (clock_us != NULL) return *clock_us;
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  int64_t us = now_us();
  now->tv_sec = us / 1000000;
  now->tv_usec = us % 1000000;
  return 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
  if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE) return syscall(SYS_clock_gettime, id, now);
  int64_t us = now_us();
  now->tv_sec = us / 1000000;
  now->tv_nsec = us % 1000000 * 1000;
  return 0;
}

time_t time(time_t *out) {
  time_t seconds = now_us() / 1000000;
  if (out != NULL) *out = seconds;
  return seconds;
}

// A search that is killed takes its judge along.
__attribute__((constructor)) static void end_with_parent(void) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}
