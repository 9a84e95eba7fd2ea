version=2
# Ten rules that know some of the lines of mail-log.py: what a small rulebase costs.
#
# SPDX-License-Identifier: BSD-2-Clause
rule=: connect from %host:char-to:[%[%client:char-to:]%]
rule=: disconnect from %host:char-to:[%[%client:char-to:]%] %rest:rest%
rule=: %queue:word% client=%host:char-to:[%[%client:char-to:]%]
rule=: %queue:word% message-id=<%id:char-to:>%>
rule=: %queue:word% from=<%from:char-to:>%>, size=%size:number%, nrcpt=%count:number% (queue active)
rule=: %queue:word% to=<%to:char-to:>%>, relay=%rest:rest%
rule=: %queue:word% removed
rule=: warning: unknown[%client:char-to:]%]: SASL %method:word% authentication failed: %rest:rest%
rule=: NOQUEUE: reject: RCPT from unknown[%client:char-to:]%]: %code:number% %rest:rest%
rule=: imap-login: %rest:rest%
