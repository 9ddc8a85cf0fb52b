#include "tests/unit/temp_dir.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_MAX_FTW 16

void temp_dir_make(char *dst, size_t size)
{
    const char *env = getenv("AIPASS_TEST_DIR");
    const char *root = env && *env ? env : "build/tmp";
    mkdir("build", 0777);
    mkdir(root, 0777);
    int n = snprintf(dst, size, "%s/test-%d-XXXXXX", root, (int)getpid());
    if (n < 0 || (size_t)n >= size || !mkdtemp(dst)) {
        fprintf(stderr, "temp_dir: %s: %s\n", root, strerror(errno));
        exit(2);
    }
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(const char *path)
{
    nftw(path, remove_entry, OPEN_MAX_FTW, FTW_DEPTH | FTW_PHYS);
}

int temp_dir_count(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}
