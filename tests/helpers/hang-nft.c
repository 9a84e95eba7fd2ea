/* hang-nft: to be preloaded; libnftables' commands hang while the file $HANG exists.
 *
 * The library may loop for long beside big interval sets; nobody can make it do so when wanted.
 * This is how a test can.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

struct nft_ctx;

int
nft_run_cmd_from_buffer(struct nft_ctx *nft, const char *buffer)
{
    int (*real)(struct nft_ctx *, const char *);
    const char *file = getenv("HANG");

    while (file != NULL && access(file, F_OK) == 0)
        usleep(10000);
    /* a plugin's library is not in the scope that RTLD_NEXT searches */
    *(void **)&real =
        dlsym(dlopen("libnftables.so.1", RTLD_LAZY | RTLD_NOLOAD), "nft_run_cmd_from_buffer");
    return real(nft, buffer);
}
