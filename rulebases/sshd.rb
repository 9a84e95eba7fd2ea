version=2
# sshd.rb: what OpenSSH 8 to 10 write about a client that guesses (liblognorm 2.0.6). The example of
# a service that is not mail's, and useful as it is: see docs/rulebases.md.
#
# SPDX-License-Identifier: BSD-2-Clause
#
# Why nobody can put another's address in here: where the address comes first, the rule reads it;
# where the name, which is the client's, comes first, `port_tail` carries the rest of the line, and
# offence.c takes the word in front of the last ` port `, behind which nothing is the client's.
#
# One guess is one `Failed …`; what sshd says beside it (Invalid user, maximum authentication
# attempts, the disconnect) is of classes that do not count by default.

annotate=auth_failed:+class="auth_failed"
annotate=auth_unknown_user:+class="auth_unknown_user"
annotate=protocol_abuse:+class="protocol_abuse"
annotate=no_auth:+class="no_auth"
annotate=conn_lost:+class="conn_lost"
annotate=conn_timeout:+class="conn_timeout"
annotate=auth_detail:+class="auth_detail"
annotate=login_ok:+class="login_ok"

# A client offers each of its keys, and asks with `none` what it may do: no guesses.
rule=auth_detail: Failed publickey%-:rest%
rule=auth_detail: Failed none%-:rest%
rule=auth_unknown_user: Failed %method:char-to: % for invalid user %port_tail:rest%
rule=auth_failed: Failed %method:char-to: % for %port_tail:rest%
rule=login_ok: Accepted %method:char-to: % for %port_tail:rest%

rule=protocol_abuse: Bad protocol version identification %port_tail:rest%
rule=protocol_abuse: banner exchange: Connection from %ip:char-to: % port%-:rest%
rule=protocol_abuse: Unable to negotiate with %ip:char-to: % port%-:rest%

# Before a guess: key scanners, and whoever gives up.
rule=no_auth: Connection closed by invalid user %port_tail:rest%
rule=no_auth: Connection closed by authenticating user %port_tail:rest%
rule=no_auth: Connection reset by invalid user %port_tail:rest%
rule=no_auth: Connection reset by authenticating user %port_tail:rest%
rule=no_auth: Disconnected from invalid user %port_tail:rest%
rule=no_auth: Disconnected from authenticating user %port_tail:rest%
rule=no_auth: Connection closed by %ip:char-to: % port%-:rest%
rule=conn_lost: Connection reset by %ip:char-to: % port%-:rest%
rule=conn_lost: Did not receive identification string from %ip:char-to: % port%-:rest%
rule=conn_timeout: Timeout before authentication for %ip:char-to: % port%-:rest%

rule=auth_detail: Invalid user%-:rest%
rule=auth_detail: error: maximum authentication attempts exceeded for%-:rest%
rule=auth_detail: Disconnecting%-:rest%
