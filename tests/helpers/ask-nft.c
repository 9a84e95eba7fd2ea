/* ask-nft: runs each line of standard input as nft would, and answers with one line: 0 or 1, and
 * what nft would have printed, its errors as well, its lines joined by blanks.
 *
 * One process for a whole test: what tests ask the kernel most often is whether a set holds an
 * address, and nft itself takes a hundred times as long to start as to answer that.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_in_line(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text == '\n' ? ' ' : *text);
}

static void
answer(struct nft_ctx *nft, const char *command)
{
    printf("%d ", nft_run_cmd_from_buffer(nft, command) != 0);
    print_in_line(nft_ctx_get_output_buffer(nft));
    print_in_line(nft_ctx_get_error_buffer(nft));
    putchar('\n');
    fflush(stdout);
}

int
main(void)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    char *line = NULL;
    size_t size = 0;

    if (nft == NULL || nft_ctx_buffer_output(nft) != 0 || nft_ctx_buffer_error(nft) != 0)
        return 1;
    while (getline(&line, &size, stdin) > 0)
        answer(nft, line);
    free(line);
    nft_ctx_free(nft);
    return 0;
}
