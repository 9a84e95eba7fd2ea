/* siphash: the keyed hash of J.-P. Aumasson and D. J. Bernstein ("SipHash: a fast short-input
 * PRF", 2012), written from the paper.
 *
 * Who does not know the key cannot choose addresses that fall into one bucket. The tables use
 * SipHash-1-3; the number of rounds is an argument so that a test can compare SipHash-2-4 with the
 * published vectors.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SIPHASH_H
#define BANMAIL_SIPHASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t
siphash_rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

struct siphash_state {
    uint64_t v0, v1, v2, v3;
};

static inline struct siphash_state
siphash_round(struct siphash_state s)
{
    s.v0 += s.v1;
    s.v2 += s.v3;
    s.v1 = siphash_rotate(s.v1, 13) ^ s.v0;
    s.v3 = siphash_rotate(s.v3, 16) ^ s.v2;
    s.v0 = siphash_rotate(s.v0, 32);
    s.v2 += s.v1;
    s.v0 += s.v3;
    s.v1 = siphash_rotate(s.v1, 17) ^ s.v2;
    s.v3 = siphash_rotate(s.v3, 21) ^ s.v0;
    s.v2 = siphash_rotate(s.v2, 32);
    return s;
}

static inline struct siphash_state
siphash_begin(const uint64_t key[2])
{
    return (struct siphash_state){
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
}

/* SipHash-C-D of `count` whole words and a last one: what is left, and the length in bytes as its
 * top byte. */
static inline uint64_t
siphash(const uint64_t key[2], const uint64_t *words, unsigned count, uint64_t last, unsigned c,
        unsigned d)
{
    struct siphash_state s = siphash_begin(key);

    for (unsigned i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : last;

        s.v3 ^= word;
        for (unsigned round = 0; round < c; round++)
            s = siphash_round(s);
        s.v0 ^= word;
    }
    s.v2 ^= 0xff;
    for (unsigned round = 0; round < d; round++)
        s = siphash_round(s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static inline struct siphash_state
siphash_absorb(struct siphash_state s, uint64_t word)
{
    s.v3 ^= word;
    s = siphash_round(s);
    s.v0 ^= word;
    return s;
}

/* SipHash-1-3 of an address, without a loop: on the way of every line. `s` is what siphash_begin
 * made of the key. What else tells one client from another, `more`, is taken for a part of the key
 * (its second word, by exclusive or), as it is no attacker's to choose; and as all messages are of
 * one length, none has it at its end. */
static inline uint64_t
siphash_address(struct siphash_state s, const uint8_t address[16], uint64_t more)
{
    uint64_t words[2];

    memcpy(words, address, sizeof words);
    s.v1 ^= more;
    s.v3 ^= more;
    s = siphash_absorb(s, words[0]);
    s = siphash_absorb(s, words[1]);
    s.v2 ^= 0xff;
    s = siphash_round(siphash_round(siphash_round(s)));
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
