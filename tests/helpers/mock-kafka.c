/* mock-kafka TOPIC:PARTITIONS…: librdkafka's mock cluster of one broker on loopback, with these
 * topics. Prints the broker's address, and serves until it is ended.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
create_topic(rd_kafka_mock_cluster_t *cluster, char *text)
{
    char *const colon = strchr(text, ':');

    if (colon == NULL)
        return -1;
    *colon = '\0';
    return rd_kafka_mock_topic_create(cluster, text, atoi(colon + 1), 1) == 0 ? 0 : -1;
}

int
main(int argc, char **argv)
{
    char reason[256] = "no cluster";
    rd_kafka_t *const kafka = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, reason, sizeof reason);
    rd_kafka_mock_cluster_t *const cluster =
        kafka != NULL ? rd_kafka_mock_cluster_new(kafka, 1) : NULL;
    int i, status = cluster != NULL ? 0 : -1;

    for (i = 1; i < argc && status == 0; i++)
        status = create_topic(cluster, argv[i]);
    if (status != 0) {
        fprintf(stderr, "mock-kafka: %s\n", reason);
        return 1;
    }
    printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
    fflush(stdout);
    for (;;)
        pause();
}
