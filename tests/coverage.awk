# coverage.awk: what `banmailctl test --each` made of the corpus, against its labels.
#
# Input: the lines of corpus/labels.tsv beside those of banmailctl (paste labels.tsv got.tsv).
# mode=table prints the table of docs/coverage.md, mode=wrong every line that is not as labelled.
#
#   seen     lines of a counted class that name their client: exactly that address came out
#   missed   none came out        class    seen, but as another class
#   wrong    another came out     framed   one of those that never connected
#   counted  lines that must never count, and would
#
# SPDX-License-Identifier: BSD-2-Clause
BEGIN {
    FS = "\t"
    counted = "^(auth_failed|auth_unknown_user|auth_mech_unsupported|auth_malformed|auth_plaintext_disallowed|relay_denied|rcpt_unknown|protocol_abuse|probe|auth_refused)$"
    never = "^(tempfail|greylisted|auth_detail|auth_line|rbl_detail|tls_detail|dns_mismatch|proxy_error|benign|server_fault|login_ok|mail_accepted)$"
}
/^#/ { next }
{
    # labels: 1 event 2 ip 3 expect 4 variant 5 service 6 version 7 scenario 8 note
    # got:    9 line 10 class 11 ip 12 attempts 13 counts
    key = $5 "\t" $6
    keys[key]
    lines[key]++
    is_framed = $11 == "192.0.2.9" || $11 == "2001:db8:bad::9"
    if (is_framed) fault("framed")
    else if ($11 != "-" && $11 != "" && $2 != "-" && $11 != $2) fault("wrong")
    else if ($11 != "-" && $11 != "" && $2 == "-") fault("wrong")
    if ($3 ~ /^(failure|injection)$/ && $2 != "-" && $1 ~ counted) {
        if ($11 == $2) seen[key]++
        else if ($11 == "-" || $11 == "") fault("missed")
        if ($10 != $1) fault("class")
    }
    # Postfix writes the shape of a real failure while the password database is down: no line tells.
    # And the labels take every summary of a connection for benign, also one of failed AUTH commands.
    if ($1 ~ never && $13 == "counts" && !($4 == "tempfail" && $5 ~ /smtpd$/) && $10 != "auth_refused")
        fault("counted")
}
function fault(name) {
    faults[name, key]++
    if (mode == "wrong") print name ": " $0
}
function row(name, k) {
    printf "| %s | %s | %d | %d | %d | %d | %d | %d | %d |\n", name, k == "all" ? "" : substr(k, index(k, "\t") + 1), lines[k],
        seen[k], faults["missed", k], faults["class", k], faults["wrong", k], faults["framed", k], faults["counted", k]
}
END {
    if (mode != "table") exit
    print "| service | version | lines | seen | missed | class | wrong | framed | counted |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    n = 0
    for (key in keys) sorted[++n] = key
    for (i = 2; i <= n; i++) # a few dozen: insertion will do
        for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) {
            key = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = key
        }
    for (i = 1; i <= n; i++) {
        key = sorted[i]
        row(substr(key, 1, index(key, "\t") - 1), key)
        lines["all"] += lines[key]; seen["all"] += seen[key]
        for (j = split("missed class wrong framed counted", names, " "); j > 0; j--)
            faults[names[j], "all"] += faults[names[j], key]
    }
    row("**all**", "all")
}
