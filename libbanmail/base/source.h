/* source: where a client comes from; an address, or a prefix of addresses.
 *
 * An address is always 16 bytes; IPv4 is held v4-mapped (::ffff:a.b.c.d, RFC 4291 section
 * 2.5.5.2), so that one comparison serves both families and a v4-mapped IPv6 client is the IPv4
 * client that it is. The prefix length counts the 128 bits: IPv4 /24 is 96 + 24 = 120.
 *
 * All functions are pure and may be called from any thread; nothing is allocated.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SOURCE_H
#define BANMAIL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TEXT_SIZE   sizeof("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")
#define SOURCE_V4_OFFSET   96  /* bits in front of an IPv4 address in its v4-mapped form */
#define SOURCE_HOST_PREFIX 128 /* bits: a single address of either family */

struct source {
    uint8_t address[16]; /* network byte order; bits behind the prefix are 0 */
    uint8_t prefix;      /* bits, 0..128, in terms of the 16 bytes */
};

/* Parses one address as inet_pton(3) reads it, of `length` bytes (no NUL needed); no zone, no
 * port, no brackets, no prefix length. Postfix's `IPv6:` in front is accepted. Returns 0, or
 * -EINVAL and leaves *source as it was. */
int source_parse(const char *text, size_t length, struct source *source);

/* Parses ADDRESS or ADDRESS/BITS, BITS in the family's own terms (IPv4 0..32, IPv6 0..128);
 * bits behind the prefix are cleared. Returns 0, or -EINVAL and leaves *source as it was. */
int source_parse_prefix(const char *text, size_t length, struct source *source);

bool source_is_v4(const struct source *source);

/* The network of `source` of `v4_bits` (0..32) or `v6_bits` (0..128), by family. A source that is
 * already wider stays as it is. */
struct source source_mask(const struct source *source, unsigned v4_bits, unsigned v6_bits);

/* The prefix length in the family's own terms: 0..32 or 0..128. */
unsigned source_bits(const struct source *source);

/* Whether the bits behind the prefix are 0, as they are in every source but one that a file holds.
 * Pure. */
bool source_is_masked(const struct source *source);

/* Orders by address, then by prefix length; 0 when equal. */
int source_compare(const struct source *a, const struct source *b);

/* Whether all of `inner` lies within `outer`. */
bool source_contains(const struct source *outer, const struct source *inner);

/* Whether this can be a client that connected from elsewhere: not unspecified, loopback,
 * multicast, nor IPv4 0.0.0.0/8 or 255.0.0.0/8, the broadcast's. (Link-local and private ones
 * can.) */
bool source_is_client(const struct source *source);

/* Prints as inet_ntop(3) does, with /BITS unless a single address, into text[SOURCE_TEXT_SIZE].
 * IPv4 is printed as IPv4. Returns text. */
const char *source_print(const struct source *source, char text[SOURCE_TEXT_SIZE]);

/* The same without the prefix length. */
const char *source_print_address(const struct source *source, char text[SOURCE_TEXT_SIZE]);

#endif
