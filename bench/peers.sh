# shellcheck shell=bash
# peers.sh: what ombanmail is measured beside, fail2ban and sshguard, each as its own manual would
# have it set up for a mail server: their own filters and signatures, nftables, five failures in ten
# minutes, an hour; fail2ban is woken by inotify where python3-pyinotify is there. What the machine
# lacks is downloaded from its mirror, and unpacked into the measurement's own world. Sourced in
# place of lib.sh:
#
#   . "$(dirname "$0")/peers.sh"
#   peer_start fail2ban|sshguard     reads $WORK/peer.log from its end on
#   peer_cpu_ns                      of all its processes, also those that have ended
#   peer_has ADDRESS, peer_bans      what the kernel has of it
#   peer_memory                      kilobytes of its own, RssAnon of all its processes
#   peer_stop
#
#   figure NAME VALUE                for report.py
#
# SPDX-License-Identifier: BSD-2-Clause
MUST_RUN=1
REPORTS=${RESULTS:+$(realpath "$RESULTS")} # what a world can write to
export RESULTS=${RESULTS:-}
# shellcheck source=tests/packages.sh
. "$(dirname "$0")/../tests/packages.sh"
packages_download peers fail2ban sshguard python3-pyinotify
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../tests/lib.sh"
packages_unpack
F=$WORK/peer
peer=none peer_pid=

figure() {
    [ -z "$RESULTS" ] || printf '%s\t%s\n' "$1" "$2" >>$WORK/reports/figures
}

# ---- fail2ban: its own filters and nftables, its own socket and nothing else ----

start_fail2ban() {
    cp -r /etc/fail2ban/action.d /etc/fail2ban/filter.d $F/
    cat >$F/fail2ban.conf <<CONFIGURATION
[Definition]
loglevel = INFO
logtarget = $F/log
syslogsocket = auto
socket = $F/socket
pidfile = $F/pid
dbfile = $F/fail2ban.sqlite3
dbpurgeage = 1d
CONFIGURATION
    cat >$F/jail.conf <<CONFIGURATION
[DEFAULT]
backend = auto
usedns = no
maxretry = 5
findtime = 10m
bantime = 1h
logpath = $WORK/peer.log
logencoding = utf-8
[postfix]
enabled = true
filter = postfix[mode=aggressive]
action = nftables[type=allports, name=postfix]
[dovecot]
enabled = true
filter = dovecot
action = nftables[type=allports, name=dovecot]
CONFIGURATION
    fail2ban-server -c $F -s $F/socket -p $F/pid -b start >$F/output 2>&1 &&
        wait_for 30 fail2ban-client -s $F/socket status dovecot || return
    peer_pid=$(cat $F/pid)
}

fail2ban_client() {
    fail2ban-client -c $F -s $F/socket "$@"
}

# ---- sshguard: an attack scores 10 ----

start_sshguard() {
    cat >/etc/sshguard/sshguard.conf <<CONFIGURATION
BACKEND=/usr/libexec/sshguard/sshg-fw-nft-sets
FILES=$WORK/peer.log
THRESHOLD=50
BLOCK_TIME=3600
DETECTION_TIME=600
WHITELIST_FILE=/etc/sshguard/whitelist
CONFIGURATION
    setsid sshguard >$F/output 2>&1 &
    peer_pid=$!
    wait_for 10 nft list table ip6 sshguard
}

# ---- both ----

peer_start() {
    peer=$1
    rm -rf $F && mkdir -p $F
    nft flush ruleset
    echo "$(date '+%b %e %T') mx1 postfix/master[1]: daemon started" >$WORK/peer.log
    "start_$peer" || bail_out "$peer does not start: $(cat $F/output)"
}

# The processes of its session; commands that have ended are in the times of who waited for them.
peer_processes() {
    ps -o pid= -s "$(ps -o sid= -p "$peer_pid" | tr -d ' ')"
}

peer_cpu_ns() {
    local pid

    for pid in $(peer_processes); do
        cat "/proc/$pid/stat" 2>/dev/null
    done | awk -v hz="$(getconf CLK_TCK)" '
        { sub(/.*\) /, ""); ticks += $12 + $13 + $14 + $15 }
        END { printf "%.0f\n", ticks * 1000000000 / hz }'
}

peer_memory() {
    local pid

    for pid in $(peer_processes); do
        cat "/proc/$pid/status" 2>/dev/null
    done | awk '/^RssAnon/ { sum += $2 } END { print sum }'
}

peer_has() {
    nft list ruleset | grep -q "${1//./\\.}[^0-9]"
}

# How many addresses its sets have.
peer_bans() {
    nft -j list ruleset | jq '[.nftables[].set?.elem? | arrays | length] | add // 0'
}

peer_stop() {
    if [ "$peer" = fail2ban ]; then
        fail2ban_client stop >/dev/null
    else
        kill -- -"$(ps -o pgid= -p "$peer_pid" | tr -d ' ')" 2>/dev/null
    fi
    wait_for 30 not kill -0 "$peer_pid"
    nft flush ruleset
}
