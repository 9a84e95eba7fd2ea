/* source: sixteen bytes for both families.
 *
 * IPv4 is held v4-mapped, so masking, comparing and containing are written once, over 128 bits.
 * Texts come from log lines that an attacker wrote: nothing but what inet_pton(3) accepts passes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/source.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Postfix writes IPv6 addresses with this in front wherever SMTP's address literals do. */
static const char literal_tag[] = "IPv6:";

/* The leading ones of 64 bits, as they lie in memory. */
static inline uint64_t
mask_word(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : htobe64(~(UINT64_MAX >> bits));
}

static inline void
mask_address(uint8_t address[16], unsigned prefix)
{
    uint64_t words[2];

    memcpy(words, address, sizeof words);
    words[0] &= mask_word(prefix);
    words[1] &= mask_word(prefix > 64 ? prefix - 64 : 0);
    memcpy(address, words, sizeof words);
}

/* 0 to 9; a greater number where there is no digit. */
static inline unsigned
digit_at(const char *text, const char *end)
{
    return text < end ? (unsigned char)*text - (unsigned)'0' : UINT_MAX;
}

/* 0 to 255 without a zero in front. Returns where it ends, or NULL. */
static inline const char *
parse_octet(const char *text, const char *end, uint8_t *octet)
{
    unsigned value = digit_at(text, end), digit;

    if (value > 9)
        return NULL;
    text++;
    for (unsigned more = 0; more < 2 && value != 0 && (digit = digit_at(text, end)) <= 9; more++) {
        value = value * 10 + digit;
        text++;
    }
    *octet = (uint8_t)value;
    return value > UINT8_MAX ? NULL : text;
}

/* As inet_pton(3) reads it, which takes twice as many instructions: every line has one. */
static bool
parse_v4(const char *text, size_t length, uint8_t octets[4])
{
    const char *const end = text + length;

    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && (text == end || *text++ != '.'))
            return false;
        text = parse_octet(text, end, &octets[i]);
        if (text == NULL)
            return false;
    }
    return text == end;
}

static bool
is_tagged(const char *text, size_t length)
{
    const size_t tag_length = sizeof literal_tag - 1;

    return length > tag_length && text[tag_length - 1] == ':' &&
           strncasecmp(text, literal_tag, tag_length) == 0;
}

/* The address alone; *is_v4 tells how it was written, which says what a /BITS behind it means. */
static int
parse_address(const char *text, size_t length, uint8_t address[16], bool *is_v4)
{
    char copy[INET6_ADDRSTRLEN];

    if (length == 0)
        return -EINVAL;
    memcpy(address, v4_mapped, sizeof v4_mapped);
    *is_v4 = parse_v4(text, length, address + sizeof v4_mapped);
    if (*is_v4)
        return 0;
    if (is_tagged(text, length)) {
        text += sizeof literal_tag - 1;
        length -= sizeof literal_tag - 1;
    }
    if (length >= sizeof copy || memchr(text, '\0', length))
        return -EINVAL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return inet_pton(AF_INET6, copy, address) == 1 ? 0 : -EINVAL;
}

static int
parse_bits(const char *text, size_t length, unsigned most, unsigned *bits)
{
    unsigned value = 0;

    if (length == 0 || length > 3)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value > most)
        return -EINVAL;
    *bits = value;
    return 0;
}

int
source_parse(const char *text, size_t length, struct source *source)
{
    struct source parsed = {.prefix = SOURCE_HOST_PREFIX};
    bool is_v4;

    if (parse_address(text, length, parsed.address, &is_v4))
        return -EINVAL;
    *source = parsed;
    return 0;
}

int
source_parse_prefix(const char *text, size_t length, struct source *source)
{
    struct source parsed;
    const char *slash = length > 0 ? memchr(text, '/', length) : NULL;
    size_t address_length = slash ? (size_t)(slash - text) : length;
    unsigned bits;
    bool is_v4;

    if (!slash)
        return source_parse(text, length, source);
    if (parse_address(text, address_length, parsed.address, &is_v4) ||
        parse_bits(slash + 1, length - address_length - 1, is_v4 ? 32 : 128, &bits))
        return -EINVAL;
    parsed.prefix = (uint8_t)(bits + (is_v4 ? SOURCE_V4_OFFSET : 0));
    mask_address(parsed.address, parsed.prefix);
    *source = parsed;
    return 0;
}

static inline bool
is_v4(const struct source *source)
{
    return source->prefix >= SOURCE_V4_OFFSET &&
           memcmp(source->address, v4_mapped, sizeof v4_mapped) == 0;
}

bool
source_is_v4(const struct source *source)
{
    return is_v4(source);
}

struct source
source_mask(const struct source *source, unsigned v4_bits, unsigned v6_bits)
{
    unsigned prefix = is_v4(source) ? SOURCE_V4_OFFSET + v4_bits : v6_bits;
    struct source masked = *source;

    if (prefix < masked.prefix) {
        masked.prefix = (uint8_t)prefix;
        mask_address(masked.address, prefix);
    }
    return masked;
}

unsigned
source_bits(const struct source *source)
{
    return source_is_v4(source) ? source->prefix - SOURCE_V4_OFFSET : source->prefix;
}

int
source_compare(const struct source *a, const struct source *b)
{
    int order = memcmp(a->address, b->address, sizeof a->address);

    return order != 0 ? order : (int)a->prefix - (int)b->prefix;
}

bool
source_is_masked(const struct source *source)
{
    struct source masked = *source;

    mask_address(masked.address, source->prefix);
    return memcmp(masked.address, source->address, sizeof masked.address) == 0;
}

bool
source_contains(const struct source *outer, const struct source *inner)
{
    uint64_t a[2], b[2];

    if (inner->prefix < outer->prefix)
        return false;
    memcpy(a, outer->address, sizeof a);
    memcpy(b, inner->address, sizeof b);
    if (outer->prefix <= 64)
        return ((a[0] ^ b[0]) & mask_word(outer->prefix)) == 0;
    return a[0] == b[0] && ((a[1] ^ b[1]) & mask_word(outer->prefix - 64U)) == 0;
}

static bool
is_v4_client(const uint8_t octets[4])
{
    return octets[0] != 0 && octets[0] != 127 && octets[0] != 255 && (octets[0] & 0xf0) != 0xe0;
}

bool
source_is_client(const struct source *source)
{
    static const uint8_t unspecified[16] = {0};
    static const uint8_t loopback[16] = {[15] = 1};
    const uint8_t *address = source->address;

    if (source_is_v4(source))
        return is_v4_client(address + sizeof v4_mapped);
    return address[0] != 0xff && memcmp(address, unspecified, 16) != 0 &&
           memcmp(address, loopback, 16) != 0;
}

static char *
print_octet(char *to, unsigned octet)
{
    if (octet >= 100)
        *to++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *to++ = (char)('0' + octet / 10 % 10);
    *to++ = (char)('0' + octet % 10);
    return to;
}

/* As inet_ntop(3) does, which takes 1,800 instructions for it: every ban and line that is written
 * down is printed. */
static void
print_v4(const uint8_t octets[4], char *to)
{
    for (unsigned i = 0; i < 4; i++) {
        to = print_octet(to, octets[i]);
        *to++ = i < 3 ? '.' : '\0';
    }
}

const char *
source_print_address(const struct source *source, char text[SOURCE_TEXT_SIZE])
{
    if (source_is_v4(source))
        print_v4(source->address + sizeof v4_mapped, text);
    else
        inet_ntop(AF_INET6, source->address, text, SOURCE_TEXT_SIZE);
    return text;
}

const char *
source_print(const struct source *source, char text[SOURCE_TEXT_SIZE])
{
    unsigned bits = source_bits(source);
    char *end;

    source_print_address(source, text);
    if (source->prefix >= SOURCE_HOST_PREFIX)
        return text;
    end = text + strlen(text);
    *end++ = '/';
    *print_octet(end, bits) = '\0';
    return text;
}
