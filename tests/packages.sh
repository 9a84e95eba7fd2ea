# shellcheck shell=bash
# packages.sh: programs that the machine may lack, downloaded from its package mirror, once for a
# build, and unpacked into a test's own world: nothing is installed, and no service of the machine's
# is started. Without a mirror they are missing. Sourced before lib.sh, because only the machine's
# own network reaches the mirror:
#
#   . "$(dirname "$0")/packages.sh"
#   packages_download NAME PACKAGE…         into tests/NAME of the build
#   . "$(dirname "$0")/lib.sh"
#   packages_unpack
#
# SPDX-License-Identifier: BSD-2-Clause

# apt finds out what this machine lacks, dependencies too, and does no more than to download it.
packages_download() {
    packages=$(cd "${top_builddir:-$(dirname "$0")/..}" && pwd)/tests/$1
    shift
    if [ -n "${OMBANMAIL_WORLD:-}" ] || [ -e "$packages/complete" ] || [ "$(id -u)" != 0 ] ||
        ! command -v apt-get >/dev/null; then
        return
    fi
    mkdir -p "$packages/partial" &&
        timeout 90 apt-get install --download-only --yes --no-install-recommends \
            -o Dir::Cache::archives="$packages" -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
            "$@" >"$packages/log" 2>&1 &&
        touch "$packages/complete"
}

packages_unpack() {
    local package

    for package in "$packages"/*.deb; do
        [ ! -e "$package" ] || dpkg-deb --fsys-tarfile "$package" | tar -x -C / \
            --strip-components=1 --keep-directory-symlink --no-overwrite-dir
    done
    ldconfig
}
