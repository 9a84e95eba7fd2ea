# shellcheck shell=bash
# events.sh: events and who takes them, for the tests of events. Sourced behind lib.sh.
#
# SPDX-License-Identifier: BSD-2-Clause

EVENTS=$WORK/events.json

# The target is a program that takes an event a line and answers: `held` keeps it from taking any.
cat >$WORK/target <<END
#!/bin/bash
echo OK
while IFS= read -r line; do
    while [ -e $WORK/held ]; do sleep 0.02; done
    printf '%s\n' "\$line" >>$EVENTS
    echo OK
done
END
chmod 755 $WORK/target

# tell_into QUEUE-PARAMETERS [ACTION]: the ruleset that takes the events.
tell_into() {
    local action=${2:-"action(type=\"omfile\" file=\"$EVENTS\" template=\"event\")"}

    cat >$WORK/before.conf <<END
module(load="imbanmail")
module(load="omprog")
template(name="event" type="string"
         string="{\"text\":\"%msg:::json%\",\"tag\":\"%syslogtag%\",\"input\":\"%inputname%\",\"severity\":\"%syslogseverity%\",\"lines\":\"%\$!ombanmail_lines:::json%\",\"event\":%\$!ombanmail%}\n")
ruleset(name="events" queue.type="LinkedList" ${1:-}) {
    $action
}
END
}

# event FILTER: jq finds such an event.
event() {
    jq -e -s "any(.[]; .event as \$e | $1)" $EVENTS
}

# events FILTER: how many there are.
events() {
    jq -s "[.[] | .event as \$e | select($1)] | length" $EVENTS
}

# kept COUNT: so many events wait in the ledger.
kept() {
    [ "$(sqlite3 $WORK/state/ledger.db 'SELECT count(*) FROM notice')" -ge "$1" ]
}
