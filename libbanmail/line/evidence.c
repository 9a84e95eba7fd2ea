/* evidence: what of a line may be kept.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/evidence.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define SHORT_TAIL "***"
#define WITHHELD   "(withheld: it shows a user name that cannot be shortened)"

int
evidence_parse_mode(const char *word, enum evidence_mode *mode)
{
    static const char *const words[] = {
        [EVIDENCE_NONE] = "none",
        [EVIDENCE_REDACTED] = "redacted",
        [EVIDENCE_FULL] = "full",
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(word, words[i]) == 0) {
            *mode = (enum evidence_mode)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* ---- names ---- */

/* What bytes are: letters and digits; those and the others of an RFC 5322 atom, and the dot; those
 * of a label of a domain. */
enum { ALPHANUMERIC = 1, ATOM = 2, LABEL = 4 };

static const uint8_t kinds[256] = {
    ['0' ... '9'] = ALPHANUMERIC | ATOM | LABEL,
    ['a' ... 'z'] = ALPHANUMERIC | ATOM | LABEL,
    ['A' ... 'Z'] = ALPHANUMERIC | ATOM | LABEL,
    ['.'] = ATOM,
    ['!'] = ATOM,
    ['#' ... '\''] = ATOM,
    ['*'] = ATOM,
    ['+'] = ATOM,
    ['-'] = ATOM | LABEL,
    ['/'] = ATOM,
    ['='] = ATOM,
    ['?'] = ATOM,
    ['^' ... '`'] = ATOM,
    ['{' ... '~'] = ATOM,
};

static bool
is_alphanumeric(char byte)
{
    return kinds[(uint8_t)byte] & ALPHANUMERIC;
}

static bool
is_local_part(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(kinds[(uint8_t)bytes[i]] & ATOM))
            return false;
    return length > 0 && length <= 64;
}

/* Labels of letters, digits and hyphens; the last of letters only, or of Punycode. */
static bool
is_domain(const char *bytes, size_t length)
{
    size_t label = 0, dots = 0;

    for (size_t i = 0; i < length; i++) {
        if (kinds[(uint8_t)bytes[i]] & LABEL) {
            label++;
            continue;
        }
        if (bytes[i] != '.' || label == 0)
            return false;
        dots++;
        label = 0;
    }
    return dots > 0 && label >= 2 && length <= 253;
}

bool
evidence_is_mailbox(const char *name, size_t length)
{
    const char *at = memrchr(name, '@', length);

    return at != NULL && is_local_part(name, (size_t)(at - name)) &&
           is_domain(at + 1, length - (size_t)(at + 1 - name));
}

void
evidence_copy(char *to, size_t size, const char *bytes, size_t length)
{
    if (length > size - 1)
        length = size - 1;
    length = strnlen(bytes, length); /* behind its end are zeros, and nothing of the sender's */
    memcpy(to, bytes, length);
    to[length] = '\0';
}

static bool
is_kept_whole(enum evidence_mode mode, bool is_known, const char *name, size_t length)
{
    return mode == EVIDENCE_FULL || is_known ||
           (length < EVIDENCE_USER_SIZE && evidence_is_mailbox(name, length));
}

void
evidence_user(enum evidence_mode mode, bool is_known, const char *name, size_t length,
              char user[EVIDENCE_USER_SIZE])
{
    user[0] = '\0';
    if (mode == EVIDENCE_NONE || length == 0)
        return;
    if (is_kept_whole(mode, is_known, name, length)) {
        evidence_copy(user, EVIDENCE_USER_SIZE, name, length);
    } else {
        user[0] = name[0];
        strcpy(user + 1, SHORT_TAIL);
    }
}

/* ---- lines ---- */

struct writer {
    char *text;
    size_t used;
};

static void
write_bytes(struct writer *writer, const char *bytes, size_t length)
{
    size_t room = EVIDENCE_LINE_SIZE - 1 - writer->used;

    if (length > room)
        length = room;
    memcpy(writer->text + writer->used, bytes, length);
    writer->used += length;
    writer->text[writer->used] = '\0';
}

/* A name stands by itself: what is only a part of a longer word is none. */
static bool
stands_alone(const char *message, size_t length, size_t at, size_t name_length)
{
    return (at == 0 || !is_alphanumeric(message[at - 1])) &&
           (at + name_length == length || !is_alphanumeric(message[at + name_length]));
}

static char
lower(char letter)
{
    return letter | ('a' - 'A');
}

/* Whether the word, in small letters, stands in front of the space at `at`, in letters of either
 * case. */
static bool
ends_in(const char *message, size_t at, const char *word, size_t length)
{
    if (at < length)
        return false;
    while (length > 0 && (lower(message[at - 1]) == word[length - 1] ||
                          (word[length - 1] == ' ' && message[at - 1] == ' '))) {
        length--;
        at--;
    }
    return length == 0;
}

#define LANES   16
#define AT_ONCE (2 * LANES)

typedef uint8_t lanes __attribute__((vector_size(LANES)));

static inline lanes
lanes_at(const char *message)
{
    lanes bytes;

    memcpy(&bytes, message, sizeof bytes);
    return bytes;
}

/* At which of LANES places the words may end behind which a secret stands: they end in "ass ",
 * "ain " or "gin ". */
static inline lanes
endings(const char *message)
{
    const lanes first = lanes_at(message - 3) | ' ', second = lanes_at(message - 2) | ' ',
                third = lanes_at(message - 1) | ' ';

    return ((lanes)(first == 'a') | (lanes)(first == 'g')) &
           (((lanes)(second == 's') & (lanes)(third == 's')) |
            ((lanes)(second == 'i') & (lanes)(third == 'n'))) &
           (lanes)(lanes_at(message) == ' ');
}

/* Whether they do in front of the space at `at`. */
static bool
do_end(const char *message, size_t at)
{
    switch (lower(message[at - 1])) {
    case 's':
        return ends_in(message, at, "pass", 4);
    case 'n':
        return ends_in(message, at, "auth plain", 10) || ends_in(message, at, "auth login", 10);
    default:
        return false;
    }
}

/* Behind such words at one of the places from `from` to `to`; 0: there are none. */
static size_t
secret_between(const char *message, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++)
        if (message[at] == ' ' && do_end(message, at))
            return at + 1;
    return 0;
}

#define ONE_EACH UINT64_C(0x0101010101010101)

/* The same at LANES places, of which `ends` says where they may end. */
static size_t
secret_among(const char *message, size_t from, lanes ends)
{
    uint64_t halves[2];

    memcpy(halves, &ends, sizeof halves);
    for (size_t half = 0; half < 2; half++)
        for (uint64_t left = le64toh(halves[half]) & ONE_EACH; left != 0; left &= left - 1) {
            const size_t at = from + half * 8 + (size_t)__builtin_ctzll(left) / 8;

            if (do_end(message, at))
                return at + 1;
        }
    return 0;
}

/* And at AT_ONCE places. */
static inline size_t
secret_near(const char *message, size_t from)
{
    const lanes near = endings(message + from), far = endings(message + from + LANES),
                any = near | far;
    uint64_t halves[2];
    size_t secret = 0;

    memcpy(halves, &any, sizeof halves);
    if ((halves[0] | halves[1]) != 0 && (secret = secret_among(message, from, near)) == 0)
        secret = secret_among(message, from + LANES, far);
    return secret;
}

/* What a client said in the clear to a server that expected something else. Behind these words
 * stands a secret, whatever the rulebase made of the line. */
static size_t
secret_from(const char *message, size_t length)
{
    const size_t last = length - 1 - AT_ONCE; /* the last places at once, some of them once more */
    size_t from = 3, secret = 0;

    if (length <= from + AT_ONCE)
        secret = length > from ? secret_between(message, from, length - 1) : 0;
    else {
        for (; from < last && secret == 0; from += AT_ONCE)
            secret = secret_near(message, from);
        if (secret == 0)
            secret = secret_near(message, last);
    }
    return secret != 0 ? secret : length;
}

/* Returns how often the name was found. */
static unsigned
shorten(struct writer *writer, const char *message, size_t length, const char *name,
        size_t name_length)
{
    const bool was_cut =
        name_length >= OFFENCE_USER_MAX; /* the rest of it follows in the message */
    const char *next;
    unsigned found = 0;
    size_t written = 0, at = 0;

    while ((next = memchr(message + at, name[0], length - at)) != NULL) {
        at = (size_t)(next - message);
        if (length - at < name_length || memcmp(next, name, name_length) != 0 ||
            (!was_cut && !stands_alone(message, length, at, name_length))) {
            at++;
            continue;
        }
        found++;
        write_bytes(writer, message + written, at - written);
        write_bytes(writer, name, 1);
        write_bytes(writer, SHORT_TAIL, strlen(SHORT_TAIL));
        if (was_cut)
            return found;
        written = at += name_length;
    }
    write_bytes(writer, message + written, length - written);
    return found;
}

void
evidence_line(enum evidence_mode mode, const char *message, size_t message_length, bool is_known,
              const char *name, size_t name_length, char line[EVIDENCE_LINE_SIZE])
{
    struct writer writer = {.text = line};
    size_t length = message_length;

    line[0] = '\0';
    if (mode == EVIDENCE_NONE)
        return;
    if (length > 0 && message[0] == ' ') {
        message++;
        length--;
    }
    length = strnlen(message, length);
    if (mode == EVIDENCE_REDACTED)
        length = secret_from(message, length);
    if (name_length == 0 || is_kept_whole(mode, is_known, name, name_length)) {
        write_bytes(&writer, message, length);
    } else if (shorten(&writer, message, length, name, name_length) == 0) {
        memset(line, 0, writer.used); /* all of the line goes into the table, also behind its end */
        writer.used = 0;
        write_bytes(&writer, WITHHELD, strlen(WITHHELD));
    }
}

static bool
is_command(const char *word, size_t length)
{
    static const char *const commands[] = {
        "AUTH", "BDAT", "CONNECT", "DATA",     "EHLO", "ETRN", "EXPN",    "GET",
        "HEAD", "HELO", "HELP",    "MAIL",     "NOOP", "POST", "PUT",     "QUIT",
        "RCPT", "RSET", "SEND",    "STARTTLS", "TURN", "VRFY", "XCLIENT", "XFORWARD"};

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strlen(commands[i]) == length && strncasecmp(word, commands[i], length) == 0)
            return true;
    return false;
}

/* The server's own words: of what it has rejected, 550 and what follows. Other digits may be a
 * secret. */
static bool
is_answer(const char *message, const char *at, const char *end)
{
    return memmem(message, (size_t)(at - message), "reject", 6) != NULL && end - at > 3 &&
           isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[1]) &&
           isdigit((unsigned char)at[2]) && at[3] == ' ';
}

size_t
evidence_without_said(const char *message, size_t length)
{
    const char *const from = memmem(message, length, " from ", 6);
    const char *const end = message + length;
    const char *at = from == NULL ? NULL : memchr(from, ']', (size_t)(end - from));
    size_t word = 0;

    at = at == NULL ? NULL : memmem(at, (size_t)(end - at), ": ", 2);
    if (at == NULL)
        return length;
    at += 2;
    if (is_answer(message, at, end))
        return length;
    while (at + word < end && is_alphanumeric(at[word]))
        word++;
    return (size_t)(at - message) + (is_command(at, word) ? word : 0);
}

/* `auth failed` and `authentication failed`, found by the f, of which lines have few. */
static bool
has_failed_login(const char *message, const char *end)
{
    for (const char *at = message; (at = memchr(at, 'f', (size_t)(end - at))); at++) {
        const size_t before = (size_t)(at - message);

        if (before >= 5 && at[-1] == ' ' && end - at >= 6 && memcmp(at, "failed", 6) == 0 &&
            (memcmp(at - 5, "auth", 4) == 0 ||
             (before >= 15 && memcmp(at - 15, "authentication", 14) == 0)))
            return true;
    }
    return false;
}

bool
evidence_looks_like_login(const char *message, size_t length)
{
    const char *const end = message + length;

    for (const char *at = message; (at = memchr(at, '=', (size_t)(end - at))); at++)
        if (at - message >= 3 && memcmp(at - 3, "rip", 3) == 0)
            return true;
    return has_failed_login(message, end);
}
