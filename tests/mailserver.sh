# shellcheck shell=bash
# mailserver.sh: a real Postfix and a real Dovecot in a test's world, and hosts around it. Sourced
# behind lib.sh.
#
# host NAME …            a namespace behind an Ethernet pair
# from HOST COMMAND…     runs it there
# as NUMBER COMMAND…     runs it where the host $client has the address $NET.NUMBER
# smtp, imap             what a client says there
# configure_postfix      what `postfix start` then starts: 25 and 587
# configure_dovecot      what `dovecot` then starts: 143 and 993, and Postfix's SASL
#
# SPDX-License-Identifier: BSD-2-Clause

# ---- hosts ----

# host NAME SERVER4 SERVER6 CLIENT4 CLIENT6: a namespace behind an Ethernet pair; prints the process
# that holds it.
host() {
    local name=$1 server4=$2 server6=$3 client4=$4 client6=$5 holder

    unshare --net sleep infinity >/dev/null 2>&1 &
    holder=$!
    wait_for 5 other_namespace $holder
    ip link add "to-$name" type veth peer name eth0 netns $holder
    ip address add "$server4" dev "to-$name"
    ip address add "$server6" dev "to-$name" nodad
    ip link set "to-$name" up
    nsenter --target $holder --net bash -c "
        ip link set lo up
        ip address add $client4 dev eth0
        ip address add $client6 dev eth0 nodad
        ip link set eth0 up" >&2
    echo $holder
}

other_namespace() {
    [ "$(readlink /proc/$$/ns/net)" != "$(readlink "/proc/$1/ns/net")" ]
}

# from HOST COMMAND…
from() {
    local holder=$1

    shift
    nsenter --target "$holder" --net "$@"
}

# ---- clients, each with an address of its own at the host $client ----

SERVER4=198.51.100.1
NET=198.51.100
client= # the test's own host: client=$(host …)

# as NUMBER COMMAND…: the client speaks from that address.
as() {
    from "$client" ip route replace $NET.0/25 dev eth0 src $NET.$1
    shift
    "$@"
}

# smtp PORT COMMAND…: prints the last line of each answer.
smtp() {
    # shellcheck disable=SC2016
    from "$client" timeout 10 bash -c '
        answer() { while read -r -u 3 line && [ "${line:3:1}" = - ]; do :; done; echo "$line"; }
        exec 3<>"/dev/tcp/$1/$2"
        answer
        for command in "EHLO client.example.net" "${@:3}" QUIT; do
            printf "%s\r\n" "$command" >&3
            answer
        done' - $SERVER4 "$@"
}

# imap USER PASSWORD: logs in, and out again; prints the answer.
imap() {
    # shellcheck disable=SC2016
    from "$client" timeout 10 bash -c '
        exec 3<>"/dev/tcp/$1/143"
        read -r -u 3 line
        printf "a login %s %s\r\n" "$2" "$3" >&3
        while read -r -u 3 line && [[ $line != "a "* ]]; do :; done
        echo "$line"
        printf "b logout\r\n" >&3
        cat <&3' - $SERVER4 "$1" "$2"
}

# repeat COUNT COMMAND…
repeat() {
    local i count=$1

    shift
    for ((i = 0; i < count; i++)); do
        "$@" || return
    done
}

# ---- the servers ----

configure_postfix() {
    : >/etc/resolv.conf
    cat >/etc/postfix/main.cf <<END
compatibility_level = 3.6
myhostname = mx.example.org
mydestination = example.org
alias_maps =
local_recipient_maps = static:yes
inet_interfaces = all
inet_protocols = all
mynetworks = 127.0.0.0/8
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = yes
smtpd_recipient_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_forbid_unauth_pipelining = no
END
    cat >/etc/postfix/master.cf <<END
smtp       inet n - n - - smtpd
submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
verify     unix - - n - 1 verify
proxymap   unix - - n - - proxymap
anvil      unix - - n - 1 anvil
tlsmgr     unix - - n 1000? 1 tlsmgr
error      unix - - n - - error
retry      unix - - n - - error
local      unix - n n - - local
END
    newaliases 2>/dev/null || true
}

configure_dovecot() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.example.org \
        -keyout $WORK/key.pem -out $WORK/certificate.pem 2>/dev/null
    echo 'alice@example.org:{PLAIN}correct' >$WORK/users
    rm -rf /etc/dovecot/conf.d
    if dovecot --version | grep -q '^2\.3'; then
        dovecot_23 >/etc/dovecot/dovecot.conf
    else
        dovecot_24 >/etc/dovecot/dovecot.conf
    fi
    cat >>/etc/dovecot/dovecot.conf <<END
protocols = imap
listen = *, ::
log_path = syslog
auth_failure_delay = 0
# no growing penalty for an address: it would only make this test slow
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
service imap-login {
  inet_listener imap {
    port = 143
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
}
END
}

dovecot_23() {
    cat <<END
ssl_cert = <$WORK/certificate.pem
ssl_key = <$WORK/key.pem
disable_plaintext_auth = no
mail_location = maildir:$WORK/mail/%u
passdb {
  driver = passwd-file
  args = $WORK/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$WORK/mail
}
END
}

dovecot_24() {
    local version

    version=$(dovecot --version | sed 's/[^0-9.].*//')
    cat <<END
dovecot_config_version = $version
dovecot_storage_version = $version
ssl_server_cert_file = $WORK/certificate.pem
ssl_server_key_file = $WORK/key.pem
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = $WORK/mail/%{user}
passdb passwd-file {
  passwd_file_path = $WORK/users
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = $WORK/mail
  }
}
END
}
