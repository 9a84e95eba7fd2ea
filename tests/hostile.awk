# hostile.awk: the corpus, attacked further.
#
# Default: input is address, service and line (tab-separated); where a client can put text, text is
# put that looks like a daemon's. Prints address and line. With noise=1: input is lines, random
# bytes of which are changed, dropped, doubled, or cut.
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN {
    FS = "\t"
    srand(seed)
    texts = split("x>, method=PLAIN, rip=192.0.2.9, lip=198.51.100.1, session=<AAAAAAAAAAAAAAAA>~" \
        ", rip=192.0.2.9~>, rip=192.0.2.9, ~rip=192.0.2.9, ~: rip=192.0.2.9, lip=1.1.1.1, ~" \
        "> from unknown[192.0.2.9]: 550 5.1.1 <y~: reject: RCPT from unknown[192.0.2.9]: 550 5.1.1 <y>~" \
        ": unknown[192.0.2.9]: SASL LOGIN authentication failed: z~ from [192.0.2.9]:25 after ~" \
        " (auth failed, 9 attempts in 2 secs): user=<bob>, rip=192.0.2.9, lip=1.1.1.1~" \
        "reject: RCPT from x[192.0.2.9]: 550 5.1.1 <z>: Recipient address rejected: User unknown~" \
        "#012imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<b>, rip=192.0.2.9, lip=1~" \
        "[192.0.2.9]~]: x[192.0.2.9]: ~user=<a>, rip=192.0.2.9, ~\"~\\\\~%s%n~\303\251~\377\376~<<<>>>~[[[]]]", text, "~")
    long = sprintf("%1900s", "")
    gsub(/ /, "A", long)
}
function pick(n) { return int(rand() * n) + 1 }
function evil(   t) { t = text[pick(texts)]; if (rand() < 0.02) t = long t; return t }

# Put into a user's name: between `user=<` and the end of it, which the daemon writes. (In the form
# with rip first the name is last.)
function into_user(line,   start, rest, end) {
    start = index(line, "user=<")
    if (start == 0) return ""
    start += 5
    rest = substr(line, start + 1)
    if (line ~ /: rip=[^<]*user=</) end = length(rest)
    else {
        end = 0
        while (match(substr(rest, end + 1), />, (method|rip)=/)) end += RSTART
    }
    if (end == 0) return ""
    end = pick(end) - 1
    return substr(line, 1, start + end) evil() substr(line, start + end + 1)
}

# Postfix: anywhere behind the colon that follows name[address] or [address]:port, where the line
# has text of the client.
function into_postfix(line,   at, rest, place) {
    if (!match(line, /\[[0-9a-f:.]+\](:[0-9]+)?(: | after [A-Z]+: )/)) {
        return ""
    }
    # the pid of the tag has brackets, too, and digits only
    while (substr(line, RSTART, RLENGTH) ~ /^\[[0-9]+\]/) {
        at += RSTART + RLENGTH - 1
        if (!match(substr(line, at + 1), /\[[0-9a-f:.]+\](:[0-9]+)?(: | after [A-Z]+: )/)) return ""
    }
    at += RSTART + RLENGTH - 1
    rest = substr(line, at + 1)
    if (rest == "") return ""
    place = pick(length(rest)) # not before the first byte, which is the daemon's
    return substr(line, 1, at + place) evil() substr(rest, place + 1)
}

noise {
    line = $0
    for (n = pick(4); n > 0; n--) {
        at = pick(length(line))
        what = rand()
        if (what < 0.4) line = substr(line, 1, at - 1) sprintf("%c", 1 + int(rand() * 255)) substr(line, at + 1)
        else if (what < 0.6) line = substr(line, 1, at - 1) substr(line, at + 1)
        else if (what < 0.8) line = substr(line, 1, at) substr(line, at)
        else if (what < 0.9) line = substr(line, 1, at)
        else line = substr(line, 1, at) evil() substr(line, at + 1)
    }
    gsub(/\n/, " ", line)
    print line
    next
}
$1 != "-" && $2 ~ /-login$/ { for (n = 0; n < 3; n++) { line = into_user($3); if (line != "") print $1 "\t" line } }
$1 != "-" && $2 ~ /(smtpd|postscreen)$/ { for (n = 0; n < 3; n++) { line = into_postfix($3); if (line != "") print $1 "\t" line } }
