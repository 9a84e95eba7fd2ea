# dovecot-ripfirst.sed: makes dovecot-ripfirst.rb of dovecot.rb, the same rules for login lines that
# have the address in front of the user's name.
#
# SPDX-License-Identifier: BSD-2-Clause

# What stands above the rules is about the other form.
2,/^$/c\
# dovecot-ripfirst.rb: Dovecot's login lines where login_log_format_elements begins with rip=%r. Made\
# of dovecot.rb when ombanmail is built.\
#\
# SPDX-License-Identifier: BSD-2-Clause\
#\
# In place of dovecot.rb, never beside it; mail-ripfirst.conf loads it. Here the address is read in\
# front, behind the first `: rip=`, and whatever the client wrote comes later: the elements must not\
# have user, method or anything else of the client before rip, and must end in the session, which\
# has to carry the same address. See docs/rulebases.md, and dovecot.rb for the rest.\


# What a login process says of itself has no elements.
/^rule=auth_fault:/b

# A login has its elements behind the first colon, all else behind the first one with rip=; what a
# proxy says in front of them is not told apart.
s/^\(rule=login_ok:Log[a-z ]*: \)%tail:rest%$/\1rip=%ip:char-to:,%,%tail:rest%/
t
s/): Login failed%reason:string-to:: user=<%: %tail:rest%$/): Login failed%tail:rest%/
s/%tail:rest%$/%front:string-to:: rip=%: rip=%ip:char-to:,%,%tail:rest%/
