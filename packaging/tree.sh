# shellcheck shell=bash
# tree.sh: the smallest Debian trees there are, to be thrown away; check-systems and check-packages
# source it.
#
#   BASES=DIR        where trees are kept for the next time
#   lay_base SUITE
#   enter_tree SUITE WORK LOGS    in mount and process namespaces of its own
#
# SPDX-License-Identifier: BSD-2-Clause

# Debian's mirror that this machine uses itself, unless it is given.
own_mirror() {
    # shellcheck disable=SC2016 # a format of apt-get
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' |
        sed -n 's,^Debian \(.*/debian\)/*$,\1,p' | head -n 1
}

: "${MIRROR:=$(own_mirror)}"
[ -n "$MIRROR" ] || die "the apt sources name no mirror of Debian: give it as MIRROR=URL"

# Two ways to name sources, so that both are met: one line each (12), deb822 (13 and later).
write_sources() {
    local suite=$1 root=$2 security=${MIRROR%/debian}/debian-security
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg

    rm -f "$root/etc/apt/sources.list"
    if [ "$suite" = bookworm ]; then
        cat >"$root/etc/apt/sources.list" <<END
deb [signed-by=$keyring] $MIRROR $suite main
deb [signed-by=$keyring] $MIRROR $suite-updates main
deb [signed-by=$keyring] $security $suite-security main
END
        return
    fi
    cat >"$root/etc/apt/sources.list.d/debian.sources" <<END
Types: deb
URIs: $MIRROR
Suites: $suite $suite-updates
Components: main
Signed-By: $keyring

Types: deb
URIs: $security
Suites: $suite-security
Components: main
Signed-By: $keyring
END
}

# Laid under another name first: a tree that is there is whole.
lay_base() {
    local suite=$1

    [ ! -d "$BASES/$suite" ] || return 0
    rm -rf "$BASES/$suite.new"
    debootstrap --variant=minbase "$suite" "$BASES/$suite.new" "$MIRROR" || return 1
    write_sources "$suite" "$BASES/$suite.new"
    mv "$BASES/$suite.new" "$BASES/$suite"
}

# The machine's way to the mirror: names, proxies.
carry_settings_over() {
    local root=$1

    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    apt-config dump | grep -iE '^Acquire::(https?|ftp)::.*Proxy|^Acquire::Check-(Valid-Until|Date) ' \
        >"$root/etc/apt/apt.conf.d/99host"
}

# enter_tree SUITE WORK LOGS: an overlay over the tree becomes /; a clone of HEAD is in
# /root/ombanmail, the directory LOGS in /logs. Everything that is mounted here ends with the namespaces.
enter_tree() {
    local suite=$1 work=$2 logs=$3 root=$2/root name

    mount -t tmpfs tmpfs "$work"
    mkdir "$work/upper" "$work/work" "$root"
    mount -t overlay -o "lowerdir=$BASES/$suite,upperdir=$work/upper,workdir=$work/work" \
        overlay "$root" || return 1
    carry_settings_over "$root"
    git -c safe.directory='*' clone -q "$TOP" "$root/root/ombanmail" || return 1
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    # systemd-journald 257 does not start without it; read-only: it is the machine's.
    mount -t cgroup2 -o ro cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 tmpfs "$root/run"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/lock"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    for name in null zero full random urandom tty; do
        touch "$root/dev/$name"
        mount --bind "/dev/$name" "$root/dev/$name"
    done
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s /proc/self/fd/0 "$root/dev/stdin"
    ln -s /proc/self/fd/1 "$root/dev/stdout"
    ln -s /proc/self/fd/2 "$root/dev/stderr"
    rm -rf "$logs"
    mkdir "$logs" "$root/logs" "$root/machine"
    mount --bind "$logs" "$root/logs"
    # Not chroot: here /proc has to tell the paths that it tells on a real system.
    if ! cd "$root" || ! pivot_root . machine || ! umount -l /machine; then
        return 1
    fi
    export HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
}
