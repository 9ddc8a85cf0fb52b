/* shim - a machine that doctor has something to say about, by LD_PRELOAD. $SHIM: old-curl, full-disk or no-access.
 * Built by tests/ctl/run.sh. */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#undef statfs

static int is_asked(const char *what)
{
    const char *shim = getenv("SHIM");
    return shim && !strcmp(shim, what);
}

curl_version_info_data *curl_version_info(CURLversion age)
{
    static curl_version_info_data old = {.version = "7.64.0", .version_num = 0x074000};
    static curl_version_info_data usual = {.version = "7.88.1", .version_num = 0x075801};
    (void)age;
    return is_asked("old-curl") ? &old : &usual;
}

int statfs(const char *path, struct statfs *fs)
{
    (void)path;
    memset(fs, 0, sizeof(*fs));
    fs->f_bsize = 4096;
    fs->f_bavail = is_asked("full-disk") ? 16 : 1 << 20;
    return 0;
}

int access(const char *path, int mode)
{
    (void)path;
    (void)mode;
    errno = EACCES;
    return is_asked("no-access") ? -1 : 0;
}
