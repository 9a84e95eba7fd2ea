/* firewall: one command buffer for each batch, written out as text and handed to libnftables.
 *
 * The library reads the tables, chains, sets and every interval set's elements of the whole host
 * before it acts, whatever the command's size; so a batch is one buffer and one transaction. Three
 * things end or abort the process inside the library and are kept from it: a forbidden AF_NETLINK
 * (it calls exit), a descriptor of 1024 or more (FD_SET aborts), and anything but a numeric address
 * (it would ask DNS). A missing capability is found out before as well, because the library
 * writes about it to standard error.
 *
 * An element's timeout cannot be changed in place before Linux 6.12, where adding what is there
 * keeps the old timeout silently. `add; delete; add` in one transaction works on every kernel: the
 * first add makes sure that there is something to delete. It is also what costs most: for `add
 * element` and `delete element` the library reads the interval sets, for `add set` with elements
 * in it it does not (beside 100,000 prefixes 2 ms in place of 900). So what the kernel does is
 * probed once, and where it can, one `add set` is all.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "base/text.h"

#define IN_TABLE " inet " FIREWALL_TABLE " "
#define CHAIN    "prerouting"

/* A set is known by its index: for each list of ports IPv4 by 0..32 bits, then IPv6 by 0..128. */
#define V4_SETS       33
#define LIST_SETS     (V4_SETS + 129)
#define SETS          (FIREWALL_LISTS * LIST_SETS)
#define SET_V4        32
#define SET_V6        (V4_SETS + 128)
#define SET_V6_64     (V4_SETS + 64)
#define SET_NAME_SIZE (PORTS_TEXT_SIZE + 32)

/* The parser takes eight digits in each unit of a time, and the kernel some 584 years. What is
 * longer than a century is cut to that. */
#define TIMEOUT_MAX_MS (INT64_C(36500) * 24 * 60 * 60 * 1000)

/* Each set of ours holds one element that no packet comes from: all ones, which are reserved. Who
 * flushes a set deletes it too, who deletes an element by hand does not; the kernel's notifications
 * tell the two apart by nothing else. Fewer bits would be somebody's network. */
#define MARKER_BITS    8
#define MARKER_COMMENT "ombanmail, no ban: tells when the set is flushed"

enum layout {
    LAYOUT_UNKNOWN, /* what is missing is added, what is there stays */
    LAYOUT_BROKEN,  /* all is deleted and made anew */
    LAYOUT_PRESENT, /* the kernel has our table, as far as we know */
};

/* How an element that is there gets another timeout. */
enum refresh { REFRESH_UNKNOWN, REFRESH_BY_REPLACING, REFRESH_BY_ADDING };

/* What an administrator's set is found to be. */
enum own_set { OWN_UNUSABLE, OWN_ADDRESSES, OWN_INTERVALS };

struct firewall {
    struct nft_ctx *nft;
    enum own_set own_sets[FIREWALL_FAMILIES];
    bool own_checked;
    uint32_t port;
    enum refresh refresh;
    enum layout layout;
    struct firewall_policy policy;
    bool present[SETS]; /* the sets, with a rule for each, where the layout is present */
};

/* No error when there is none. */
static const char delete_table[] =
    "add table inet " FIREWALL_TABLE "\ndelete table inet " FIREWALL_TABLE "\n";

struct cause {
    int error;
    const char *remedy;
};

static const struct cause causes[] = {
    {EPERM, "another process may own table inet " FIREWALL_TABLE},
    {ENFILE, "the set is full: raise its size"}, /* before EMFILE, whose text is a part of its */
    {ENOENT, "the kernel may lack nf_conntrack or nft_ct"},
    {EEXIST, "table inet " FIREWALL_TABLE " exists with another layout: delete it"},
    {ENOMEM, "the kernel is out of memory"},
    {ENOBUFS, "the netlink receive buffer is too small: raise net.core.rmem_max"},
    {EOPNOTSUPP, "the kernel lacks nf_tables: load the module nf_tables"},
    {EAFNOSUPPORT, "the sandbox forbids netlink sockets: add AF_NETLINK to"
                   " RestrictAddressFamilies= of rsyslog.service (a drop-in)"},
    {EPROTONOSUPPORT, "the kernel lacks nf_tables: load the modules nfnetlink and nf_tables"},
    {EMFILE, "rsyslogd has too many files open: a netlink descriptor below 1024 is needed"},
};

static int
refuse(int error, const char *what, char *reason)
{
    const char *remedy = NULL;

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].error == error)
            remedy = causes[i].remedy;
    }
    snprintf(reason, FIREWALL_REASON_SIZE, "%s%s%s", what, remedy ? "; " : "",
             remedy ? remedy : "");
    return -error;
}

/* ---- opening ---- */

static bool
is_netfilter_socket(int descriptor)
{
    int domain, protocol;
    socklen_t size = sizeof(int);

    return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
           domain == AF_NETLINK &&
           getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == NETLINK_NETFILTER;
}

static int
probe_netlink(char *reason)
{
    char what[FIREWALL_REASON_SIZE / 2];
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (descriptor < 0) {
        int error = errno;
        snprintf(what, sizeof(what), "no netlink socket: %s", strerror(error));
        return refuse(error, what, reason);
    }
    close(descriptor);
    if (descriptor >= FD_SETSIZE)
        return refuse(EMFILE, "no netlink socket", reason);
    return 0;
}

/* The library does not tell its descriptor; it is the netfilter socket that was not there before.
 * Another thread may have taken the probe's number meanwhile: so it is looked for, not assumed. */
static int
find_new_socket(const bool before[FD_SETSIZE])
{
    for (int descriptor = 0; descriptor < FD_SETSIZE; descriptor++) {
        if (!before[descriptor] && is_netfilter_socket(descriptor))
            return descriptor;
    }
    return -1;
}

/* The kernel gives a port when it is first needed: now. Returns 0 where it does not. */
static uint32_t
bind_port(int descriptor)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    socklen_t size = sizeof(address);

    if (getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 && address.nl_pid != 0)
        return address.nl_pid;
    address = (struct sockaddr_nl){.nl_family = AF_NETLINK};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0)
        getsockname(descriptor, (struct sockaddr *)&address, &size);
    return address.nl_pid;
}

int
firewall_open(struct firewall **firewall, char reason[FIREWALL_REASON_SIZE])
{
    bool before[FD_SETSIZE];
    struct firewall *made;
    int descriptor, result = probe_netlink(reason);

    *firewall = NULL;
    if (result < 0)
        return result;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return refuse(ENOMEM, "out of memory", reason);
    for (descriptor = 0; descriptor < FD_SETSIZE; descriptor++)
        before[descriptor] = is_netfilter_socket(descriptor);
    made->policy.lists[0] = ports_mail();
    made->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (made->nft == NULL) {
        result = refuse(ENOMEM, "out of memory", reason);
        goto done;
    }
    descriptor = find_new_socket(before);
    if (descriptor < 0) {
        result = refuse(EMFILE, "no netlink socket", reason);
        goto done;
    }
    /* What rsyslogd executes (omprog) shall not inherit it. */
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    made->port = bind_port(descriptor);
    if (nft_ctx_buffer_output(made->nft) != 0 || nft_ctx_buffer_error(made->nft) != 0)
        result = refuse(ENOMEM, "out of memory", reason);
done:
    if (result < 0) {
        firewall_close(made);
        made = NULL;
    }
    *firewall = made;
    return result;
}

void
firewall_close(struct firewall *firewall)
{
    if (firewall == NULL)
        return;
    if (firewall->nft != NULL)
        nft_ctx_free(firewall->nft);
    free(firewall);
}

/* ---- running a command ---- */

static bool
may_change(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) != 0)
        return true; /* let the kernel decide */
    return data[0].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

/* The library tells errors as text only: strerror(3) of the errno, behind words of its own, in the
 * first line. Compared with what the same thread's strerror says, so the locale doesn't matter. */
static int
read_error(const char *text)
{
    /* what the kernel answers who speaks to a part of it that it does not have */
    if (strstr(text, "cache initialization failed") != NULL &&
        strstr(text, strerror(EINVAL)) != NULL)
        return EOPNOTSUPP;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (strstr(text, strerror(causes[i].error)) != NULL)
            return causes[i].error;
    }
    return EIO;
}

static int
run(struct firewall *firewall, const char *command, char *reason)
{
    static const char prefix[] = "Error: ";
    char what[FIREWALL_REASON_SIZE / 2] = "nftables: ";
    const char *error;

    if (!may_change()) {
        snprintf(reason, FIREWALL_REASON_SIZE,
                 "rsyslogd lacks the capability CAP_NET_ADMIN; add it to CapabilityBoundingSet= of"
                 " rsyslog.service (container: --cap-add NET_ADMIN)");
        return -EPERM;
    }
    if (nft_run_cmd_from_buffer(firewall->nft, command) == 0)
        return 0;
    error = nft_ctx_get_error_buffer(firewall->nft);
    if (strncmp(error, prefix, strlen(prefix)) == 0)
        error += strlen(prefix);
    strncat(what, error, sizeof(what) - strlen(what) - 1);
    what[strcspn(what, "\n")] = '\0';
    return refuse(read_error(what), what, reason);
}

/* ---- the words of a command ---- */

static unsigned
set_of(const struct firewall_change *change)
{
    const struct source *source = &change->source;

    return change->list * LIST_SETS + source_bits(source) + (source_is_v4(source) ? 0 : V4_SETS);
}

static const struct ports *
ports_of(const struct firewall_policy *policy, unsigned set)
{
    return &policy->lists[set / LIST_SETS];
}

static enum verdict
verdict_of(const struct firewall_policy *policy, unsigned set)
{
    const enum verdict own = policy->verdicts[set / LIST_SETS];

    return own != VERDICT_OF_MODULE ? own : policy->verdict;
}

static bool
is_v4(unsigned set)
{
    return set % LIST_SETS < V4_SETS;
}

static bool
is_of_addresses(unsigned set)
{
    return set % LIST_SETS == SET_V4 || set % LIST_SETS == SET_V6;
}

/* In the family's own terms. */
static unsigned
bits_of(unsigned set)
{
    return set % LIST_SETS - (is_v4(set) ? 0 : V4_SETS);
}

static const char *
set_name(const struct firewall_policy *policy, unsigned set, char name[SET_NAME_SIZE])
{
    const struct ports *ports = ports_of(policy, set), mail = ports_mail();
    char bits[12] = "", numbers[PORTS_TEXT_SIZE] = "";
    const enum verdict own = policy->verdicts[set / LIST_SETS];
    const char *which = "";

    if (!is_of_addresses(set))
        snprintf(bits, sizeof(bits), "_%u", bits_of(set));
    if (ports_are_all(ports)) {
        which = "_all";
    } else if (!ports_are_same(ports, &mail)) {
        which = "_ports_";
        ports_print(ports, "_", numbers);
    }
    snprintf(name, SET_NAME_SIZE, "%s%s%s%s%s%s", is_v4(set) ? "v4" : "v6", bits, which, numbers,
             own == VERDICT_OF_MODULE ? "" : "_",
             own == VERDICT_OF_MODULE ? "" : verdict_name(own));
    return name;
}

static const char *
own_set(const struct firewall_policy *policy, unsigned set)
{
    return policy->set[is_v4(set) ? FIREWALL_V4 : FIREWALL_V6];
}

static struct source
all_ones(bool is_v4, unsigned bits)
{
    struct source ones = {.prefix = SOURCE_HOST_PREFIX};

    memset(ones.address, 0xff, sizeof(ones.address));
    if (is_v4)
        memset(ones.address, 0, 10); /* ::ffff:255.255.255.255 */
    return source_mask(&ones, bits, bits);
}

/* `& 255.255.255.0` for a set of prefixes, nothing for one of single addresses. */
static void
print_mask(FILE *command, unsigned set)
{
    struct source ones = all_ones(is_v4(set), bits_of(set));
    char text[SOURCE_TEXT_SIZE];

    if (!is_of_addresses(set))
        fprintf(command, " & %s", source_print_address(&ones, text));
}

bool
firewall_is_marker(const struct source *source)
{
    unsigned bits = source_bits(source);
    struct source ones = all_ones(source_is_v4(source), bits);

    return bits >= MARKER_BITS && source_compare(source, &ones) == 0;
}

/* Up to where the set's elements are to be printed. */
static void
begin_set(FILE *command, const struct firewall_policy *policy, unsigned set)
{
    char name[SET_NAME_SIZE];

    fprintf(command, "add set" IN_TABLE "%s { type ipv%c_addr; flags timeout;",
            set_name(policy, set, name), is_v4(set) ? '4' : '6');
}

static void
print_set(FILE *command, const struct firewall_policy *policy, unsigned set)
{
    struct source ones = all_ones(is_v4(set), bits_of(set));
    char text[SOURCE_TEXT_SIZE];

    begin_set(command, policy, set);
    if (bits_of(set) >= MARKER_BITS)
        fprintf(command, " elements = { %s comment \"" MARKER_COMMENT "\" };",
                source_print_address(&ones, text));
    fprintf(command, " }\n");
}

static void
print_rule(FILE *command, const struct firewall_policy *policy, unsigned set, const char *protocol,
           const char *verdict)
{
    char name[SET_NAME_SIZE];

    fprintf(command, "add rule" IN_TABLE CHAIN " ct direction original%s %s saddr", protocol,
            is_v4(set) ? "ip" : "ip6");
    print_mask(command, set);
    fprintf(command, " @%s %s\n", set_name(policy, set, name), verdict);
}

static void
print_rules(FILE *command, const struct firewall_policy *policy, unsigned set)
{
    const struct ports *ports = ports_of(policy, set);
    bool rejects = verdict_of(policy, set) == VERDICT_REJECT;
    char protocol[PORTS_TEXT_SIZE + 32] = " meta l4proto tcp", numbers[PORTS_TEXT_SIZE];

    if (!ports_are_all(ports))
        snprintf(protocol, sizeof(protocol), " tcp dport { %s }",
                 ports_print(ports, ", ", numbers));
    if (rejects)
        print_rule(command, policy, set, protocol, "reject with tcp reset");
    if (!rejects || ports_are_all(ports))
        print_rule(command, policy, set, ports_are_all(ports) ? "" : protocol,
                   rejects ? "reject" : "drop");
}

/* The rules of all that reject, or of all others. */
static void
print_rules_that(FILE *command, const struct firewall_policy *policy, const bool sets[SETS],
                 bool reject)
{
    for (unsigned set = 0; set < SETS; set++) {
        if (sets[set] && reject == (verdict_of(policy, set) == VERDICT_REJECT))
            print_rules(command, policy, set);
    }
}

/* All of it may be there already: adding a table, set or chain again changes nothing, and the
 * chain is emptied before it gets its rules, which is one step for the packets. */
static void
print_layout(FILE *command, const struct firewall_policy *policy, const bool sets[SETS])
{
    if (memchr(sets, 1, SETS) == NULL)
        return; /* the administrator's sets take all */
    fprintf(command, "add table inet " FIREWALL_TABLE "\n");
    for (unsigned set = 0; set < SETS; set++) {
        if (sets[set])
            print_set(command, policy, set);
    }
    fprintf(command, "add chain" IN_TABLE CHAIN
                     " { type filter hook prerouting priority -150; policy accept; }\n"
                     "flush chain" IN_TABLE CHAIN "\n");
    print_rules_that(command, policy, sets, false);
    print_rules_that(command, policy, sets, true);
}

static void
print_time(FILE *command, const char *what, int64_t ms)
{
    fprintf(command, " %s %lldd%lldh%lldm%llds%lldms", what, (long long)(ms / 86400000),
            (long long)(ms / 3600000 % 24), (long long)(ms / 60000 % 60),
            (long long)(ms / 1000 % 60), (long long)(ms % 1000));
}

/* An element that is there already and has the same timeout goes on to run out as before when it is
 * added again, unless it is told when to: bans are mostly prolonged by the length that they had. */
static void
print_timeout(FILE *command, int64_t ms, enum refresh refresh)
{
    if (ms == FIREWALL_FOREVER_MS)
        return;
    if (ms > TIMEOUT_MAX_MS)
        ms = TIMEOUT_MAX_MS;
    print_time(command, "timeout", ms);
    if (refresh == REFRESH_BY_ADDING)
        print_time(command, "expires", ms);
}

/* The steps of an upsert. */
enum step { MAKE_SURE, DELETE, ADD };

static bool
has_step(const struct firewall_change *change, enum step step, enum refresh refresh)
{
    return step == ADD ? change->wanted : !change->wanted || refresh != REFRESH_BY_ADDING;
}

static void
print_element(FILE *command, const struct firewall_change *change, enum step step,
              enum refresh refresh, bool is_own)
{
    char text[SOURCE_TEXT_SIZE];

    fprintf(command, " %s",
            is_own ? source_print(&change->source, text)
                   : source_print_address(&change->source, text));
    if (step == ADD)
        print_timeout(command, change->timeout_ms, refresh);
    if (step == ADD && change->comment[0] != '\0')
        fprintf(command, " comment \"%s\"", change->comment);
}

/* One step for all elements of one set. */
static void
print_step(FILE *command, const struct firewall *firewall, unsigned set, enum step step,
           const struct firewall_change *changes, size_t count)
{
    const struct firewall_policy *policy = &firewall->policy;
    const char *own = own_set(policy, set);
    enum refresh refresh = own[0] != '\0' ? REFRESH_BY_REPLACING : firewall->refresh;
    bool in_set = step == ADD && own[0] == '\0', any = false;
    char name[SET_NAME_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (set_of(&changes[i]) != set || !has_step(&changes[i], step, refresh))
            continue;
        if (!any && in_set) {
            begin_set(command, policy, set);
            fprintf(command, " elements = {");
        } else if (!any) {
            fprintf(command, "%s element %s%s {", step == DELETE ? "delete" : "add",
                    own[0] != '\0' ? own : "inet " FIREWALL_TABLE " ",
                    own[0] != '\0' ? "" : set_name(policy, set, name));
        } else {
            fputc(',', command);
        }
        print_element(command, &changes[i], step, refresh, own[0] != '\0');
        any = true;
    }
    if (any)
        fprintf(command, in_set ? " }; }\n" : " }\n");
}

/* The whole command: the layout unless it is `present` with these sets, then the elements. */
static char *
print_command(const struct firewall *firewall, enum layout layout, const bool sets[SETS],
              const struct firewall_change *changes, size_t count)
{
    char *text = NULL;
    size_t size;
    bool used[SETS] = {false};
    FILE *command = open_memstream(&text, &size);

    if (command == NULL)
        return NULL;
    if (layout == LAYOUT_BROKEN)
        fprintf(command, "%s", delete_table);
    if (layout != LAYOUT_PRESENT)
        print_layout(command, &firewall->policy, sets);
    for (size_t i = 0; i < count; i++)
        used[set_of(&changes[i])] = true;
    for (unsigned set = 0; set < SETS; set++) {
        for (enum step step = MAKE_SURE; used[set] && step <= ADD; step++)
            print_step(command, firewall, set, step, changes, count);
    }
    text_close(command, &text); /* half a command would do half of what is asked */
    return text;
}

/* ---- the administrator's sets ---- */

bool
firewall_is_set_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char family[8], table[65], set[65], rest;

    if (strlen(text) >= FIREWALL_SET_SIZE ||
        sscanf(text, "%7s %64[a-zA-Z0-9_.-] %64[a-zA-Z0-9_.-]%c", family, table, set, &rest) != 3)
        return false;
    return (strcmp(family, "inet") == 0 || strcmp(family, "ip") == 0 ||
            strcmp(family, "ip6") == 0) &&
           strchr(letters, table[0]) != NULL && strchr(letters, set[0]) != NULL;
}

static bool
has_own_sets(const struct firewall_policy *policy)
{
    return policy->set[FIREWALL_V4][0] != '\0' || policy->set[FIREWALL_V6][0] != '\0';
}

/* The set's own line in a listing that begins with this word, or NULL. */
static const char *
find_line(const char *listing, const char *word, char line[128])
{
    for (const char *at = listing; (at = strchr(at, '\n')) != NULL;) {
        at++;
        at += strspn(at, "\t ");
        if (strncmp(at, word, strlen(word)) == 0) {
            snprintf(line, 128, "%.*s", (int)strcspn(at, "\n"), at);
            return line;
        }
    }
    return NULL;
}

static int
reject_set(enum firewall_family family, const char *set, const char *why, char *reason)
{
    snprintf(reason, FIREWALL_REASON_SIZE, "set%c=\"%s\" %s", family == FIREWALL_V4 ? '4' : '6',
             set, why);
    return -EINVAL;
}

/* What the listing says of a set; `warning` is appended to. */
static int
judge_set(struct firewall *firewall, enum firewall_family family, const char *listing,
          char *warning, char *reason)
{
    const struct firewall_policy *policy = &firewall->policy;
    const char *set = policy->set[family],
               *type = family == FIREWALL_V4 ? "ipv4_addr" : "ipv6_addr";
    char line[128], expected[32];
    bool is_interval;

    snprintf(expected, sizeof(expected), "type %s", type);
    if (find_line(listing, "type", line) == NULL ||
        (strcmp(line, expected) != 0 &&
         strcmp(line, family == FIREWALL_V4 ? "typeof ip saddr" : "typeof ip6 saddr") != 0))
        return reject_set(family, set,
                          family == FIREWALL_V4 ? "is not of type ipv4_addr: make one that is"
                                                : "is not of type ipv6_addr: make one that is",
                          reason);
    if (find_line(listing, "flags", line) == NULL || strstr(line, "timeout") == NULL)
        return reject_set(family, set, "has no flag timeout, so no ban would end: add it", reason);
    is_interval = strstr(line, "interval") != NULL;
    if (find_line(listing, "auto-merge", line) != NULL)
        return reject_set(family, set,
                          "has auto-merge, which makes one element of neighbours, so that one of"
                          " them could not be lifted: leave it out",
                          reason);
    if (!is_interval && policy->shortest[family] < (family == FIREWALL_V4 ? 32 : 128))
        return reject_set(family, set,
                          "takes single addresses, but a jail bans prefixes: leave it out for sets"
                          " of ours with a mask, or ban single addresses (ipv4Prefix=\"32\","
                          " ipv6Prefix=\"128\")",
                          reason);
    firewall->own_sets[family] = is_interval ? OWN_INTERVALS : OWN_ADDRESSES;
    if (is_interval)
        snprintf(warning, FIREWALL_REASON_SIZE,
                 "set %s is an interval set: with 100,000 elements in it each change takes 0.6 s;"
                 " a set without the flag interval takes 10 us",
                 set);
    if (find_line(listing, "size", line) != NULL && strtoul(line + 4, NULL, 10) < policy->most)
        snprintf(warning, FIREWALL_REASON_SIZE,
                 "set %s has room for %s elements, but there may be %u bans (maxBans)", set,
                 line + 5, policy->most);
    return 0;
}

int
firewall_check_sets(struct firewall *firewall, char warning[FIREWALL_REASON_SIZE],
                    char reason[FIREWALL_REASON_SIZE])
{
    unsigned flags = nft_ctx_output_get_flags(firewall->nft);
    char command[FIREWALL_SET_SIZE + 16], why[FIREWALL_REASON_SIZE];
    int result = 0;

    warning[0] = '\0';
    if (firewall->own_checked)
        return 0;
    for (unsigned family = 0; family < FIREWALL_FAMILIES; family++) {
        const char *set = firewall->policy.set[family];
        int error;

        firewall->own_sets[family] = OWN_UNUSABLE;
        if (set[0] == '\0')
            continue;
        snprintf(command, sizeof(command), "list set %s", set);
        nft_ctx_output_set_flags(firewall->nft, flags | NFT_CTX_OUTPUT_TERSE);
        error = run(firewall, command, why);
        nft_ctx_output_set_flags(firewall->nft, flags);
        if (error == -ENOENT) {
            reject_set(family, set, "does not exist: create it, with flags timeout", why);
        } else if (error == 0) {
            char *listing = strdup(nft_ctx_get_output_buffer(firewall->nft));
            error = listing == NULL ? refuse(ENOMEM, "out of memory", why)
                                    : judge_set(firewall, family, listing, warning, why);
            free(listing);
        }
        if (error < 0 && result == 0) { /* the first is said first */
            result = error;
            memcpy(reason, why, sizeof(why));
        }
    }
    firewall->own_checked = result == 0;
    return result;
}

bool
firewall_holds(const struct firewall *firewall, const struct firewall_change *change)
{
    enum firewall_family family = source_is_v4(&change->source) ? FIREWALL_V4 : FIREWALL_V6;

    if (firewall->policy.set[family][0] == '\0' || firewall->own_sets[family] == OWN_INTERVALS)
        return true;
    return firewall->own_sets[family] == OWN_ADDRESSES &&
           change->source.prefix == SOURCE_HOST_PREFIX;
}

/* ---- applying ---- */

/* Adds an element twice and looks which of the two timeouts it has, in a table that the kernel
 * deletes with our socket, whatever happens. Where that cannot be had the kernel is an older one.
 */
static enum refresh
probe_refresh(struct firewall *firewall)
{
#define PROBE_SET "add set inet %s s { type ipv4_addr; flags timeout; elements = { 192.0.2.1"
    static const char *const steps[] = {"add table inet %s { flags owner; }",
                                        PROBE_SET " timeout 1h }; }", PROBE_SET " timeout 2h }; }",
                                        "list set inet %s s"};
    char table[48], command[256], reason[FIREWALL_REASON_SIZE];
    bool is_updated = true;

    if (run(firewall, "list tables", reason) < 0)
        return REFRESH_UNKNOWN; /* it lets us do nothing at all */
    snprintf(table, sizeof(table), FIREWALL_TABLE "_probe_%u", firewall->port);
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]) && is_updated; i++) {
        snprintf(command, sizeof(command), steps[i], table);
        is_updated = run(firewall, command, reason) == 0;
    }
    is_updated =
        is_updated && strstr(nft_ctx_get_output_buffer(firewall->nft), "timeout 2h") != NULL;
    snprintf(command, sizeof(command), "delete table inet %s", table);
    run(firewall, command, reason);
    return is_updated ? REFRESH_BY_ADDING : REFRESH_BY_REPLACING;
}

/* Our table may stand there from an earlier life with sets for other prefixes, which need their
 * rules again when the chain is filled anew. */
static void
find_sets(struct firewall *firewall, bool sets[SETS])
{
    char reason[FIREWALL_REASON_SIZE], name[SET_NAME_SIZE], found[SET_NAME_SIZE];
    unsigned flags = nft_ctx_output_get_flags(firewall->nft);
    const char *line;
    int result;

    nft_ctx_output_set_flags(firewall->nft, flags | NFT_CTX_OUTPUT_TERSE);
    result = run(firewall, "list table inet " FIREWALL_TABLE, reason);
    nft_ctx_output_set_flags(firewall->nft, flags);
    if (result < 0)
        return; /* none there, or the next command says why not */
    line = nft_ctx_get_output_buffer(firewall->nft);
    while ((line = strstr(line, "set ")) != NULL) {
        line += strlen("set ");
        if (sscanf(line, "%143s", found) != 1)
            continue;
        for (unsigned set = 0; set < SETS; set++) {
            if (ports_of(&firewall->policy, set)->count > 0 &&
                strcmp(found, set_name(&firewall->policy, set, name)) == 0)
                sets[set] = true;
        }
    }
}

/* Which set of ours has this name, or SETS. */
static unsigned
find_name(const struct firewall_policy *policy, const char *found)
{
    char name[SET_NAME_SIZE];
    unsigned set = 0;

    while (set < SETS &&
           (ports_of(policy, set)->count == 0 || strcmp(found, set_name(policy, set, name)) != 0))
        set++;
    return set;
}

static bool
is_of_our_type(unsigned set, const char *type)
{
    return strcmp(type, is_v4(set) ? "type ipv4_addr" : "type ipv6_addr") == 0;
}

/* A table of our name may be somebody else's: then a set of it has one of our names, and another
 * type than ours. Nothing of it is deleted. */
static int
check_table(struct firewall *firewall, char *reason)
{
    const unsigned flags = nft_ctx_output_get_flags(firewall->nft);
    char why[FIREWALL_REASON_SIZE], found[SET_NAME_SIZE], type[64];
    const char *line;
    int result;

    nft_ctx_output_set_flags(firewall->nft, flags | NFT_CTX_OUTPUT_TERSE);
    result = run(firewall, "list table inet " FIREWALL_TABLE, why);
    nft_ctx_output_set_flags(firewall->nft, flags);
    line = result < 0 ? "" : nft_ctx_get_output_buffer(firewall->nft);
    while ((line = strstr(line, "\tset ")) != NULL) {
        unsigned set;

        line += strlen("\tset ");
        if (sscanf(line, "%143s { %63[^\n]", found, type) != 2)
            continue;
        set = find_name(&firewall->policy, found);
        if (set == SETS || is_of_our_type(set, type))
            continue;
        snprintf(reason, FIREWALL_REASON_SIZE,
                 "table inet " FIREWALL_TABLE " is not ours: its set %.32s is of %.48s; it is left "
                 "as it is: rename or delete it",
                 found, type);
        return -EPROTO;
    }
    return 0;
}

/* "1d2h3m4s5ms" as nft prints it. */
static int64_t
parse_time(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
    int64_t sum = 0;

    while (*text >= '0' && *text <= '9') {
        char *end;
        long long number = strtoll(text, &end, 10);
        unsigned unit = 0;

        while (unit < 5 && strncmp(end, units[unit].unit, strlen(units[unit].unit)) != 0)
            unit++;
        if (unit == 5)
            break;
        sum += number * units[unit].ms;
        text = end + strlen(units[unit].unit);
    }
    return sum;
}

/* `203.0.113.9 timeout 1h expires 59m4s comment "…"`, NUL-terminated. */
static bool
parse_element(const char *text, unsigned bits, bool must_be_ours, struct firewall_change *element)
{
    const char *comment = strstr(text, "comment \"ombanmail "), *expires = strstr(text, "expires ");
    size_t length = strcspn(text, " ");

    if ((must_be_ours && comment == NULL) ||
        source_parse_prefix(text, length, &element->source) < 0)
        return false;
    if (!must_be_ours)
        element->source = source_mask(&element->source, bits, bits);
    if (expires == NULL && firewall_is_marker(&element->source))
        return false;
    element->timeout_ms =
        expires == NULL ? FIREWALL_FOREVER_MS : parse_time(expires + strlen("expires "));
    return true;
}

/* Elements are told apart by commas outside of comments. */
static void
walk_elements(char *text, unsigned bits, bool must_be_ours, struct firewall_change *element,
              void (*each)(void *context, const struct firewall_change *element), void *context)
{
    char *start = text;
    bool quoted = false, ends = false;

    for (char *at = text; !ends; at++) {
        quoted = quoted != (*at == '"');
        ends = *at == '\0' || (!quoted && *at == '}');
        if (!ends && (quoted || *at != ','))
            continue;
        *at = '\0';
        start += strspn(start, " \t\n");
        if (parse_element(start, bits, must_be_ours, element))
            each(context, element);
        start = at + 1;
    }
}

static int
list_set(struct firewall *firewall, unsigned set,
         void (*each)(void *context, const struct firewall_change *element), void *context,
         char *reason)
{
    static const char begins[] = "elements = {";
    char name[SET_NAME_SIZE], command[SET_NAME_SIZE + FIREWALL_SET_SIZE];
    const char *own = own_set(&firewall->policy, set);
    struct firewall_change element = {.list = (uint8_t)(set / LIST_SETS), .wanted = true};
    char *text;
    int error;

    if (own[0] != '\0')
        snprintf(command, sizeof(command), "list set %s", own);
    else
        snprintf(command, sizeof(command), "list set" IN_TABLE "%s",
                 set_name(&firewall->policy, set, name));
    error = run(firewall, command, reason);
    if (error < 0)
        return error;
    text = strdup(nft_ctx_get_output_buffer(firewall->nft));
    if (text == NULL)
        return refuse(ENOMEM, "out of memory", reason);
    if (strstr(text, begins) != NULL)
        walk_elements(strstr(text, begins) + strlen(begins), bits_of(set), own[0] != '\0', &element,
                      each, context);
    free(text);
    return 0;
}

int
firewall_list(struct firewall *firewall,
              void (*each)(void *context, const struct firewall_change *element), void *context,
              char reason[FIREWALL_REASON_SIZE])
{
    bool sets[SETS] = {false};
    int error = 0;

    find_sets(firewall, sets);
    sets[SET_V4] = sets[SET_V4] || firewall->policy.set[FIREWALL_V4][0] != '\0';
    sets[SET_V6] = sets[SET_V6] || firewall->policy.set[FIREWALL_V6][0] != '\0';
    for (unsigned set = 0; set < SETS && error == 0; set++) {
        if (sets[set])
            error = list_set(firewall, set, each, context, reason);
    }
    return error;
}

static void
want_usual_sets(const struct firewall_policy *policy, bool sets[SETS])
{
    for (unsigned list = 0; list < FIREWALL_LISTS; list++) {
        bool *of_list = sets + list * LIST_SETS;

        if (policy->lists[list].count == 0)
            continue;
        of_list[SET_V4] = policy->set[FIREWALL_V4][0] == '\0';
        of_list[SET_V6] = of_list[SET_V6_64] = policy->set[FIREWALL_V6][0] == '\0';
    }
}

/* From an earlier life without the administrator's sets: their elements would stand for ever, as
 * nobody asks for them any more. Returns whether there were any; all is made anew then. */
static bool
drop_unused_sets(const struct firewall_policy *policy, bool sets[SETS])
{
    bool dropped = false;

    for (unsigned set = 0; set < SETS; set++) {
        if (sets[set] && own_set(policy, set)[0] != '\0') {
            sets[set] = false;
            dropped = true;
        }
    }
    return dropped;
}

static int
apply_once(struct firewall *firewall, const struct firewall_change *changes, size_t count,
           char *reason)
{
    enum layout layout = firewall->layout;
    bool sets[SETS] = {false};
    char *command;
    int result;

    if (layout == LAYOUT_PRESENT)
        memcpy(sets, firewall->present, sizeof(sets));
    else
        want_usual_sets(&firewall->policy, sets);
    if (layout == LAYOUT_UNKNOWN) {
        find_sets(firewall, sets);
        if (drop_unused_sets(&firewall->policy, sets))
            layout = LAYOUT_BROKEN;
    }
    for (size_t i = 0; i < count; i++) {
        unsigned set = set_of(&changes[i]);
        if (own_set(&firewall->policy, set)[0] != '\0')
            continue;
        if (!sets[set] && layout == LAYOUT_PRESENT)
            layout = LAYOUT_UNKNOWN;
        sets[set] = true;
    }
    if (layout == LAYOUT_BROKEN && (result = check_table(firewall, reason)) < 0)
        return result;
    command = print_command(firewall, layout, sets, changes, count);
    if (command == NULL)
        return refuse(ENOMEM, "out of memory", reason);
    result = run(firewall, command, reason);
    free(command);
    if (result == 0) {
        firewall->layout = LAYOUT_PRESENT;
        memcpy(firewall->present, sets, sizeof(sets));
    }
    return result;
}

/* What is missing is added at first, so that what is there stays there. */
static int
apply_to_lost(struct firewall *firewall, const struct firewall_change *changes, size_t count,
              int result, char *reason)
{
    enum layout before = firewall->layout;

    while ((result == -ENOENT || result == -EEXIST) && firewall->layout != LAYOUT_BROKEN) {
        firewall->layout = firewall->layout == LAYOUT_PRESENT ? LAYOUT_UNKNOWN : LAYOUT_BROKEN;
        result = apply_once(firewall, changes, count, reason);
    }
    if (result < 0)
        firewall->layout = before;
    return result < 0 ? result : FIREWALL_WAS_LOST;
}

int
firewall_apply(struct firewall *firewall, const struct firewall_change *changes, size_t count,
               char reason[FIREWALL_REASON_SIZE])
{
    char warning[FIREWALL_REASON_SIZE], why[FIREWALL_REASON_SIZE];
    int error, result;

    if (firewall->refresh == REFRESH_UNKNOWN)
        firewall->refresh = probe_refresh(firewall);
    result = apply_once(firewall, changes, count, reason);
    if (result < 0 && has_own_sets(&firewall->policy)) {
        firewall->own_checked = false; /* it may be gone, and then the check says so */
        if ((error = firewall_check_sets(firewall, warning, why)) < 0)
            memcpy(reason, why, sizeof(why));
        if (error < 0)
            return error;
    }
    if (result < 0 && (error = check_table(firewall, why)) < 0) {
        memcpy(reason, why, sizeof(why));
        return error;
    }
    return result < 0 ? apply_to_lost(firewall, changes, count, result, reason) : result;
}

int
firewall_lay(struct firewall *firewall, char reason[FIREWALL_REASON_SIZE])
{
    if (firewall->layout == LAYOUT_PRESENT)
        return 0;
    return firewall_apply(firewall, NULL, 0, reason);
}

void
firewall_set_policy(struct firewall *firewall, const struct firewall_policy *policy)
{
    firewall->policy = *policy;
    firewall->own_checked = false;
    firewall_restore(firewall);
}

void
firewall_restore(struct firewall *firewall)
{
    if (firewall->layout == LAYOUT_PRESENT)
        firewall->layout = LAYOUT_UNKNOWN;
}

void
firewall_rebuild(struct firewall *firewall)
{
    firewall->layout = LAYOUT_BROKEN;
}

bool
firewall_is_broken(const struct firewall *firewall)
{
    return firewall->layout == LAYOUT_BROKEN;
}

uint32_t
firewall_port(const struct firewall *firewall)
{
    return firewall->port;
}

int
firewall_remove(struct firewall *firewall, char reason[FIREWALL_REASON_SIZE])
{
    const int result = check_table(firewall, reason);

    firewall->layout = LAYOUT_UNKNOWN;
    return result < 0 ? result : run(firewall, delete_table, reason);
}
