#include "ctl/doctor.h"

#include "base/hash.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SPOOL_FREE_MIN ((unsigned long long)64 << 20)

/* Passwords and keys are nobody else's business. */
static bool check_secret_file(struct doctor *d, const char *check, const char *path)
{
    struct stat st;
    if (stat(path, &st)) {
        doctor_tell(
            d, check, DOCTOR_ERROR,
            "make the file, or correct its path in aipass.conf; README.md, Install, shows both",
            "%s: %s", path, strerror(errno));
        return false;
    }
    if (st.st_mode & (S_IRWXO | S_IWGRP)) {
        doctor_tell(d, check, DOCTOR_ERROR, "chmod 640 it, with the group of the gateway's user",
                    "%s has mode %03o: others may read or change it", path, st.st_mode & 0777u);
        return false;
    }
    if (access(path, R_OK)) {
        doctor_tell(d, check, DOCTOR_WARNING, "run doctor as the gateway's user, or as root",
                    "%s: this user may not read it", path);
        return false;
    }
    return true;
}

static void check_key_file(struct doctor *d)
{
    const char *path = d->config->secret_key_file;
    char text[2 * SEAL_KEY_BYTES + 2] = "";
    if (!path[0]) {
        doctor_tell(d, "secret_key", DOCTOR_WARNING,
                    "make a key file and name it by secret_key_file; README.md, Install, step 3",
                    "providers' keys lie unsealed in the database");
        return;
    }
    if (!check_secret_file(d, "secret_key", path))
        return;
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    bool is_good = n >= 2 * SEAL_KEY_BYTES &&
                   strspn(text, "0123456789abcdefABCDEF") == 2 * SEAL_KEY_BYTES;
    hash_wipe(text, sizeof(text));
    if (is_good)
        doctor_tell(d, "secret_key", DOCTOR_OK, NULL, "%s", path);
    else
        doctor_tell(d, "secret_key", DOCTOR_ERROR,
                    "it is 32 random bytes as 64 hexadecimal digits: put the saved copy back",
                    "%s does not hold a key", path);
}

static void check_spool_space(struct doctor *d, const char *path)
{
    struct statfs fs;
    if (statfs(path, &fs))
        return;
    if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
        doctor_tell(d, "spool", DOCTOR_ERROR, "set spool_dir to a directory on a disk",
                    "%s lies in memory: what customers owe is lost at a restart", path);
    else if ((unsigned long long)fs.f_bavail * (unsigned long long)fs.f_bsize < SPOOL_FREE_MIN)
        doctor_tell(d, "spool", DOCTOR_WARNING, "make room on that disk",
                    "%s: less than 64 MB are free; a full spool refuses requests", path);
    else
        doctor_tell(d, "spool", DOCTOR_OK, NULL, "%s", path);
}

static void check_spool(struct doctor *d)
{
    const char *path = d->config->spool_dir;
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        doctor_tell(d, "spool", DOCTOR_ERROR,
                    "install -d -m 700 -o www-data -g www-data it, or set spool_dir",
                    "%s: no such directory", path);
    else if (st.st_mode & S_IRWXO)
        doctor_tell(d, "spool", DOCTOR_ERROR, "chmod 700 it",
                    "%s has mode %03o: others may look into it", path, st.st_mode & 0777u);
    else if (access(path, W_OK | X_OK))
        doctor_tell(d, "spool", DOCTOR_WARNING,
                    "run doctor as the gateway's user; if it is that, chown the directory",
                    "%s: this user may not write there", path);
    else
        check_spool_space(d, path);
}

void doctor_check_files(struct doctor *d)
{
    const char *option_file = d->config->db_option_file;
    if (!option_file[0])
        doctor_tell(d, "credentials", DOCTOR_WARNING,
                    "name an option file by db_option_file; README.md, Install, step 2",
                    "the database's password is wherever the client library finds it");
    else if (check_secret_file(d, "credentials", option_file))
        doctor_tell(d, "credentials", DOCTOR_OK, NULL, "%s", option_file);
    check_key_file(d);
    check_spool(d);
}
