# command-page.awk: a manual page out of what a command's --help prints.
#
#   banmailctl why --help | awk -v command=why -v summary='why …' -f command-page.awk
#
# Lines that are indented stay as they are; others are text that is filled.
#
# SPDX-License-Identifier: BSD-2-Clause
function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    return text ~ /^\./ ? "\\&" text : text
}

# at: 1 while lines stand as they are.
function be(literal) {
    if (literal && !at) print ".PP\n.nf"
    if (!literal && at) print ".fi"
    at = literal
}

function head(title) {
    be(0)
    print ".SH " title
    is_new = 0
}

BEGIN {
    name = "banmailctl\\-" escape(command)
    print ".\\\" SPDX-License-Identifier: BSD-2-Clause"
    print ".TH \"BANMAILCTL\\-" toupper(escape(command)) "\" 8 \"\" ombanmail \"System Administration\""
    print ".SH NAME\n" name " \\- " escape(summary)
    print ".SH SYNOPSIS\n.nf"
    part = "synopsis"
}

part == "synopsis" && NF == 0 { print ".fi"; head("DESCRIPTION"); part = "text"; next }
part == "synopsis" { sub(/^(Usage: |       )/, ""); print escape($0); next }
NF == 0 { be(0); is_new = 1; next }
/^Exit status: / { head("EXIT STATUS"); sub(/^Exit status: /, "") }
/^Examples:$/ { head("EXAMPLES"); next }
/^ / { be(1); print escape($0); next }
{
    if (at || is_new) { be(0); print ".PP" }
    is_new = 0
    print escape($0)
}

END {
    head("SEE ALSO")
    print ".BR banmailctl (8),\n.BR ombanmail (8)"
}
