// A disk that takes writes and does not sync, for processes started with this in LD_PRELOAD: while the file that HELD_SYNC names exists, fdatasync
// and fsync wait. Writes go to the page cache as ever.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_while_held(void) {
  const char *path = getenv("HELD_SYNC");
  while (path != NULL && access(path, F_OK) == 0) usleep(1000);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  wait_while_held();
  return real(fd);
}

int fsync(int fd) {
  static int (*real)(int);
  if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  wait_while_held();
  return real(fd);
}
