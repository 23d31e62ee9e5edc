/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a fuzz target in normal builds: runs every file of the folders named on the command line through
 * LLVMFuzzerTestOneInput, and each file cut to every length below 256. No file at all is a failure. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Runs the bytes from a block of exactly their size. */
static void run_exact(const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);
    if (!copy) return;
    memcpy(copy, data, bytes);
    LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
}

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    enum { LARGEST = 16 << 20 };
    uint8_t *data = f ? malloc(LARGEST) : NULL;
    int done = 0;
    if (data) {
        size_t bytes = fread(data, 1, LARGEST, f);
        for (size_t n = 0; n < bytes && n < 256; n++) run_exact(data, n);
        run_exact(data, bytes);
        done = 1;
    }
    free(data);
    if (f) fclose(f);
    return done;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            char path[4096];
            if (e->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            files += replay_file(path);
        }
        if (dir) closedir(dir);
    }
    printf("%d inputs replayed\n", files);
    return files ? 0 : 1;
}
