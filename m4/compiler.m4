# BANMAIL_COMPILER_FLAG(FLAG): adds FLAG to BANMAIL_CFLAGS if the compiler takes it silently.
#
# SPDX-License-Identifier: BSD-2-Clause
AC_DEFUN([BANMAIL_COMPILER_FLAG], [
  AC_MSG_CHECKING([whether $CC takes $1])
  banmail_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]])],
    [AC_MSG_RESULT([yes])
     BANMAIL_CFLAGS="$BANMAIL_CFLAGS $1"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$banmail_saved_CFLAGS
])
