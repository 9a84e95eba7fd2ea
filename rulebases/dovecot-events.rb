version=2
# dovecot-events.rb: what Dovecot's event exporter writes of each authentication, where it was asked
# to (dovecot-events-2.3.conf, dovecot-events-2.4.conf); liblognorm 2.0.6. Not in the shipped
# ruleset: see dovecot-events.conf.
#
# SPDX-License-Identifier: BSD-2-Clause
#
# Why nobody can put another's address in here: the event is an object of JSON, in which Dovecot
# escapes what a client wrote. No rule reads it: `event` carries it without its brace, offence.c
# parses it and takes the class from what it says. The class given here is that of an event that
# can't be read, because it was cut, or is of a service that writes lines of its own.

annotate=auth_detail:+class="auth_detail"

rule=auth_detail: stats: {%event:rest%
rule=auth_detail: stats: Info: {%event:rest%
