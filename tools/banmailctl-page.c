/* page: the charts are SVG whose places are percentages, so that they are as wide as the page while
 * their letters stay as they are.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "banmailctl-format.h"
#include "banmailctl-geo.h"
#include "banmailctl-trouble.h"
#include "count/gateway.h"

#define PLOT_TOP    18 /* pixels, from the top of the chart to its highest line */
#define PLOT_HEIGHT 170
#define TICKS_MOST  7 /* dates below the chart: what a phone is wide enough for */

static const char style[] =
    ":root{color-scheme:light dark;--page:#f4f6f8;--card:#fff;--ink:#18212b;--soft:#566270;"
    "--line:#dfe4ea;--bar:#2f6fdb;--rest:#e8edf3;--good:#17693a;--good-page:#e2f4e9;--bad:#a3231b;"
    "--bad-page:#fdeceb}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#10151b;--card:#19202a;--ink:#e5eaf0;"
    "--soft:#9ba7b5;--line:#2c3642;--bar:#6ba0f6;--rest:#26303c;--good:#7fd6a0;--good-page:#173324;"
    "--bad:#ff9d94;--bad-page:#3b1d1b}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,"
    "-apple-system,\"Segoe UI\",\"Liberation Sans\",\"DejaVu Sans\",sans-serif;"
    "font-variant-numeric:tabular-nums}\n"
    "main,header,footer{max-width:1080px;margin:0 auto;padding:0 20px}\n"
    "header{padding-top:28px;display:flex;flex-wrap:wrap;gap:6px 20px;align-items:baseline}\n"
    "h1{font-size:22px;margin:0;letter-spacing:-.01em}\n"
    "h2{font-size:15px;margin:0 0 2px}\n"
    "p{margin:0}\n.soft{color:var(--soft);font-size:13px}\n"
    ".state{margin-left:auto;padding:3px 12px;border-radius:99px;font-size:13px;font-weight:600;"
    "background:var(--good-page);color:var(--good)}\n"
    ".state.bad,.troubles{background:var(--bad-page);color:var(--bad)}\n"
    ".troubles{border-radius:10px;padding:12px 18px;margin:14px 0 0;list-style:none}\n"
    ".tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:12px;margin:18px 0 12px}\n"
    ".tile,section{background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    ".tile{padding:12px 16px}\n.tile b{display:block;font-size:25px;line-height:1.2;"
    "letter-spacing:-.02em}\n"
    ".grid{display:grid;grid-template-columns:1fr 1fr;gap:12px}\n"
    "section{padding:16px 18px;min-width:0}\n.wide{grid-column:1/-1}\n"
    "svg{display:block;width:100%}\n.plot{height:218px;margin-top:8px}\n"
    ".plot rect,.bar rect+rect{fill:var(--bar)}\n.bar rect{fill:var(--rest)}\n"
    ".plot line{stroke:var(--line)}\n.plot text{fill:var(--soft);font-size:11px;"
    "paint-order:stroke;stroke:var(--card);stroke-width:3px}\n"
    ".bar{height:6px;margin-top:3px}\n"
    "ul.ranks{list-style:none;margin:10px 0 0;padding:0;display:grid;gap:9px}\n"
    ".ranks span{display:flex;justify-content:space-between;gap:14px}\n"
    ".ranks code{overflow-wrap:anywhere}\n.ranks "
    "small{font-size:13px;color:var(--soft);white-space:nowrap}\n"
    "code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,\"DejaVu Sans Mono\",monospace}\n"
    ".scroll{overflow-x:auto;margin:8px -18px 0;padding:0 18px}\n"
    "table{border-collapse:collapse;width:100%;font-size:14px}\n"
    "th{font-size:12px;font-weight:600;color:var(--soft);text-align:left;"
    "border-bottom:1px solid var(--line)}\n"
    "th,td{padding:6px 22px 6px 0;vertical-align:top}\ntr+tr td{border-top:1px solid var(--line)}\n"
    "td.n,th.n{text-align:right;white-space:nowrap}\n.once{white-space:nowrap}\n"
    "footer{padding-top:16px;padding-bottom:28px}\n"
    "@media(max-width:820px){.tiles{grid-template-columns:repeat(3,1fr)}"
    ".grid{grid-template-columns:minmax(0,1fr)}}\n"
    "@media(max-width:480px){main,header,footer{padding-left:12px;padding-right:12px}"
    ".tiles{gap:8px}.tile{padding:9px 11px}.tile b{font-size:21px}.state{margin-left:0}"
    ".late{display:none}}\n"
    "@media print{:root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--bar:#1d4f9f;"
    "--rest:#eee;--good:#000;--good-page:#fff;--bad:#000;--bad-page:#fff}"
    "body{font-size:11px}section,.tile{break-inside:avoid}"
    "rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}.scroll{overflow:visible}}\n";

/* ---- letters ---- */

/* What is not printable ASCII is \xNN by then. */
static void
put_escaped(FILE *out, const char *text)
{
    char clean[1024];

    for (const char *byte = format_clean(text, clean, sizeof(clean)); *byte != '\0'; byte++)
        switch (*byte) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            putc(*byte, out);
        }
}

/* By local time. */
static const char *
print_time(int64_t ms, const char *format, char text[64])
{
    const time_t seconds = (time_t)(ms / 1000);
    struct tm local = {0};

    localtime_r(&seconds, &local);
    if (strftime(text, 64, format, &local) == 0)
        text[0] = '\0';
    return text;
}

static const char *
plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- head ---- */

static void
put_time_tag(FILE *out, int64_t ms)
{
    char stamp[FORMAT_STAMP_SIZE], words[64];

    fprintf(out, "<time datetime=\"%s\">%s</time>", format_stamp(ms, stamp),
            print_time(ms, "%a %d %b %Y, %H:%M", words));
}

static void
put_trouble(void *context, const char *text)
{
    fputs("<li>", context);
    put_escaped(context, text);
    fputs("</li>\n", context);
}

static void
put_head(FILE *out, const struct report_facts *facts)
{
    const struct period *const period = &facts->period;
    const uint32_t conditions = facts->summary.conditions;
    const unsigned troubles = (unsigned)__builtin_popcount(conditions);
    char span[FORMAT_SPAN_SIZE];

    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" href=\"data:,\">\n"
          "<title>Bans on ",
          out);
    put_escaped(out, facts->host);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>Bans on ", style);
    put_escaped(out, facts->host);
    fputs("</h1>\n<p class=\"soft\">", out);
    if (period->from_ms == 0)
        fputs("all that the ledger knows, until ", out);
    else
        fprintf(out, "the last %s, until ", format_span(period->to_ms - period->from_ms, span));
    put_time_tag(out, period->to_ms);
    fprintf(out, "</p>\n<p class=\"state%s\">", conditions ? " bad" : "");
    if (conditions)
        fprintf(out, "%u trouble%s now", troubles, plural(troubles));
    else
        fputs("All is well", out);
    fputs("</p>\n</header>\n<main>\n", out);
    if (conditions) {
        fputs("<ul class=\"troubles\">\n", out);
        trouble_each(&facts->summary, put_trouble, out);
        fputs("</ul>\n", out);
    }
}

static void
put_tile(FILE *out, uint64_t number, const char *what)
{
    fprintf(out, "<div class=\"tile\"><b>%" PRIu64 "</b><span class=\"soft\">%s</span></div>\n",
            number, what);
}

static void
put_tiles(FILE *out, const struct report_facts *facts)
{
    const struct period *const period = &facts->period;

    fputs("<div class=\"tiles\">\n", out);
    put_tile(out, period->bans, period->bans == 1 ? "ban" : "bans");
    put_tile(out, period->clients, period->clients == 1 ? "client" : "clients");
    put_tile(out, period->network_all, period->network_all == 1 ? "network" : "networks");
    put_tile(out, period->failures, "failures");
    put_tile(out, facts->summary.bans.count, "banned now");
    put_tile(out, period->ends[BAN_LIFTED_BY_HAND], "lifted by hand");
    fputs("</div>\n<div class=\"grid\">\n", out);
}

/* ---- bans an hour ---- */

/* The least of 1, 2, 5, 10, 20, … that four lines of make room for the greatest. */
static unsigned
step_of(unsigned most)
{
    unsigned step = 1;

    for (unsigned i = 0; step * 4 < most; i++)
        step = i % 3 == 1 ? step / 2 * 5 : step * 2;
    return step;
}

/* How many spans from one date below the chart to the next. */
static unsigned
tick_spans(const struct period *period)
{
    static const unsigned hours[] = {1, 3, 6, 12, 24}, days[] = {1, 2, 7, 14, 28};
    const unsigned *const steps = period->span_ms < 24 * INT64_C(3600000) ? hours : days;
    unsigned i = 0;

    while (i < 4 && period->span_count / steps[i] >= TICKS_MOST)
        i++;
    return period->span_count / steps[i] > TICKS_MOST ? period->span_count / TICKS_MOST + 1
                                                      : steps[i];
}

static bool
is_tick(const struct period *period, unsigned span, unsigned every)
{
    const time_t seconds = (time_t)((period->first_span_ms + span * period->span_ms) / 1000);
    struct tm local = {0};

    if (period->span_ms >= 24 * INT64_C(3600000) || every > 24)
        return span % every == 0;
    localtime_r(&seconds, &local);
    return (unsigned)local.tm_hour % every == 0;
}

static void
put_grid_lines(FILE *out, unsigned lines)
{
    for (unsigned i = 0; i <= lines; i++) {
        const unsigned y = PLOT_TOP + PLOT_HEIGHT - PLOT_HEIGHT * i / lines;

        fprintf(out, "<line x1=\"0\" x2=\"100%%\" y1=\"%u\" y2=\"%u\"/>\n", y, y);
    }
}

/* Above the bars, which would hide them. */
static void
put_numbers(FILE *out, unsigned step, unsigned lines)
{
    for (unsigned i = 1; i <= lines; i++)
        fprintf(out, "<text x=\"0\" y=\"%u\">%u</text>\n",
                PLOT_TOP + PLOT_HEIGHT - PLOT_HEIGHT * i / lines - 4, i * step);
}

/* Whoever points at a span is told its number. */
static void
put_spans(FILE *out, const struct period *period, unsigned greatest)
{
    const double width = 100.0 / period->span_count;
    const char *const format =
        period->span_ms < 24 * INT64_C(3600000) ? "%a %d %b, %H:%M" : "%a %d %b";
    char text[64];

    for (unsigned i = 0; i < period->span_count; i++) {
        const double height = (double)period->spans[i] * PLOT_HEIGHT / greatest;

        if (period->spans[i] == 0)
            continue;
        fprintf(out,
                "<rect x=\"%.3f%%\" width=\"%.3f%%\" y=\"%.1f\" height=\"%.1f\" rx=\"1\">"
                "<title>%s: %u ban%s</title></rect>\n",
                i * width + width * 0.1, width * 0.8, PLOT_TOP + PLOT_HEIGHT - height, height,
                print_time(period->first_span_ms + i * period->span_ms, format, text),
                period->spans[i], plural(period->spans[i]));
    }
}

static void
put_dates(FILE *out, const struct period *period)
{
    const unsigned every = tick_spans(period);
    const bool are_hours = period->span_ms < 24 * INT64_C(3600000) && every < 24;
    char text[64];

    for (unsigned i = 0; i < period->span_count; i++) {
        const double x = 100.0 * i / period->span_count;

        if (!is_tick(period, i, every) || x > 88)
            continue;
        fprintf(out,
                "<line x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%d\" y2=\"%d\"/>"
                "<text x=\"%.3f%%\" dx=\"3\" y=\"%d\">%s</text>\n",
                x, x, PLOT_TOP + PLOT_HEIGHT, PLOT_TOP + PLOT_HEIGHT + 16, x,
                PLOT_TOP + PLOT_HEIGHT + 15,
                print_time(period->first_span_ms + i * period->span_ms,
                           are_hours ? "%H:%M" : "%d %b", text));
    }
}

static void
put_bans_chart(FILE *out, const struct period *period)
{
    const bool are_hours = period->span_ms < 24 * INT64_C(3600000);
    const char *const span = are_hours ? "hour" : "day";
    unsigned most = 0, at = 0, step, lines;
    char text[64];

    for (unsigned i = 0; i < period->span_count; i++)
        if (period->spans[i] > most) {
            most = period->spans[i];
            at = i;
        }
    step = step_of(most);
    lines = most == 0 ? 1 : (most + step - 1) / step;
    fprintf(out, "<section class=\"wide\">\n<h2>Bans %s %s</h2>\n", are_hours ? "an" : "a", span);
    if (most == 0)
        fputs("<p class=\"soft\">Nobody was banned.</p>\n", out);
    else
        fprintf(out, "<p class=\"soft\">The most in one %s: %u, from %s on.</p>\n", span, most,
                print_time(period->first_span_ms + at * period->span_ms,
                           are_hours ? "%H:%M on %a %d %b" : "%a %d %b", text));
    fprintf(out, "<svg class=\"plot\" role=\"img\" aria-label=\"Bans by %s, at most %u\">\n", span,
            most);
    put_grid_lines(out, lines);
    put_spans(out, period, step * lines);
    put_numbers(out, step, lines);
    put_dates(out, period);
    fputs("</svg>\n</section>\n", out);
}

/* ---- lists with bars ---- */

static void
begin_ranks(FILE *out, const char *heading, const char *what, bool is_empty)
{
    fprintf(out, "<section>\n<h2>%s</h2>\n<p class=\"soft\">%s</p>\n<ul class=\"ranks\">\n",
            heading, is_empty ? "There were none." : what);
}

/* `part` of the greatest, as a bar below its words. */
__attribute__((format(printf, 5, 6))) static void
put_rank(FILE *out, const char *name, uint64_t number, uint64_t greatest, const char *more, ...)
{
    va_list arguments;

    fputs("<li><span><code>", out);
    put_escaped(out, name);
    fprintf(out, "</code><small><b>%" PRIu64 "</b> ", number);
    va_start(arguments, more);
    vfprintf(out, more, arguments);
    va_end(arguments);
    fprintf(out,
            "</small></span><svg class=\"bar\" aria-hidden=\"true\"><rect width=\"100%%\" "
            "height=\"6\" rx=\"3\"/><rect width=\"%.1f%%\" height=\"6\" rx=\"3\"/></svg></li>\n",
            greatest > 0 ? (double)number * 100 / (double)greatest : 0);
}

static void
end_ranks(FILE *out)
{
    fputs("</ul>\n</section>\n", out);
}

static void
put_classes(FILE *out, const struct period *period)
{
    enum offence_class order[OFFENCE_CLASSES];
    const unsigned count = period_classes(period, order);
    unsigned greatest = period->by_hand;

    if (count > 0 && period->classes[order[0]] > greatest)
        greatest = period->classes[order[0]];
    begin_ranks(out, "Classes", "What the deciding line of each ban showed.",
                count + period->by_hand == 0);
    for (unsigned i = 0; i < count && i < PERIOD_MOST; i++)
        put_rank(out, offence_class_name(order[i]), period->classes[order[i]], greatest,
                 "bans, %.0f&#8239;%%", period->classes[order[i]] * 100.0 / period->bans);
    if (period->by_hand > 0)
        put_rank(out, "by hand", period->by_hand, greatest, "bans, %.0f&#8239;%%",
                 period->by_hand * 100.0 / period->bans);
    end_ranks(out);
}

/* An address, and whence it comes where that is known. */
static const char *
name_of(const struct source *source, char text[SOURCE_TEXT_SIZE + GEO_TEXT_SIZE + 8])
{
    char origin[GEO_TEXT_SIZE];
    const size_t length = strlen(source_print(source, text));

    if (geo_is_given())
        snprintf(text + length, GEO_TEXT_SIZE + 8, "  %s", geo_text(source, origin));
    return text;
}

static void
put_networks(FILE *out, const struct period *period)
{
    char text[SOURCE_TEXT_SIZE + GEO_TEXT_SIZE + 8];

    begin_ranks(out, "Networks", "Banned most: an IPv4 /24 or an IPv6 /48.",
                period->network_count == 0);
    for (unsigned i = 0; i < period->network_count; i++)
        put_rank(out, name_of(&period->networks[i].source, text), period->networks[i].bans,
                 period->networks[0].bans, "bans of %u client%s", period->networks[i].clients,
                 plural(period->networks[i].clients));
    end_ranks(out);
}

static void
put_users(FILE *out, const struct period *period)
{
    begin_ranks(out, "Users attacked", "Whose names were tried, as far as lines are kept.",
                period->user_count == 0);
    for (unsigned i = 0; i < period->user_count; i++)
        put_rank(out, period->users[i].name, period->users[i].attempts, period->users[0].attempts,
                 "%s from %u client%s", period->users[i].attempts == 1 ? "try" : "tries",
                 period->users[i].clients, plural(period->users[i].clients));
    end_ranks(out);
}

static void
put_jails(FILE *out, const struct period *period)
{
    begin_ranks(out, "Jails", "Which of them banned.", period->jail_count == 0);
    for (unsigned i = 0; i < period->jail_count && i < PERIOD_MOST; i++)
        put_rank(out, period->jails[i].name, period->jails[i].bans, period->jails[0].bans, "ban%s",
                 plural(period->jails[i].bans));
    end_ranks(out);
}

/* ---- tables ---- */

static void
put_offender(FILE *out, const struct period_offender *offender)
{
    char text[SOURCE_TEXT_SIZE + GEO_TEXT_SIZE + 8], span[FORMAT_SPAN_SIZE];

    fputs("<tr><td><code>", out);
    put_escaped(out, name_of(&offender->source, text));
    fprintf(out,
            "</code></td><td class=\"n\">%s</td><td class=\"n\">%u</td>"
            "<td class=\"n late\">%" PRIu64 "</td><td class=\"once late\">",
            format_span(offender->banned_ms, span), offender->bans, offender->failures);
    put_time_tag(out, offender->last_ms);
    fprintf(out, "</td><td>%s</td></tr>\n", offender->is_running ? "banned" : "over");
}

static void
put_offenders(FILE *out, const struct period *period)
{
    fputs("<section class=\"wide\">\n<h2>Longest offenders</h2>\n<p class=\"soft\">Who was banned "
          "longest, all bans of the period together.</p>\n<div class=\"scroll\"><table>\n"
          "<tr><th>Client</th><th class=\"n\">Banned for</th><th class=\"n\">Bans</th>"
          "<th class=\"n late\">Failures</th><th class=\"late\">Latest ban</th><th>Now</th></tr>\n",
          out);
    for (unsigned i = 0; i < period->offender_count; i++)
        put_offender(out, &period->offenders[i]);
    fputs("</table></div>\n</section>\n", out);
}

static void
put_spared_row(FILE *out, uint64_t number, const char *what, const char *why)
{
    if (number > 0)
        fprintf(out, "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td><td>%s</td></tr>\n", what,
                number, why);
}

static void
put_gateway(FILE *out, const struct table_gateway *gateway)
{
    char text[SOURCE_TEXT_SIZE];

    fprintf(out, "<tr><td>Gateway <code>%s</code></td><td class=\"n\">%" PRIu32 "</td><td>",
            source_print(&gateway->source, text), gateway->spared);
    if (gateway->users > 0)
        fprintf(out, "%u users logged in through it: they would have been banned with it",
                (unsigned)gateway->users);
    else
        fputs("it is in a network of this machine: others come through it", out);
    fputs("</td></tr>\n", out);
}

static void
put_spared_totals(FILE *out, const struct report_facts *facts)
{
    const struct table_status *const status = &facts->summary.facts.status;
    const struct table_health *const health = &facts->summary.facts.health;

    put_spared_row(out, status->duplicates, "Lines merged",
                   "several lines told of one attempt, which counts once");
    put_spared_row(out, status->repeated, "Lines repeated", "they had come before");
    put_spared_row(out, status->withdrawn, "Failures withdrawn",
                   "the mail server's own authentication was at fault");
    put_spared_row(out, health->untrusted, "Lines not trusted",
                   "their writer may not write lines of a mail server");
    put_spared_row(out, health->held_back, "Bans held back",
                   "maxBanRate was reached: more bans a minute than jails may make");
    put_spared_row(out, status->refused, "Bans refused", "there was no room: maxBans");
}

static void
put_spared(FILE *out, const struct report_facts *facts)
{
    const struct period *const period = &facts->period;

    fputs("<section class=\"wide\">\n<h2>Spared, and why</h2>\n<p class=\"soft\">Lines, failures "
          "and bans are counted since ",
          out);
    put_time_tag(out, facts->summary.facts.status.created_ms);
    fputs(", gateways within a day.</p>\n<div class=\"scroll\"><table>\n"
          "<tr><th>What</th><th class=\"n\">Number</th><th>Why</th></tr>\n",
          out);
    for (unsigned i = 0; i < facts->gateway_count; i++)
        put_gateway(out, &facts->gateways[i]);
    put_spared_row(out, facts->held_back, "Clients not banned now",
                   "they have failed often enough, but maxBanRate or want of room held it back");
    put_spared_row(out, period->ends[BAN_WITHDRAWN], "Bans withdrawn in this period",
                   "what led to them was no fault of the client&#39;s");
    put_spared_row(out, period->ends[BAN_LIFTED_BY_HAND], "Bans lifted in this period",
                   "by hand: banmailctl unban");
    put_spared_totals(out, facts);
    if (facts->allowed > 0)
        put_spared_row(out, (uint64_t)facts->allowed, "Addresses and prefixes allow-listed",
                       "by banmailctl allow; ignoreip may name more");
    fputs("</table></div>\n</section>\n", out);
}

void
page_print(FILE *out, const struct report_facts *facts)
{
    put_head(out, facts);
    put_tiles(out, facts);
    put_bans_chart(out, &facts->period);
    put_classes(out, &facts->period);
    put_networks(out, &facts->period);
    put_users(out, &facts->period);
    put_jails(out, &facts->period);
    put_offenders(out, &facts->period);
    put_spared(out, facts);
    fputs("</div>\n</main>\n<footer class=\"soft\">Made by banmailctl report " PACKAGE_VERSION
          ". This page loads nothing and sends nothing.</footer>\n</body>\n</html>\n",
          out);
}
