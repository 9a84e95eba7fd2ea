/* offence: the fields of one line, distrusted.
 *
 * The rulebase says what kind of line it is (`class`) and hands over what it cut out. An address
 * comes either as `ip`, which the rule reached over words of the daemon's own, or within `tail`:
 * Dovecot's login lines end in what login_log_format_elements says, by default
 *
 *     … user=<NAME>, method=PLAIN, rip=ADDRESS, lip=ADDRESS, …, session=<ID>
 *
 * where NAME is the client's and may hold `>, rip=192.0.2.9, ` itself. The daemon's rip= comes
 * behind it, and behind that nothing is the client's: so the last `, rip=` is the daemon's, in a
 * line as in what is left of one that Dovecot has cut. Where the administrator has rip= first, a
 * rulebase of its own hands over `ip` and `tail`; see read_rip_first. docs/rulebases.md argues it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/offence.h"

#include <ctype.h>
#include <errno.h>
#include <json.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"

struct text {
    const char *bytes;
    size_t length;
};

/* ---- classes ---- */

#define NAME(word)                                                                                 \
    {                                                                                              \
        (word), sizeof(word) - 1                                                                   \
    }

static const struct text class_names[] = {
    [OFFENCE_AUTH_FAILED] = NAME("auth_failed"),
    [OFFENCE_AUTH_UNKNOWN_USER] = NAME("auth_unknown_user"),
    [OFFENCE_AUTH_MECH_UNSUPPORTED] = NAME("auth_mech_unsupported"),
    [OFFENCE_AUTH_MALFORMED] = NAME("auth_malformed"),
    [OFFENCE_AUTH_PLAINTEXT_DISALLOWED] = NAME("auth_plaintext_disallowed"),
    [OFFENCE_RELAY_DENIED] = NAME("relay_denied"),
    [OFFENCE_RCPT_UNKNOWN] = NAME("rcpt_unknown"),
    [OFFENCE_PROTOCOL_ABUSE] = NAME("protocol_abuse"),
    [OFFENCE_PROBE] = NAME("probe"),
    [OFFENCE_RATE_LIMITED] = NAME("rate_limited"),
    [OFFENCE_AUTH_DISABLED] = NAME("auth_disabled"),
    [OFFENCE_AUTH_ABORTED] = NAME("auth_aborted"),
    [OFFENCE_NO_AUTH] = NAME("no_auth"),
    [OFFENCE_RCPT_REJECTED] = NAME("rcpt_rejected"),
    [OFFENCE_SENDER_REJECTED] = NAME("sender_rejected"),
    [OFFENCE_HELO_REJECTED] = NAME("helo_rejected"),
    [OFFENCE_CLIENT_REJECTED] = NAME("client_rejected"),
    [OFFENCE_RBL_LISTED] = NAME("rbl_listed"),
    [OFFENCE_CONTENT_REJECT] = NAME("content_reject"),
    [OFFENCE_SMTP_REJECT] = NAME("smtp_reject"),
    [OFFENCE_TLS_FAILED] = NAME("tls_failed"),
    [OFFENCE_CONN_LOST] = NAME("conn_lost"),
    [OFFENCE_CONN_TIMEOUT] = NAME("conn_timeout"),
    [OFFENCE_LOGIN_OTHER] = NAME("login_other"),
    [OFFENCE_TEMPFAIL] = NAME("tempfail"),
    [OFFENCE_GREYLISTED] = NAME("greylisted"),
    [OFFENCE_AUTH_DETAIL] = NAME("auth_detail"),
    [OFFENCE_AUTH_LINE] = NAME("auth_line"),
    [OFFENCE_RBL_DETAIL] = NAME("rbl_detail"),
    [OFFENCE_TLS_DETAIL] = NAME("tls_detail"),
    [OFFENCE_DNS_MISMATCH] = NAME("dns_mismatch"),
    [OFFENCE_PROXY_ERROR] = NAME("proxy_error"),
    [OFFENCE_BENIGN] = NAME("benign"),
    [OFFENCE_LOGIN_OK] = NAME("login_ok"),
    [OFFENCE_MAIL_ACCEPTED] = NAME("mail_accepted"),
    [OFFENCE_SERVER_FAULT] = NAME("server_fault"),
    [OFFENCE_AUTH_REFUSED] = NAME("auth_refused"),
    [OFFENCE_TLS_UNEXPECTED] = NAME("tls_unexpected"),
    [OFFENCE_CLIENT_SETUP] = NAME("client_setup"),
    [OFFENCE_PIPELINING_LOGIN] = NAME("pipelining_login"),
};
_Static_assert(sizeof class_names / sizeof class_names[0] == OFFENCE_CLASSES, "a name for each");
_Static_assert(OFFENCE_CLASSES <= 64, "a set of classes is 64 bits");

const char *offence_class_name(enum offence_class class)
{
    return (unsigned)class < OFFENCE_CLASSES ? class_names[class].bytes : "unknown";
}

int
offence_class_parse(const char *name, size_t length)
{
    for (int class = 0; class < OFFENCE_CLASSES; class ++)
        if (class_names[class].length == length &&
            memcmp(class_names[class].bytes, name, length) == 0)
            return class;
    return -ENOENT;
}

/* ---- the fields of a line ---- */

enum field {
    FIELD_ATTEMPTS,
    FIELD_AUTH_TAIL,
    FIELD_CLASS,
    FIELD_CODE,
    FIELD_DSN,
    FIELD_EVENT,
    FIELD_FAULT,
    FIELD_FRONT,
    FIELD_IP,
    FIELD_METHOD,
    FIELD_OPENING,
    FIELD_PORT_TAIL,
    FIELD_PROGRAM,
    FIELD_PROXY,
    FIELD_REASON,
    FIELD_REPEATED,
    FIELD_SECRET,
    FIELD_SERVICE,
    FIELD_SESSION,
    FIELD_STAGE,
    FIELD_TAIL,
    FIELD_USER,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    [FIELD_ATTEMPTS] = "attempts",
    [FIELD_AUTH_TAIL] = "auth_tail",
    [FIELD_CLASS] = "class",
    [FIELD_CODE] = "code",
    [FIELD_DSN] = "dsn",
    [FIELD_EVENT] = "event",
    [FIELD_FAULT] = "fault",
    [FIELD_FRONT] = "front",
    [FIELD_IP] = "ip",
    [FIELD_METHOD] = "method",
    [FIELD_OPENING] = "opening",
    [FIELD_PORT_TAIL] = "port_tail",
    [FIELD_PROGRAM] = "program",
    [FIELD_PROXY] = "proxy",
    [FIELD_REASON] = "reason",
    [FIELD_REPEATED] = "repeated",
    [FIELD_SECRET] = "secret",
    [FIELD_SERVICE] = "service",
    [FIELD_SESSION] = "session",
    [FIELD_STAGE] = "stage",
    [FIELD_TAIL] = "tail",
    [FIELD_USER] = "user",
};

/* All of them, found and read in one walk: libfastjson's look-up walks the whole object for each
 * name. Of two of one name the first counts. */
struct fields {
    uint32_t present; /* as bits of enum field */
    uint32_t strings; /* those of them that are one, which is in: */
    struct text texts[FIELDS];
    struct fjson_object *others[FIELDS];
};

static int
field_of(const char *name)
{
    /* the first of each letter; the names are in alphabetical order */
    static const uint8_t firsts[32] = {
        ['a' % 32] = FIELD_ATTEMPTS, ['c' % 32] = FIELD_CLASS,   ['d' % 32] = FIELD_DSN,
        ['e' % 32] = FIELD_EVENT,    ['f' % 32] = FIELD_FAULT,   ['i' % 32] = FIELD_IP,
        ['m' % 32] = FIELD_METHOD,   ['o' % 32] = FIELD_OPENING, ['p' % 32] = FIELD_PORT_TAIL,
        ['r' % 32] = FIELD_REASON,   ['s' % 32] = FIELD_SECRET,  ['t' % 32] = FIELD_TAIL,
        ['u' % 32] = FIELD_USER,
    };

    for (int i = firsts[(unsigned char)name[0] % 32]; i < FIELDS && field_names[i][0] == name[0];
         i++)
        if (strcmp(field_names[i], name) == 0)
            return i;
    return -1;
}

static void
read_field(struct fields *fields, int field, struct fjson_object *value)
{
    fields->present |= UINT32_C(1) << field;
    if (!fjson_object_is_type(value, fjson_type_string)) {
        fields->others[field] = value;
        return;
    }
    fields->strings |= UINT32_C(1) << field;
    fields->texts[field] = (struct text){
        .bytes = fjson_object_get_string(value),
        .length = (size_t)fjson_object_get_string_len(value),
    };
}

static void
walk_fields(struct fjson_object *object, struct fields *fields)
{
    struct fjson_object_iterator at;

    fields->present = fields->strings = 0;
    if (!fjson_object_is_type(object, fjson_type_object))
        return;
    at = fjson_object_iter_begin(object);
    for (int left = fjson_object_object_length(object); left > 0; left--) {
        const int field = field_of(fjson_object_iter_peek_name(&at));

        if (field >= 0 && !(fields->present >> field & 1))
            read_field(fields, field, fjson_object_iter_peek_value(&at));
        fjson_object_iter_next(&at);
    }
}

bool
offence_has_class(struct fjson_object *object)
{
    struct fjson_object_iterator at;

    if (!fjson_object_is_type(object, fjson_type_object))
        return false;
    at = fjson_object_iter_begin(object);
    for (int left = fjson_object_object_length(object); left > 0; left--) {
        const char *const name = fjson_object_iter_peek_name(&at);

        if (name[0] == 'c' && strcmp(name, field_names[FIELD_CLASS]) == 0)
            return fjson_object_iter_peek_value(&at) != NULL;
        fjson_object_iter_next(&at);
    }
    return false;
}

static inline bool
get_text(const struct fields *fields, enum field field, struct text *text)
{
    const bool is_there = fields->strings >> field & 1;

    *text = is_there ? fields->texts[field] : (struct text){.bytes = "", .length = 0};
    return is_there;
}

static int
parse_number(struct text text, unsigned most, unsigned *number)
{
    unsigned sum = 0;

    if (text.length == 0)
        return -EINVAL;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return -EINVAL;
        sum = sum * 10 + (unsigned)(text.bytes[i] - '0');
        if (sum > most)
            sum = most; /* most is far below UINT_MAX / 10 */
    }
    *number = sum;
    return 0;
}

/* A field of decimal digits, which liblognorm gives as a string, others may give as an integer.
 * Absent: `otherwise`. */
static inline int
get_number(const struct fields *fields, enum field field, unsigned most, unsigned otherwise,
           unsigned *number)
{
    int64_t integer;

    *number = otherwise;
    if (!(fields->present >> field & 1))
        return 0;
    if (fields->strings >> field & 1)
        return parse_number(fields->texts[field], most, number);
    if (!fjson_object_is_type(fields->others[field], fjson_type_int))
        return -EINVAL;
    integer = fjson_object_get_int64(fields->others[field]);
    *number = integer > most ? most : (unsigned)integer;
    return integer < 0 ? -EINVAL : 0;
}

/* ---- pieces of text ---- */

/* The byte by which a word is looked for, its last that is no blank: of the words that are looked
 * for here it is the rarest. */
static size_t
anchor_of(const char *word, size_t length)
{
    return length - 1 - (word[length - 1] == ' ' && length > 1);
}

/* A word to be looked for; of one that is written where it is looked for, the compiler knows all.
 */
struct word {
    const char *bytes;
    size_t length, anchor;
};

static inline struct word
word_of(const char *bytes)
{
    const size_t length = strlen(bytes);

    return (struct word){bytes, length, anchor_of(bytes, length)};
}

/* memmem(3) prepares itself for long texts, which costs more than these short ones. */
static const char *
search(const char *from, const char *end, struct word word)
{
    const char *at = from + word.anchor;

    while (at < end && (at = memchr(at, word.bytes[word.anchor], (size_t)(end - at))) != NULL) {
        if ((size_t)(end - at) >= word.length - word.anchor &&
            memcmp(at - word.anchor, word.bytes, word.length) == 0)
            return at - word.anchor;
        at++;
    }
    return NULL;
}

static const char *
search_back(struct text text, struct word word)
{
    const char *at;

    if (text.length < word.length)
        return NULL;
    text.length -= word.length - 1 - word.anchor;
    while (text.length > word.anchor &&
           (at = memrchr(text.bytes + word.anchor, word.bytes[word.anchor],
                         text.length - word.anchor)) != NULL) {
        if (memcmp(at - word.anchor, word.bytes, word.length) == 0)
            return at - word.anchor;
        text.length = (size_t)(at - text.bytes);
    }
    return NULL;
}

static inline const char *
find_first(struct text text, const char *word)
{
    return search(text.bytes, text.bytes + text.length, word_of(word));
}

static inline const char *
find_last(struct text text, const char *word)
{
    return search_back(text, word_of(word));
}

/* What is between `from` (a place in `text`) and the next `stop`, or the end. */
static struct text
up_to(struct text text, const char *from, char stop)
{
    const size_t left = (size_t)(text.bytes + text.length - from);
    const char *end = left ? memchr(from, stop, left) : NULL;

    return (struct text){.bytes = from, .length = end ? (size_t)(end - from) : left};
}

static struct text
bounded(struct text text, size_t most)
{
    if (text.length > most)
        text.length = most;
    return text;
}

/* It tells names apart that must exist to be worth guessing: nobody gains by a collision. */
static uint64_t
hash(struct text text)
{
    return hash_text(text.bytes, text.length);
}

/* ---- Dovecot's tail ---- */

struct tail {
    struct text ip, user, method, session;
};

static struct text
from(struct text text, const char *place)
{
    return (struct text){.bytes = place, .length = (size_t)(text.bytes + text.length - place)};
}

static struct text
before(struct text text, const char *place)
{
    return (struct text){.bytes = text.bytes, .length = (size_t)(place - text.bytes)};
}

/* What stands between `word` and the next `stop`; nothing when there is no such word. */
static struct text
element(struct text text, const char *word, char stop)
{
    const char *at = find_first(text, word);
    const struct text nothing = {0};

    return at == NULL ? nothing : up_to(text, at + strlen(word), stop);
}

/* What begins there, up to the comma behind it: an address that ends with the line may be the
 * beginning of a longer one, of which a relay or a full buffer has cut the rest. */
static struct text
address(struct text text, const char *at)
{
    const struct text found = up_to(text, at, ',');

    return found.bytes + found.length < text.bytes + text.length ? found : (struct text){0};
}

/* <NAME>, method=NAME: up to the last `, rip=` all of it is one name, but for the last
 * `>, method=`. `front` begins behind `user=<`. */
static void
read_names(struct text front, struct tail *tail)
{
    const char *method = find_last(front, ">, method=");

    if (method != NULL) {
        tail->user = before(front, method);
        tail->method = up_to(front, method + strlen(">, method="), ',');
    } else if (front.length > 0 && front.bytes[front.length - 1] == '>') {
        tail->user = before(front, front.bytes + front.length - 1);
    }
}

/* The name comes first, the address behind it. Where a name follows the address, the line is of
 * another form. */
static void
read_user_first(struct text text, struct text front, struct tail *tail)
{
    const char *rip = find_last(text, ", rip=");

    if (rip == NULL || rip < front.bytes || find_first(from(text, rip), "user=<") != NULL)
        return;
    tail->ip = address(text, rip + strlen(", rip="));
    tail->session = element(from(text, rip), ", session=<", '>');
    read_names(before(front, rip), tail);
}

/* A session id at the very end. */
static struct text
last_session(struct text text)
{
    static const char word[] = ", session=<";
    const char *const at = find_last(text, word);
    struct text session;

    if (at == NULL)
        return (struct text){0};
    session = up_to(text, at + strlen(word), '>');
    return session.bytes + session.length + 1 == text.bytes + text.length ? session
                                                                          : (struct text){0};
}

/* The address comes first, and `ip` has it: all that follows may be the name. */
static void
read_rip_first(struct text text, struct tail *tail)
{
    const char *const user = find_first(text, "user=<");

    tail->session = last_session(text);
    if (user == NULL)
        return;
    tail->user = from(text, user + strlen("user=<"));
    if (tail->session.bytes != NULL)
        tail->user = before(tail->user, tail->session.bytes - strlen(", session=<"));
    read_names(tail->user, tail);
}

/* Dovecot cuts what it logs into pieces of PIPE_BUF bytes, less some 20 for its prefix, and writes
 * each as a line of its own behind the process's name. All of such a piece may be the client's
 * (`ID sent: …`, with imap_id_log). Login lines are shorter by far: no element of them is longer
 * than some hundred bytes. What of the line is in no field is the rule's own words. */
#define LOGIN_LINE_MAX 3000

static bool
may_be_a_piece(const struct fields *fields, struct text tail)
{
    static const enum field others[] = {FIELD_PROXY, FIELD_OPENING, FIELD_REASON, FIELD_FRONT,
                                        FIELD_ATTEMPTS};
    size_t length = tail.length;
    struct text text;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (get_text(fields, others[i], &text))
            length += text.length;
    return length > LOGIN_LINE_MAX;
}

static unsigned
count_of(struct text text, const char *word)
{
    unsigned count = 0;

    for (const char *at; (at = find_first(text, word)) != NULL; count++)
        text = from(text, at + strlen(word));
    return count;
}

static bool
begins(struct text text, const char *word)
{
    return text.length >= strlen(word) && strncasecmp(text.bytes, word, strlen(word)) == 0;
}

static bool
is_known_opening(struct text text)
{
    static const char *const known[] = {"Disconnected",
                                        "Aborted login",
                                        "Login aborted",
                                        "Remote closed connection",
                                        "Client has quit the connection",
                                        "Authentication failure"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (begins(text, known[i]))
            return true;
    return false;
}

/* How many addresses the line gives for a client's, whoever wrote them. */
static unsigned
count_of_rips(const struct fields *fields, struct text tail)
{
    static const enum field others[] = {FIELD_PROXY, FIELD_OPENING, FIELD_REASON, FIELD_FRONT};
    unsigned count = count_of(tail, "rip=");
    struct text text;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (get_text(fields, others[i], &text))
            count += count_of(text, "rip=");
    return count;
}

/* The reasons in front of the words in brackets are no closed list (`opening`, and up to the second
 * bracket `reason`). Where the name has begun in front of the brackets, these are in the name; and
 * an opening that nobody knows may be anybody's: there the one rip= of the line is believed. */
static bool
is_odd_opening(const struct fields *fields, struct text tail, bool has_ip)
{
    struct text opening, reason;

    if (!get_text(fields, FIELD_OPENING, &opening))
        return false;
    get_text(fields, FIELD_REASON, &reason);
    if (find_first(opening, "user=<") != NULL || find_first(reason, "user=<") != NULL)
        return true;
    if (is_known_opening(opening))
        return false;
    return count_of_rips(fields, tail) > !has_ip;
}

/* A form without a name in front. */
static void
read_without_name(struct text text, struct tail *tail)
{
    const char *const rip = find_first(text, "rip=");

    if (rip == NULL || count_of(text, "rip=") > 1)
        return;
    tail->ip = address(text, rip + strlen("rip="));
    tail->session = element(text, "session=<", '>');
    tail->method = element(text, "method=", ',');
}

/* A rip= in front of the first name is what somebody is quoted with, or of a form that has to be
 * configured. */
static void
read_tail(struct text text, struct tail *tail)
{
    const char *const user = find_first(text, "user=<");

    if (user == NULL)
        read_without_name(text, tail);
    else if (find_first(before(text, user), "rip=") == NULL)
        read_user_first(text, from(text, user + strlen("user=<")), tail);
}

/* What a login process says of itself has no elements behind it. The rest of a line that was cut
 * ends in them. */
static bool
has_elements(struct text tail)
{
    static const char *const words[] = {"user=<", "rip=", "lip=", "session=<"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (find_first(tail, words[i]) != NULL)
            return true;
    return false;
}

/* Of a login, and only of it, Dovecot knows the process that serves it. Behind the last name, which
 * a `>` ends, all is the daemon's. */
static bool
has_mail_process(struct text tail)
{
    const struct text session = last_session(tail);
    const char *name_end;

    if (session.bytes != NULL)
        tail = before(tail, session.bytes - strlen(", session=<"));
    name_end = find_last(tail, ">");
    return find_first(name_end == NULL ? tail : from(tail, name_end), ", mpid=") != NULL;
}

/* ---- sshd's tail ----
 *
 * NAME from ADDRESS port N ssh2, NAME ADDRESS port N [preauth]: the name is the client's and may
 * hold ` from 192.0.2.9 port 1 `; behind the last ` port ` nothing is the client's. But sshd cuts
 * its lines at 1,024 bytes, and in some writes the whole name: so a long one has no address. */
#define PORT_TAIL_MAX 500

static void
read_port_tail(struct text text, struct tail *tail)
{
    const char *const port = find_last(text, " port ");
    const char *space;

    if (port == NULL || text.length > PORT_TAIL_MAX)
        return;
    text = before(text, port);
    space = find_last(text, " ");
    tail->ip = space == NULL ? text : from(text, space + 1);
    if (space == NULL)
        return;
    tail->user = before(text, space);
    if (tail->user.length > 5 && memcmp(space - 5, " from", 5) == 0)
        tail->user.length -= 5;
}

/* ---- Dovecot's session id ----
 *
 *   byte  0      6    8                12 or 24
 *         +------+----+----------------+
 *         | time |port| client address |   base64, 16 or 32 characters, no padding
 *         +------+----+----------------+
 */

enum { SESSION_ADDRESS_AT = 8, SESSION_SIZE = 24 };

/* One more than what each is worth; 0: it is none. */
static const uint8_t base64_digits[256] = {
    ['A'] = 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,         12,         13,
    14,         15, 16, 17, 18, 19, 20, 21, 22, 23, 24,         25,         26,
    ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,         38,         39,
    40,         41, 42, 43, 44, 45, 46, 47, 48, 49, 50,         51,         52,
    ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

static size_t
decode_session(struct text session, uint8_t bytes[SESSION_SIZE])
{
    for (size_t i = 0; i < session.length; i += 4) {
        uint32_t bits = 0;

        for (size_t j = i; j < i + 4; j++) {
            const uint8_t digit = base64_digits[(uint8_t)session.bytes[j]];

            if (digit == 0)
                return 0;
            bits = bits << 6 | (digit - 1U);
        }
        *bytes++ = (uint8_t)(bits >> 16);
        *bytes++ = (uint8_t)(bits >> 8);
        *bytes++ = (uint8_t)bits;
    }
    return session.length / 4 * 3;
}

/* Returns how many bytes a session id is of, or 0 when it is none of Dovecot's own making (a proxy
 * in front may have given another). Most lines have none. */
static inline size_t
session_bytes(struct text session, uint8_t bytes[SESSION_SIZE])
{
    return session.length == 16 || session.length == 32 ? decode_session(session, bytes) : 0;
}

/* Returns the bytes of the address in a session id, 4 or 16, or 0. */
static size_t
session_address(struct text session, uint8_t address[16])
{
    uint8_t bytes[SESSION_SIZE];
    const size_t size = session_bytes(session, bytes);

    if (size == 0)
        return 0;
    memcpy(address, bytes + SESSION_ADDRESS_AT, size - SESSION_ADDRESS_AT);
    return size - SESSION_ADDRESS_AT;
}

/* Dovecot 2.4 makes the id when somebody connects. Where that is a webmail that may tell whose the
 * connection is (x-originating-ip), rip= has a user's address and the id the webmail's. Of several
 * rip= in a line one may have been put there by a client: then the two have to agree. */
static bool
session_contradicts(struct text session, const struct source *client)
{
    uint8_t address[16];
    const size_t size = session_address(session, address);

    if (size == 0)
        return false;
    if (size == 4)
        return !source_is_v4(client) || memcmp(address, client->address + 12, 4) != 0;
    return memcmp(address, client->address, 16) != 0;
}

/* ---- lines of Dovecot's auth ----
 *
 *   2.3:  auth: passwd-file(NAME,ADDRESS,<SESSION>): unknown user (SHA1 of given password: 5baa61)
 *   2.4:  auth(NAME,ADDRESS,sasl:plain)<SESSION>: users: unknown user (SHA1 of given password: …)
 *         auth-worker(NAME,ADDRESS)<PID><SESSION>: request [12]: Info: sql: unknown user
 *
 * Sessions of other services than logins have no id. The rulebase hands over what follows `auth: `
 * or `auth(`. NAME is the client's, and where auth_username_chars was emptied it may hold anything;
 * so may a password that is logged in plain text. Therefore an id is taken only where one alone
 * stands in such a place, and no address is taken: it merely tells clients apart (whom). */

struct auth_line {
    struct text head;    /* …NAME,ADDRESS,… */
    struct text session; /* may be empty */
    struct text message;
};

static bool
begins_at(struct text text, const char *at, const char *word)
{
    const size_t length = strlen(word);

    return at >= text.bytes && (size_t)(text.bytes + text.length - at) >= length &&
           memcmp(at, word, length) == 0;
}

/* Where `)<PID>` begins, of which `end` is the end; NULL where there is none. */
static const char *
before_pid(struct text text, const char *end)
{
    const char *at = end;

    if (at == text.bytes || at[-1] != '>')
        return NULL;
    for (at--; at > text.bytes && isdigit((unsigned char)at[-1]);)
        at--;
    return at - text.bytes >= 2 && at[-1] == '<' && at[-2] == ')' ? at - 2 : NULL;
}

/* Whether an id stands at `open`, which is a `<`, where Dovecot puts it. */
static bool
read_session(struct text text, const char *open, struct auth_line *line)
{
    const struct text session = up_to(text, open + 1, '>');
    const char *const behind = session.bytes + session.length;
    uint8_t address[16];
    const char *const pid = before_pid(text, open);
    const char front = open > text.bytes ? open[-1] : '\0';
    const char *const closing = front == ',' ? ">): " : front == ')' || pid != NULL ? ">: " : NULL;

    if (closing == NULL || !begins_at(text, behind, closing) ||
        session_address(session, address) == 0)
        return false;
    line->session = session;
    line->head = before(text, pid != NULL ? pid : open - 1);
    line->message = from(text, behind + strlen(closing));
    return true;
}

/* What stands behind these words and the next `closing`; all of it where they do not begin it. */
static struct text
behind(struct text text, const char *words, const char *closing)
{
    const char *const at = begins(text, words) ? find_first(text, closing) : NULL;

    return at == NULL ? text : from(text, at + strlen(closing));
}

/* Behind `auth-worker(77): Info: conn unix:auth-worker (pid=7,uid=99): auth-worker<3>: `, of which
 * 2.3.13 and later have the second half. */
static struct text
behind_worker(struct text text)
{
    size_t i = 0;

    while (i < text.length && isdigit((unsigned char)text.bytes[i]))
        i++;
    if (i > 0 && begins_at(text, text.bytes + i, "): "))
        text = from(text, text.bytes + i + strlen("): "));
    text = behind(text, "Info: ", "Info: ");
    text = behind(text, "conn unix:", "): ");
    return behind(text, "auth-worker<", ">: ");
}

/* Returns whether the line has the form. */
static bool
read_auth_line(struct text text, struct auth_line *line)
{
    const char *closing;
    unsigned sessions = 0;

    *line = (struct auth_line){0};
    text = behind_worker(text);
    closing = find_first(text, "): ");
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '<')
            sessions += read_session(text, text.bytes + i, line);
    if (sessions == 1 && (closing == NULL || line->session.bytes < closing))
        return true;
    if (sessions == 1)
        *line = (struct auth_line){0};
    if (sessions > 1 || closing == NULL)
        return false;
    line->head = before(text, closing);
    line->message = from(text, closing + strlen("): "));
    return true;
}

/* What stands behind the last comma of the head, which is cut there. */
static struct text
cut_last(struct text *head)
{
    const char *const comma = find_last(*head, ",");
    struct text last = *head;

    if (comma == NULL) {
        *head = (struct text){.bytes = head->bytes};
        return last;
    }
    last = from(*head, comma + 1);
    *head = before(*head, comma);
    return last;
}

/* The name, and the address. */
static void
read_whom(struct text head, struct offence *offence)
{
    struct source source;
    struct text last = cut_last(&head);
    const bool has_mechanism = begins(last, "sasl:") || begins(last, "master");
    const char *open;

    while (begins(last, "sasl:") || (begins(last, "master") && last.length == 6))
        last = cut_last(&head);
    if (source_parse(last.bytes, last.length, &source) != 0)
        return;
    offence->names_whom = true;
    offence->whom = source;
    open = has_mechanism ? NULL : find_last(head, "(");
    if (open != NULL)
        head = from(head, open + 1);
    offence->user_hash = hash(head);
    offence->user = head.bytes;
    offence->user_length = bounded(head, OFFENCE_USER_MAX).length;
}

/* Behind the name of a password database, if there is one. */
static struct text
without_database(struct text message)
{
    size_t i = 0;

    while (i < message.length && (isalnum((unsigned char)message.bytes[i]) ||
                                  message.bytes[i] == '-' || message.bytes[i] == '_'))
        i++;
    return i > 0 && begins_at(message, message.bytes + i, ": ")
               ? from(message, message.bytes + i + 2)
               : message;
}

/* Behind `request [12]: `. */
static struct text
without_request(struct text message)
{
    static const char words[] = "request [";
    size_t i = sizeof words - 1;

    if (!begins(message, words))
        return message;
    while (i < message.length && isdigit((unsigned char)message.bytes[i]))
        i++;
    return begins_at(message, message.bytes + i, "]: ") ? from(message, message.bytes + i + 3)
                                                        : message;
}

/* The hash of the password, where auth_verbose_passwords has one written. */
static uint64_t
read_secret(struct text message)
{
    static const char words[] = "SHA1 of given password: ";
    const char *at = find_last(message, words);
    struct text digits;

    if (at == NULL)
        return 0;
    digits = up_to(message, at + strlen(words), ')');
    for (size_t i = 0; i < digits.length; i++)
        if (!isxdigit((unsigned char)digits.bytes[i]))
            return 0;
    return hash(digits);
}

/* Whether the word stands in the path by itself, as what a %d or %n of passdb's arguments becomes.
 */
static bool
is_in_path(struct text path, struct text word)
{
    for (size_t i = 0; word.length > 0 && i + word.length <= path.length; i++)
        if (memcmp(path.bytes + i, word.bytes, word.length) == 0 &&
            (i == 0 || !isalnum((unsigned char)path.bytes[i - 1])) &&
            (i + word.length == path.length ||
             !isalnum((unsigned char)path.bytes[i + word.length])))
            return true;
    return false;
}

/* A name without domain leaves an empty place in a path with a %d. */
static bool
is_path_of(struct text path, struct text name)
{
    const char *const at = name.length == 0 ? NULL : memrchr(name.bytes, '@', name.length);

    if (at == NULL)
        return find_first(path, "//") != NULL || find_first(path, "/.") != NULL ||
               is_in_path(path, name);
    return is_in_path(path, before(name, at)) || is_in_path(path, from(name, at + 1));
}

/* A file that is not there because of the name, and what a database does not take for a name. */
static bool
is_fault_of_name(struct text message, struct text name)
{
    static const char *const refused[] = {"invalid byte sequence for encoding",
                                          "Illegal mix of collations", "Incorrect string value",
                                          "Invalid DN syntax", "Bad search filter"};
    const char *const failed = find_first(message, ") failed: ");
    struct text reason;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (find_first(message, refused[i]) != NULL)
            return true;
    if (failed == NULL || (!begins(message, "stat(") && !begins(message, "open(")))
        return false;
    reason = from(message, failed + strlen(") failed: "));
    if (begins(reason, "File name too long"))
        return true;
    return (begins(reason, "No such file or directory") || begins(reason, "Not a directory")) &&
           is_path_of(before(from(message, message.bytes + strlen("stat(")), failed), name);
}

/* PAM's own database does not answer: of this Dovecot says no more than of a wrong password. */
static bool
is_fault_of_pam(struct text message)
{
    static const char words[] = "pam_authenticate() failed: ";
    static const char *const reasons[] = {"Authentication service cannot retrieve",
                                          "Authentication information is unavailable",
                                          "System error",
                                          "Error in service module",
                                          "Critical error",
                                          "Memory buffer error"};

    message = without_database(behind(message, "Info: ", "Info: "));
    if (!begins(message, words))
        return false;
    message = from(message, message.bytes + strlen(words));
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (begins(message, reasons[i]))
            return true;
    return false;
}

/* That one database knows a user and another does not; that modules of PAM ask for the password one
 * after the other, which a wrong one brings about. */
static bool
is_no_fault(struct text message)
{
    return begins(message, "user not found from any userdbs") ||
           begins(message, "Multiple password values not supported");
}

/* Dovecot 2.4 tells an error only behind the name. */
static void
read_fault(struct text message, struct offence *offence)
{
    const struct text name = {.bytes = offence->user, .length = offence->user_length};

    /* Of a name with a realm that nobody serves, anybody can bring it about. */
    if (offence->names_whom && is_fault_of_pam(message)) {
        offence->flags |= OFFENCE_FAULT_OF_NAME;
        return;
    }
    if (begins(message, "Error: ")) {
        offence->class = OFFENCE_SERVER_FAULT;
        offence->flags |= OFFENCE_AUTH_FAULT;
    }
    message = behind(message, "Error: ", "Error: ");
    if (offence->class != OFFENCE_SERVER_FAULT)
        return;
    if (is_fault_of_name(without_database(message), name))
        offence->flags |= OFFENCE_FAULT_OF_NAME;
    else if (!is_no_fault(without_database(message)))
        return;
    offence->class = OFFENCE_AUTH_DETAIL;
    offence->flags &= ~(unsigned)OFFENCE_AUTH_FAULT;
}

static void
read_auth(struct text text, struct offence *offence)
{
    struct auth_line line;
    struct text message;

    if (!read_auth_line(text, &line))
        return;
    line.message = without_request(line.message);
    read_whom(line.head, offence);
    read_fault(line.message, offence);
    offence->session = line.session.bytes != NULL ? line.session.bytes : "";
    offence->session_length = line.session.length;
    message = line.message;
    if (line.session.length == 0 || begins(message, "Debug: ") || begins(text, "Debug: "))
        return;
    if (begins(message, "Info: "))
        message = from(message, message.bytes + strlen("Info: "));
    message = without_database(message);
    offence->reason = OFFENCE_REASON_OTHER;
    if (begins(message, "unknown user") && (message.length == 12 || message.bytes[12] == ' '))
        offence->reason = OFFENCE_REASON_UNKNOWN;
    else if (begins(message, "password mismatch"))
        offence->reason = OFFENCE_REASON_MISMATCH;
    offence->secret_hash = read_secret(message);
}

/* ---- one offence ---- */

static void
set_client(struct offence *offence, struct text ip)
{
    bool is_address = source_parse(ip.bytes, ip.length, &offence->client) == 0;

    if (!is_address && ip.length > 0) { /* fe80::1%eth0 */
        ip = up_to(ip, ip.bytes, '%');
        is_address = source_parse(ip.bytes, ip.length, &offence->client) == 0;
    }
    offence->has_client = is_address && source_is_client(&offence->client);
}

/* An event of Dovecot's exporter: `event` carries the object without its brace. */
static bool
read_event(const struct fields *fields, struct offence *offence)
{
    static const enum offence_class classes[] = {
        [OFFENCE_EVENT_SUCCESS] = OFFENCE_LOGIN_OK,
        [OFFENCE_EVENT_FAILED] = OFFENCE_AUTH_FAILED,
        [OFFENCE_EVENT_MALFORMED] = OFFENCE_AUTH_MALFORMED,
        [OFFENCE_EVENT_FAULT] = OFFENCE_SERVER_FAULT,
        [OFFENCE_EVENT_FOREIGN] = OFFENCE_AUTH_DETAIL,
    };
    struct text text;

    if (!get_text(fields, FIELD_EVENT, &text))
        return false;
    offence->flags |= OFFENCE_FROM_EVENT;
    if (offence_event_read(text.bytes, text.length, &offence->event) != 0) {
        /* of the class that the rule gives, and of no client */
        offence->event = (struct offence_event){.service = ""};
        return true;
    }
    offence->class = classes[offence->event.outcome];
    if (offence->class == OFFENCE_SERVER_FAULT)
        offence->flags |= OFFENCE_AUTH_FAULT;
    return true;
}

static struct text
whole(const char *string)
{
    return (struct text){.bytes = string, .length = strlen(string)};
}

static void
event_tail(const struct offence_event *event, struct tail *tail)
{
    tail->ip = whole(event->ip);
    tail->session = whole(event->session);
    tail->method = whole(event->method);
    tail->user = (struct text){.bytes = event->user, .length = event->user_length};
}

/* Whether no name ends behind the line's one rip=, as it does where that is in the name. */
static bool
has_no_name_behind(struct text text)
{
    const char *const rip = find_first(text, "rip=");
    const char *const session = find_last(text, ", session=<");

    return rip != NULL && session > rip &&
           find_first(before(from(text, rip), session), ">") == NULL;
}

/* What else than an address may have been put together by a client. */
static bool
is_of_session(struct text session)
{
    uint8_t address[16];

    return session_address(session, address) != 0;
}

/* Bytes that are no commands, on a connection without TLS, and no login in front of them: what a
 * mail program sends that is set to TLS where STARTTLS is spoken. Dovecot does not tell the bytes,
 * so a browser's are taken for the same; nobody gets to guess by them. Nothing of the tail is the
 * client's, as there was no name. */
static bool
may_be_tls(struct text tail)
{
    return (find_first(tail, "(no auth attempts") != NULL ||
            find_first(tail, "(disconnected before auth was ready") != NULL) &&
           find_first(tail, ", TLS") == NULL;
}

static void
judge_tail(struct text tail, struct offence *offence)
{
    if (offence->class == OFFENCE_PROTOCOL_ABUSE && may_be_tls(tail))
        offence->class = OFFENCE_TLS_UNEXPECTED;
    if (offence->class == OFFENCE_SERVER_FAULT && has_elements(tail)) {
        offence->class = OFFENCE_LOGIN_OTHER;
        offence->has_client = false;
    }
    if (offence->class == OFFENCE_LOGIN_OK && !has_mail_process(tail))
        offence->flags |= OFFENCE_LOGIN_UNPROVEN;
}

static void
read_client(const struct fields *fields, struct offence *offence)
{
    struct tail tail = {0};
    struct text text, ip;
    const bool has_ip = get_text(fields, FIELD_IP, &ip);
    const bool has_tail = get_text(fields, FIELD_TAIL, &text);

    if (has_tail && has_ip)
        read_rip_first(text, &tail);
    else if (has_tail)
        read_tail(text, &tail);
    else if (get_text(fields, FIELD_PORT_TAIL, &text))
        read_port_tail(text, &tail);
    else if (read_event(fields, offence))
        event_tail(&offence->event, &tail);
    if (tail.user.bytes == NULL)
        get_text(fields, FIELD_USER, &tail.user);
    if (tail.method.bytes == NULL)
        get_text(fields, FIELD_METHOD, &tail.method);
    if (tail.session.bytes == NULL)
        get_text(fields, FIELD_SESSION, &tail.session);
    set_client(offence, has_ip ? ip : tail.ip);
    if (has_tail && (may_be_a_piece(fields, text) || is_odd_opening(fields, text, has_ip) ||
                     (has_ip && !is_of_session(tail.session))))
        offence->has_client = false;
    if (has_tail)
        judge_tail(text, offence);
    if (offence->has_client && session_contradicts(tail.session, &offence->client)) {
        offence->flags |= OFFENCE_SESSION_MISMATCH;
        offence->has_client =
            offence->flags & OFFENCE_FROM_EVENT ||
            (has_tail && !has_ip && count_of_rips(fields, text) == 1 && has_no_name_behind(text));
    }
    if (!(offence->flags & OFFENCE_FROM_EVENT) || offence->event.is_comparable)
        offence->user_hash = hash(tail.user);
    tail.user = bounded(tail.user, OFFENCE_USER_MAX);
    tail.session = bounded(tail.session, OFFENCE_SESSION_MAX);
    offence->user = tail.user.bytes;
    offence->user_length = tail.user.length;
    offence->session = tail.session.bytes;
    offence->session_length = tail.session.length;
    offence->method = tail.method.bytes;
    offence->method_length = bounded(tail.method, OFFENCE_SERVICE_MAX).length;
}

/* 5.7.1 → 5007001; 0 where there is none of this form. */
static unsigned
parse_dsn(struct text text)
{
    unsigned parts[3] = {0}, part = 0, digits = 0;

    for (size_t i = 0; i < text.length; i++) {
        const char c = text.bytes[i];
        if (c == '.' && digits > 0 && part < 2) {
            part++;
            digits = 0;
        } else if (c >= '0' && c <= '9' && digits < 3) {
            parts[part] = parts[part] * 10 + (unsigned)(c - '0');
            digits++;
        } else {
            return 0;
        }
    }
    return part == 2 && digits > 0 && parts[0] < 10
               ? parts[0] * 1000000 + parts[1] * 1000 + parts[2]
               : 0;
}

static bool
is_temporary(const struct offence *offence)
{
    return offence->code / 100 == 4 || offence->dsn / 1000000 == 4;
}

static int
read_reply(const struct fields *fields, struct offence *offence)
{
    struct text dsn;

    if (get_number(fields, FIELD_CODE, 1000, 0, &offence->code) != 0)
        return -EINVAL;
    if (offence->code < 100 || offence->code > 599)
        offence->code = 0;
    get_text(fields, FIELD_DSN, &dsn);
    offence->dsn = parse_dsn(dsn);
    /* The two that catch what no other class names: what may succeed later is no rejection. */
    if ((offence->class == OFFENCE_SMTP_REJECT || offence->class == OFFENCE_CONTENT_REJECT) &&
        is_temporary(offence))
        offence->class = OFFENCE_TEMPFAIL;
    return 0;
}

/* The line itself is one attempt, whatever it says; and where rsyslog had merged equal lines into
 * one, each of them was (`repeated`, set by mail.conf). */
static int
read_attempts(const struct fields *fields, struct offence *offence)
{
    unsigned repeated;

    if (get_number(fields, FIELD_ATTEMPTS, OFFENCE_ATTEMPTS_MAX, 1, &offence->attempts) != 0 ||
        get_number(fields, FIELD_REPEATED, OFFENCE_ATTEMPTS_MAX, 1, &repeated) != 0)
        return -EINVAL;
    offence->attempts *= repeated;
    if (offence->attempts == 0)
        offence->attempts = 1;
    if (offence->attempts > OFFENCE_ATTEMPTS_MAX)
        offence->attempts = OFFENCE_ATTEMPTS_MAX;
    return 0;
}

static void
read_fault_field(const struct fields *fields, struct offence *offence)
{
    static const char auth[] = "auth", id_log[] = "id_log", pipelining[] = "pipelining";
    struct text text;

    if (!get_text(fields, FIELD_FAULT, &text))
        return;
    if (text.length == sizeof auth - 1 && memcmp(text.bytes, auth, text.length) == 0 &&
        offence->class != OFFENCE_LOGIN_OTHER) /* see judge_tail */
        offence->flags |= OFFENCE_AUTH_FAULT;
    if (text.length == sizeof id_log - 1 && memcmp(text.bytes, id_log, text.length) == 0)
        offence->flags |= OFFENCE_ID_LOGGED;
    if (text.length == sizeof pipelining - 1 && memcmp(text.bytes, pipelining, text.length) == 0)
        offence->flags |= OFFENCE_PIPELINING;
}

/* All but the event, half a kilobyte that few lines have. */
static void
begin_offence(struct offence *offence)
{
    memset(offence, 0, offsetof(struct offence, event));
    offence->user = offence->session = offence->service = offence->method = "";
}

int
offence_read(struct fjson_object *object, struct offence *offence)
{
    struct fields read;
    const struct fields *const fields = &read;
    struct text text;
    int class;

    begin_offence(offence);
    walk_fields(object, &read);
    if (!get_text(fields, FIELD_CLASS, &text))
        return -ENOENT;
    class = offence_class_parse(text.bytes, text.length);
    if (class < 0)
        return -EINVAL;
    offence->class = (enum offence_class) class;
    if (read_attempts(fields, offence) != 0 || read_reply(fields, offence) != 0)
        return -EINVAL;
    read_client(fields, offence);
    get_text(fields, FIELD_SERVICE, &text);
    text = bounded(text, OFFENCE_SERVICE_MAX);
    if (offence->flags & OFFENCE_FROM_EVENT)
        text = whole(offence->event.service);
    offence->service = text.bytes;
    offence->service_length = text.length;
    if (get_text(fields, FIELD_PROGRAM,
                 &text)) /* where a configuration took the line apart itself */
        offence_service_from_tag(offence, text.bytes, text.length);
    get_text(fields, FIELD_SECRET, &text);
    offence->secret_hash = hash(text);
    read_fault_field(fields, offence);
    if (get_text(fields, FIELD_STAGE, &text))
        offence->flags |= OFFENCE_BROKEN_OFF;
    offence->names_whom = offence->has_client;
    offence->whom = offence->client;
    if (get_text(fields, FIELD_AUTH_TAIL, &text))
        read_auth(text, offence);
    return 0;
}

void
offence_service_from_tag(struct offence *offence, const char *tag, size_t length)
{
    struct text text = {.bytes = tag, .length = strnlen(tag, length)};
    const char *program;

    if (offence->service_length > 0)
        return;
    text = up_to(text, text.bytes, ':');
    if (text.length > 0 && text.bytes[text.length - 1] == ']')
        offence->process_hash = hash(text);
    text = up_to(text, text.bytes, '[');
    program = find_first(text, "postfix");
    if (program == NULL)
        program = find_first(text, "dovecot");
    while (program != NULL && program > text.bytes && program[-1] != '/')
        program--;
    if (program != NULL)
        text =
            (struct text){.bytes = program, .length = (size_t)(text.bytes + text.length - program)};
    offence->service = text.bytes;
    offence->service_length = bounded(text, OFFENCE_SERVICE_MAX).length;
}

/* Six bytes of microseconds, the lowest first; they begin anew every nine years. */
int64_t
offence_session_ms(const struct offence *offence, int64_t near_ms)
{
    const struct text session = {.bytes = offence->session, .length = offence->session_length};
    const int64_t round_us = INT64_C(1) << 48;
    uint8_t bytes[SESSION_SIZE];
    int64_t time_us = 0, back_us;

    if (session_bytes(session, bytes) == 0)
        return 0;
    for (unsigned i = 0; i < 6; i++)
        time_us |= (int64_t)bytes[i] << 8 * i;
    back_us = (near_ms * 1000 - time_us) & (round_us - 1);
    if (back_us > round_us / 2)
        back_us -= round_us;
    return near_ms - back_us / 1000;
}

/* Relaying is refused for the time being by default in Debian (smtpd_relay_restrictions). */
static bool
is_relay_deferred(const struct offence *offence)
{
    return offence->class == OFFENCE_RELAY_DENIED && offence->code == 454 &&
           offence->dsn == 4007001;
}

/* A mailbox that is full, a mail that is too large: who sends it cannot know, and sends it again.
 */
static bool
is_out_of_room(const struct offence *offence)
{
    return offence->dsn == 5002002 || offence->dsn == 5003004;
}

bool
offence_counts(const struct offence *offence)
{
    return (OFFENCE_COUNTABLE & OFFENCE_BIT(offence->class)) && offence->has_client &&
           (!is_temporary(offence) || is_relay_deferred(offence)) && !is_out_of_room(offence) &&
           !(offence->flags & OFFENCE_BROKEN_OFF);
}
