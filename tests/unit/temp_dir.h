/* temp_dir - a directory of its own for one test, in build/tmp or $AIPASS_TEST_DIR. */
#ifndef AIPASS_TESTS_TEMP_DIR_H
#define AIPASS_TESTS_TEMP_DIR_H

#include <stddef.h>

/* temp_dir_make - makes it; ends the program when it cannot. temp_dir_remove - with all that is in it. */
void temp_dir_make(char *dst, size_t size);
void temp_dir_remove(const char *path);
/* temp_dir_count - how many names it holds. */
int temp_dir_count(const char *path);

#endif
