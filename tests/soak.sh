#!/bin/bash
# soak: everything at once, for SOAK_SECONDS (600). `make soak` calls it. A stock rsyslogd with four
# workers takes lines as fast as it can over TCP, failures of 1,000 clients among them, while at
# random, by SEED (1): it is told to read its lists again, restarted, killed; banmailctl commands
# and asks; the sets are flushed and the table of the kernel's is deleted; the disk is full for a
# while; the wall clock is set. In the last third nothing ends the process.
#
# It fails when rsyslogd ends by itself or does not start, when in the end the table, the kernel and
# the ledger do not agree, when a kill has cost more than what was being written, when a failure was
# counted and is lost, and when memory or descriptors have grown in the last third.
#
# SPDX-License-Identifier: BSD-2-Clause
: "${SOAK_SECONDS:=600}" "${SEED:=1}" "${FEEDERS:=1}"
export SOAK_SECONDS SEED FEEDERS
TEST_LIMIT=$((SOAK_SECONDS + 300))
. "$(dirname "$0")/lib.sh"
CELLS=$HELPERS/table-cells
TABLE=/run/ombanmail/table
needs module "$BANMAILCTL" "$CELLS" jq python3 "${CC:-cc}"
RANDOM=$SEED

# ---- the load ----

# feed: what mail-log.py makes, in turn, each line with the time that it is sent. It connects again
# when rsyslogd has gone away.
feed() {
    python3 - $WORK/bodies $WORK/feeding $WORK/sent <<'END_OF_PROGRAM'
import os, socket, sys, time
bodies, flag, told = sys.argv[1:]
lines = open(bodies, "rb").read().splitlines(keepends=True)
at = sent = 0
while os.path.exists(flag):
    try:
        with socket.create_connection(("127.0.0.1", 10514), 5) as rsyslogd:
            while os.path.exists(flag):
                stamp = time.strftime("<22>%b %e %H:%M:%S ").encode()
                batch = lines[at:at + 500]
                rsyslogd.sendall(b"".join(stamp + line for line in batch))
                sent += len(batch)
                at = (at + 500) % len(lines)
                with open(told, "w", encoding="ascii") as file:
                    file.write(str(sent))
    except OSError:
        time.sleep(0.1)
END_OF_PROGRAM
}

load() {
    touch $WORK/feeding
    feed &
    feeder=$!
}

# A clock that was set may have ended all bans a moment ago: so there are new ones first.
rest() {
    wait_for 30 has_bans || return
    rm -f $WORK/feeding
    wait $feeder
    wait_for 60 has_rested || {
        cat $WORK/rested >&2
        return 1
    }
}

# All that was sent is counted: the count stands still, and table, kernel and ledger agree.
has_rested() {
    local before now

    read -r _ _ _ before < <("$CELLS" $TABLE)
    sleep 0.5
    read -r _ _ _ now < <("$CELLS" $TABLE)
    {
        echo "failures counted: $before, half a second later $now"
        [ "$before" = "$now" ] && banmailctl check
    } >$WORK/rested 2>&1
}

# ---- what happens ----

banmailctl() {
    LD_PRELOAD=$WORK/set-clock.so timeout 20 "$BANMAILCTL" "$@"
}

# Not by lib.sh's rsyslog_start: a shell in between would be killed in its place.
launch() {
    rm -f $WORK/rsyslogd.pid /dev/log
    LD_PRELOAD=$WORK/set-clock.so "$RSYSLOGD" -n -M "$(module_path)" -f $WORK/rsyslog.conf \
        -i $WORK/rsyslogd.pid >>$WORK/stderr 2>&1 &
    rsyslogd_pid=$!
}

start() {
    launch
    wait_for 30 rsyslog_ready
}

# What each of its threads is doing, for one that does not end.
say_where_it_stands() {
    {
        uptime
        head -n 3 /proc/$rsyslogd_pid/task/*/stat
        gdb -p $rsyslogd_pid -batch -ex 'thread apply all backtrace 12' 2>&1
    } | sed 's/^/# /' | cut -c 1-200
}

restart() {
    kill -TERM $rsyslogd_pid
    wait_for 30 not kill -0 $rsyslogd_pid || {
        say_where_it_stands
        bail_out "rsyslogd does not end"
    }
    wait $rsyslogd_pid 2>/dev/null
    start
}

kill_it() {
    local torn counted_now

    kill -KILL $rsyslogd_pid
    wait $rsyslogd_pid 2>/dev/null
    read -r _ _ torn counted_now < <("$CELLS" $TABLE)
    [ "$torn" -le $most_torn ] || most_torn=$torn
    [ "$counted_now" -ge "$counted" ] || went_back=$((went_back + 1))
    counted=$counted_now
}

# One time in four a second time, while it starts.
kill_and_start() {
    kill_it
    if [ $((RANDOM % 4)) -eq 0 ]; then
        launch
        sleep 0.$((RANDOM % 10))
        kill_it
    fi
    start
}

fill_disk() {
    head -c 1G /dev/zero >$WORK/state/ballast 2>/dev/null
    sleep 1.$((RANDOM % 10))
    rm -f $WORK/state/ballast
}

command() {
    local address=203.0.113.$((RANDOM % 250 + 1))

    case $((RANDOM % 10)) in
        0 | 1) banmailctl ban $address --for $((RANDOM % 60 + 1))s ;;
        2 | 3) banmailctl unban $address ;;
        4) banmailctl pause --for 1s; banmailctl resume ;;
        5) banmailctl allow add $address; banmailctl allow del $address ;;
        6) banmailctl list --json ;;
        7) banmailctl why 198.18.0.$((RANDOM % 250)) ;;
        8) banmailctl status ;;
        9) banmailctl top --for 1h ;;
    esac
}

# One of what may happen at any time; $what is its name.
happen() {
    case $((RANDOM % 20)) in
        0 | 1 | 2) what=hup && kill -HUP $rsyslogd_pid ;;
        3 | 4) what=flush && nft flush set inet ombanmail v4 ;;
        5) what=delete && nft delete table inet ombanmail ;;
        6) what=full && fill_disk ;;
        7) what=clock && echo $((RANDOM % 7200 - 3600)) >$CLOCK ;;
        8) what=clock && echo 0 >$CLOCK ;;
        *) what="a command" && command ;;
    esac
}

# What ends the process as well, when $may_end says so.
happen_or_end() {
    local chance=$((RANDOM % 24))

    if [ $may_end = yes ] && [ $chance -lt 2 ]; then
        what="kill -9" && kill_and_start
    elif [ $may_end = yes ] && [ $chance -eq 2 ]; then
        what=restart && restart
    else
        happen >>$WORK/happened 2>&1
    fi
}

happen_for() {
    local end=$((EPOCHSECONDS + $1)) what

    while [ $EPOCHSECONDS -lt $end ]; do
        happen_or_end
        happened[$what]=$((${happened[$what]:-0} + 1))
        kill -0 $rsyslogd_pid || { ended=$((ended + 1)); start || return; }
        sleep 0.$((RANDOM % 5))
    done
}

# ---- what is looked at ----

descriptors() {
    find /proc/$rsyslogd_pid/fd -mindepth 1 | wc -l
}

# Of its own memory, without the table, in kilobytes.
memory() {
    awk '/^RssAnon/ { print $2 }' /proc/$rsyslogd_pid/status
}

# The clients whom the list, the kernel and the ledger have, one a line.
listed() {
    banmailctl list --json | jq -r '.bans[].source' | sort -u
}

enforced() {
    nft -j list table inet ombanmail | jq -r '..|.elem?|arrays|.[].elem.val |
        if type == "object" then "\(.prefix.addr)/\(.prefix.len)" else . end' |
        grep -vE '^(255\.|ffff:)' | sort -u
}

recorded() {
    sqlite3 $WORK/state/ledger.db "SELECT DISTINCT source FROM ban WHERE ended_ms IS NULL" | sort -u
}

has_bans() {
    listed >$WORK/listed
    [ "$(wc -l <$WORK/listed)" -gt 100 ]
}

all_agree() {
    has_bans || return
    enforced | sed 's,/64$,,' | diff <(sed 's,/64$,,' $WORK/listed | sort -u) - || return
    ! command -v sqlite3 >/dev/null || recorded | diff $WORK/listed -
}

# ---- all of it ----

mount -t tmpfs -o size=160m,mode=755 tmpfs $WORK/spool
mkdir $WORK/state
mount -t tmpfs -o size=96m,mode=755 tmpfs $WORK/state
"${CC:-cc}" -shared -fPIC -o $WORK/set-clock.so "$TESTS/helpers/set-clock.c" || bail_out "cc"
export CLOCK=$WORK/clock
echo 0 >$CLOCK
"$top_srcdir/bench/mail-log.py" 50000 --clients 1000 --seed "$SEED" | cut -c 17- >$WORK/bodies
echo 'main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="100" queue.size="20000")' \
    >$WORK/before.conf
printf 'module(load="imptcp")\ninput(type="imptcp" port="10514")\n' >$WORK/inputs.conf
rsyslog_configure 'bantime="60s" maxBanRate="0" maxLedgerSize="32"'
declare -A happened
most_torn=0 went_back=0 counted=0 ended=0
start || bail_out "rsyslogd does not start"
load
may_end=yes
happen_for $((SOAK_SECONDS * 2 / 3))
restart
may_end=no
happen_for $((SOAK_SECONDS / 12))
echo 0 >$CLOCK
check "rsyslogd comes to rest, and table, kernel and ledger agree" rest
memory_before=$(memory) descriptors_before=$(descriptors)
load
happen_for $((SOAK_SECONDS / 4))
echo 0 >$CLOCK
check "it comes to rest a second time, and all agree" rest
check "the list, the kernel's sets and the ledger have the same clients" wait_for 20 all_agree
memory_after=$(memory) descriptors_after=$(descriptors)
check "rsyslogd has not ended by itself" [ $ended -eq 0 ]
check "a kill tears at most what four workers, the enforcer and the recorder were writing" \
    [ $most_torn -le 6 ]
check "no failure that was counted is lost" [ $went_back -eq 0 ]
check "the table was never moved aside" [ ! -e $TABLE.damaged ]
check "the ledger was never moved aside" [ ! -e $WORK/state/ledger.db.damaged ]
check "memory has not grown by more than a tenth and 4 MB" \
    [ "$memory_after" -le $((memory_before * 11 / 10 + 4096)) ]
check "there are no more descriptors than before" [ "$descriptors_after" -le "$descriptors_before" ]
read -r records bans _ counted < <("$CELLS" $TABLE)
echo "# $SOAK_SECONDS s, seed $SEED: $(cat $WORK/sent) lines in the last load, $counted failures" \
    "counted, $records records, $bans bans, torn cells at a kill $most_torn"
for what in "${!happened[@]}"; do echo "# $what: ${happened[$what]}"; done
echo "# kB of memory $memory_before, then $memory_after; descriptors $descriptors_before," \
    "then $descriptors_after"
finish
