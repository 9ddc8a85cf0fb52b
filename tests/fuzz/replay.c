/* replay - runs a fuzz target without a fuzzer: over the files it is given, and over copies of
 * them that are cut, joined and bent by a generator of numbers which is the same each time.
 *
 * replay [--seconds N] FOLDER... - 0 when nothing was found; a finding ends the program, and the
 * input is in FOUND_PATH then. */
#include "tests/fuzz/fuzz_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX  4096
#define BYTES_MAX  ((size_t)64 << 10)
#define BENDS_MAX  6
#define FOUND_PATH "fuzz-found"

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[FILES_MAX];
static size_t inputs_n;
static struct input current;
static uint64_t state = 88172645463325252U;

static uint64_t number(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static void read_input(const char *folder, const char *name)
{
    char path[4096];
    struct input *in = &inputs[inputs_n];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    in->data = malloc(BYTES_MAX);
    FUZZ_CHECK(file && in->data && inputs_n < FILES_MAX, "%s", path);
    in->size = fread(in->data, 1, BYTES_MAX, file);
    fclose(file);
    inputs_n++;
}

static void read_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    FUZZ_CHECK(dir, "%s", folder);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            read_input(folder, entry->d_name);
    closedir(dir);
}

static void on_abort(int signal_number)
{
    int fd = open(FOUND_PATH, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd >= 0 && write(fd, current.data, current.size) >= 0)
        close(fd);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1); /* of its own size, so that a read past it is seen */

    FUZZ_CHECK(copy, "no memory");
    memcpy(copy, data, size);
    current = (struct input){copy, size};
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* One change to text, which has room for BYTES_MAX. */
static void bend(struct input *text)
{
    static const char *const words[] = {"{",       "}",    "[",    "]",    "\"",     "null",
                                        "\\u0000", "-1",   "1e99", "\n\n", "data: ", ":",
                                        ",",       "\xff", "{}",   "[]",   "\"\""};
    const struct input *other = &inputs[number(inputs_n)];
    size_t at = text->size ? number(text->size) : 0, n = text->size - at;
    const char *word = words[number(sizeof(words) / sizeof(words[0]))];

    switch (number(6)) {
    case 0:
        text->size = at;
        break;
    case 1: /* a part goes */
        n = n ? number(n < 64 ? n : 64) + 1 : 0;
        n = n > text->size - at ? text->size - at : n;
        memmove(text->data + at, text->data + at + n, text->size - at - n);
        text->size -= n;
        break;
    case 2:
        if (text->size)
            text->data[at] = (uint8_t)number(256);
        break;
    case 3: /* the end of another */
        n = other->size ? number(other->size) : 0;
        n = other->size - n > BYTES_MAX - at ? other->size : n;
        if (other->size - n <= BYTES_MAX - at) {
            memcpy(text->data + at, other->data + n, other->size - n);
            text->size = at + other->size - n;
        }
        break;
    case 4:
        if (text->size)
            text->data[number(text->size < FUZZ_HEAD ? text->size : FUZZ_HEAD)] =
                (uint8_t)number(256);
        break;
    default:
        if (text->size + strlen(word) <= BYTES_MAX) {
            memmove(text->data + at + strlen(word), text->data + at, n);
            memcpy(text->data + at, word, strlen(word));
            text->size += strlen(word);
        }
        break;
    }
}

static size_t run_bent(double seconds)
{
    struct input text = {malloc(BYTES_MAX), 0};
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    size_t runs = 0, i;

    FUZZ_CHECK(text.data, "no memory");
    for (; inputs_n && clock() < end; runs++) {
        const struct input *in = &inputs[number(inputs_n)];

        memcpy(text.data, in->data, in->size);
        text.size = in->size;
        for (i = number(BENDS_MAX) + 1; i > 0; i--)
            bend(&text);
        run(text.data, text.size);
    }
    free(text.data);
    return runs;
}

int main(int argc, char **argv)
{
    double seconds = 0;
    size_t i;
    int k;

    signal(SIGABRT, on_abort);
    for (k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--seconds") == 0 && k + 1 < argc)
            seconds = strtod(argv[++k], NULL);
        else
            read_folder(argv[k]);
    }
    for (i = 0; i < inputs_n; i++)
        run(inputs[i].data, inputs[i].size);
    printf("%zu inputs, %zu bent\n", inputs_n, run_bent(seconds));
    for (i = 0; i < inputs_n; i++)
        free(inputs[i].data);
    return 0;
}
