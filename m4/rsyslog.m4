# BANMAIL_RSYSLOG: what a module needs to know of the rsyslogd that will load it.
#
# No distribution has a package of rsyslog's headers, and nothing in a module's interface notices
# when the layout of a struct differs: the module loads, and corrupts messages. So the headers have
# to be of the very version of the installed rsyslogd, and the switches that change a layout are
# read from what that rsyslogd says about itself.
#
#   --with-rsyslog-source=DIR   rsyslog's unpacked source (required)
#   --with-rsyslogd=PATH        the daemon that will load the module (default: the installed one)
#   --with-moddir=DIR           where its modules are (default: what the daemon has compiled in)
#
# Sets RSYSLOGD, RSYSLOG_SOURCE, RSYSLOG_BUILD_VERSION, RSYSLOG_CPPFLAGS, moddir, and the lines
# RSYSLOG_DEFINE_* of plugins/ombanmail/config.h.in.
#
# SPDX-License-Identifier: BSD-2-Clause
AC_DEFUN([BANMAIL_RSYSLOG], [
  AC_ARG_WITH([rsyslogd],
    [AS_HELP_STRING([--with-rsyslogd=PATH], [the rsyslogd that will load the module])],
    [RSYSLOGD=$withval],
    [AC_PATH_PROG([RSYSLOGD], [rsyslogd], [], [$PATH:/usr/sbin:/sbin:/usr/local/sbin])])
  AC_ARG_WITH([rsyslog-source],
    [AS_HELP_STRING([--with-rsyslog-source=DIR],
      [the unpacked source of the installed rsyslog (required);
       packaging/fetch-rsyslog-source DIR fetches it])],
    [RSYSLOG_SOURCE=$withval],
    [RSYSLOG_SOURCE=])
  AC_ARG_WITH([moddir],
    [AS_HELP_STRING([--with-moddir=DIR], [rsyslog's module directory])],
    [moddir=$withval],
    [moddir=])
  _BANMAIL_RSYSLOGD
  _BANMAIL_RSYSLOG_SOURCE
  _BANMAIL_RSYSLOG_LAYOUT
  _BANMAIL_RSYSLOG_MODDIR
])

# What rsyslogd says: its first line, then lines "<tab>NAME:<tab>VALUE".
AC_DEFUN([_BANMAIL_RSYSLOGD], [
  AC_MSG_CHECKING([the version of rsyslogd])
  banmail_rsyslogd_says=`"$RSYSLOGD" -v 2>/dev/null`
  AS_VAR_SET([RSYSLOG_BUILD_VERSION],
    [`AS_ECHO(["$banmail_rsyslogd_says"]) | sed -n ['s/^rsyslogd  *\([0-9][0-9.]*[0-9]\).*/\1/p']`])
  AS_IF([test -z "$RSYSLOG_BUILD_VERSION"],
    [AC_MSG_RESULT([unknown])
     AC_MSG_ERROR([no rsyslogd found ('${RSYSLOGD:-rsyslogd} -v' gives no version): install rsyslog, or name it by --with-rsyslogd=PATH])])
  AC_MSG_RESULT([$RSYSLOG_BUILD_VERSION])
  AC_SUBST([RSYSLOGD])
  AC_SUBST([RSYSLOG_BUILD_VERSION])
])

AC_DEFUN([_BANMAIL_RSYSLOG_SOURCE], [
  AC_MSG_CHECKING([for rsyslog's headers])
  AS_IF([test -z "$RSYSLOG_SOURCE" || test "$RSYSLOG_SOURCE" = yes],
    [AC_MSG_RESULT([not given])
     AC_MSG_ERROR([--with-rsyslog-source=DIR is needed, as no package has rsyslog's headers. To fetch the source of rsyslog $RSYSLOG_BUILD_VERSION:
    packaging/fetch-rsyslog-source DIR])])
  AS_IF([test ! -f "$RSYSLOG_SOURCE/runtime/rsyslog.h"],
    [AC_MSG_RESULT([missing])
     AC_MSG_ERROR([$RSYSLOG_SOURCE/runtime/rsyslog.h does not exist. To fetch the source of rsyslog $RSYSLOG_BUILD_VERSION:
    packaging/fetch-rsyslog-source $RSYSLOG_SOURCE])])
  RSYSLOG_SOURCE=`cd "$RSYSLOG_SOURCE" && pwd`
  banmail_source_version=`sed -n ['s/^[A-Z_]*INIT(\[rsyslog\], *\[\([0-9.]*\)\].*/\1/p'] "$RSYSLOG_SOURCE/configure.ac" 2>/dev/null`
  AS_IF([test -z "$banmail_source_version"],
    [banmail_source_version=`sed -n ["s/^PACKAGE_VERSION='\([0-9][0-9.]*[0-9]\).*'/\1/p"] "$RSYSLOG_SOURCE/configure" 2>/dev/null`])
  AC_MSG_RESULT([$RSYSLOG_SOURCE (${banmail_source_version:-version unknown})])
  AS_IF([test "$banmail_source_version" != "$RSYSLOG_BUILD_VERSION"],
    [AC_MSG_ERROR([$RSYSLOGD is version $RSYSLOG_BUILD_VERSION, but the headers in $RSYSLOG_SOURCE are of version ${banmail_source_version:-unknown}. A module built with them would load and corrupt messages. To fetch the right ones:
    packaging/fetch-rsyslog-source OTHER-DIR
and then ./configure --with-rsyslog-source=OTHER-DIR])])
  # As system headers: their warnings are not ours.
  RSYSLOG_CPPFLAGS="-isystem $RSYSLOG_SOURCE -isystem $RSYSLOG_SOURCE/runtime -isystem $RSYSLOG_SOURCE/grammar"
  AS_IF([test -d "$RSYSLOG_SOURCE/compat"],
    [RSYSLOG_CPPFLAGS="$RSYSLOG_CPPFLAGS -isystem $RSYSLOG_SOURCE/compat"])
  AC_SUBST([RSYSLOG_SOURCE])
  AC_SUBST([RSYSLOG_CPPFLAGS])
])

# _BANMAIL_RSYSLOG_FLAG(LABEL, MACRO, YES-OR-NO): MACRO is defined if rsyslogd says that of LABEL.
AC_DEFUN([_BANMAIL_RSYSLOG_FLAG], [
  AC_MSG_CHECKING([rsyslogd's $1])
  banmail_flag=`AS_ECHO(["$banmail_rsyslogd_says"]) | sed -n ['s/^[[:space:]]*$1[^:]*:[[:space:]]*\([YN][eo]s*\).*/\1/p']`
  AC_MSG_RESULT([${banmail_flag:-not said}])
  AS_CASE([$banmail_flag],
    [$3], [RSYSLOG_DEFINE_$2="@%:@define $2 1"],
    [Yes|No], [RSYSLOG_DEFINE_$2="/* $2 is not set in this rsyslogd */"],
    [AC_MSG_ERROR(['$RSYSLOGD -v' does not say "$1": the layout of its structs can't be known, and a guess would corrupt messages])])
  AC_SUBST([RSYSLOG_DEFINE_$2])
])

AC_DEFUN([_BANMAIL_RSYSLOG_LAYOUT], [
  _BANMAIL_RSYSLOG_FLAG([FEATURE_REGEXP], [FEATURE_REGEXP], [Yes])
  _BANMAIL_RSYSLOG_FLAG([FEATURE_DEBUG], [NDEBUG], [No])
  _BANMAIL_RSYSLOG_FLAG([Runtime Instrumentation], [RTINST], [Yes])
  _BANMAIL_RSYSLOG_FLAG([32bit Atomic operations supported], [HAVE_ATOMIC_BUILTINS], [Yes])
  _BANMAIL_RSYSLOG_FLAG([64bit Atomic operations supported], [HAVE_ATOMIC_BUILTINS64], [Yes])
])

# The daemon has the directory compiled in; lmnet.so is in every installation.
AC_DEFUN([_BANMAIL_RSYSLOG_MODDIR], [
  AC_MSG_CHECKING([for rsyslog's module directory])
  AS_IF([test -z "$moddir"],
    [for banmail_dir in `LC_ALL=C grep -ao ['/[-+./_A-Za-z0-9]*/rsyslog/'] "$RSYSLOGD"`
     do
       AS_IF([test -f "${banmail_dir}lmnet.so"],
         [moddir=`AS_ECHO(["$banmail_dir"]) | sed 's,/$,,'`
          break])
     done])
  AS_IF([test -z "$moddir"],
    [AC_MSG_RESULT([not found])
     AC_MSG_ERROR([$RSYSLOGD names no directory with modules in it: give --with-moddir=DIR])])
  AC_MSG_RESULT([$moddir])
  AC_SUBST([moddir])
])
