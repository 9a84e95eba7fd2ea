/* text: see text.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <stdlib.h>

bool
text_close(FILE *file, char **text)
{
    const bool is_short = file == NULL || ferror(file) != 0;

    if (file != NULL && fclose(file) == 0 && !is_short && *text != NULL)
        return true;
    free(*text);
    *text = NULL;
    return false;
}
