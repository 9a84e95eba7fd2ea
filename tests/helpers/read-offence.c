/* read-offence: what offence.c reads from fields, one JSON object a line on standard input; prints
 * what `banmailctl test --each` prints, without the number of the line.
 *
 * With it a test compares rsyslogd's mmnormalize with banmailctl's liblognorm.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>

#include "line/offence.h"

int
main(void)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        struct fjson_object *fields = fjson_tokener_parse(line);
        char address[SOURCE_TEXT_SIZE] = "-";
        struct offence offence;

        if (fields == NULL || offence_read(fields, &offence) != 0) {
            puts("-");
        } else {
            if (offence.has_client)
                source_print_address(&offence.client, address);
            printf("%s\t%s\t%u\t%s\n", offence_class_name(offence.class), address, offence.attempts,
                   offence_counts(&offence) ? "counts" : "-");
        }
        fjson_object_put(fields);
    }
    free(line);
    return 0;
}
