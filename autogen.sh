#!/bin/sh
# autogen.sh: makes configure and the Makefile.in files, after a clone or when they are stale.
#
# SPDX-License-Identifier: BSD-2-Clause
set -e
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all
