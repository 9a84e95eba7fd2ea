version=2
# postfix.rb: what Postfix 3.4 to 3.11 write about a client that misbehaves (liblognorm 2.0.6).
#
# SPDX-License-Identifier: BSD-2-Clause
#
# Why nobody can put another's address in here: every rule is anchored at the first byte of the
# message, and reaches the address over words of Postfix's own: a queue id (no space in it), the
# name of an action, the name of an SMTP command out of a closed list, and the client's name
# (letters, digits, `-._`), which Postfix writes before any text of the client. Lines where text of
# the client or of a sender stands in front give a class without an address.
#
# The fields are those of ombanmail-rulebase(5). A rule's tag is its class. `number` before
# `char-to` before `rest`: liblognorm tries them in this order, and literals before all of them.
#
# Not used, and tests/rulebases-guard.test enforces it: string, alpha, word, ipv6, repeat, custom
# types, json, name-value-list.

annotate=auth_failed:+class="auth_failed"
annotate=auth_mech_unsupported:+class="auth_mech_unsupported"
annotate=auth_malformed:+class="auth_malformed"
annotate=auth_aborted:+class="auth_aborted"
annotate=relay_denied:+class="relay_denied"
annotate=rcpt_unknown:+class="rcpt_unknown"
annotate=protocol_abuse:+class="protocol_abuse"
annotate=probe:+class="probe"
annotate=rate_limited:+class="rate_limited"
annotate=rcpt_rejected:+class="rcpt_rejected"
annotate=sender_rejected:+class="sender_rejected"
annotate=helo_rejected:+class="helo_rejected"
annotate=client_rejected:+class="client_rejected"
annotate=rbl_listed:+class="rbl_listed"
annotate=content_reject:+class="content_reject"
annotate=smtp_reject:+class="smtp_reject"
annotate=tls_failed:+class="tls_failed"
annotate=conn_lost:+class="conn_lost"
annotate=conn_timeout:+class="conn_timeout"
annotate=tempfail:+class="tempfail"
annotate=greylisted:+class="greylisted"
annotate=auth_detail:+class="auth_detail"
annotate=rbl_detail:+class="rbl_detail"
annotate=tls_detail:+class="tls_detail"
annotate=dns_mismatch:+class="dns_mismatch"
annotate=proxy_error:+class="proxy_error"
annotate=login_ok:+class="login_ok"
annotate=mail_accepted:+class="mail_accepted"
annotate=server_fault:+class="server_fault"
annotate=auth_fault:+class="server_fault"
annotate=auth_fault:+fault="auth"
annotate=auth_limited:+class="rate_limited"
annotate=auth_limited:+fault="auth"
annotate=pipelining:+class="protocol_abuse"
annotate=pipelining:+fault="pipelining"
annotate=auth_refused:+class="auth_refused"
annotate=tls_unexpected:+class="tls_unexpected"
annotate=client_setup:+class="client_setup"

# SASL (smtpd). A mechanism that the client has put into quotation marks may hold any words, also
# those that tell of a fault: there is none of such a name, so it is decided before they are read.
rule=auth_mech_unsupported: warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % SASL "%method:char-sep:"%%-:rest%
rule=auth_mech_unsupported: warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % SASL %{"name":"method","type":"char-to","extradata":"\" ","priority":1000}%"%-:rest%

# The name behind sasl_username= is the client's; it comes last. The reason may be
# empty, and journald takes the blank in front of it away: so no rule of this file ends in a blank
# and what may follow.
prefix= warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % SASL %method:char-to: % authentication 
rule=auth_aborted:aborted
rule=auth_mech_unsupported:failed: Invalid authentication mechanism%-:rest%
rule=auth_mech_unsupported:failed: no mechanism available%-:rest%
rule=auth_malformed:failed: Invalid base64 data in%-:rest%
rule=auth_malformed:failed: another step is needed in authentication%-:rest%
rule=auth_malformed:failed: bad protocol / cancel%-:rest%
rule=auth_malformed:failed: (reason unavailable), sasl_username=(unavailable)
rule=auth_malformed:failed: authentication failure, sasl_username=(unavailable)
rule=auth_fault:failed: Connection lost to authentication server%-:rest%
rule=auth_fault:failed: Can't connect to authentication server%-:rest%
rule=auth_fault:failed: Authentication backend error%-:rest%
rule=auth_fault:failed: Temporary authentication failure%-:rest%
rule=auth_fault:failed: generic failure%-:rest%
rule=auth_fault:failed: remote authentication server unavailable%-:rest%
rule=auth_fault:failed: no memory available%-:rest%
rule=auth_fault:failed: transient failure%-:rest%
rule=auth_failed:failed:%-:string-to:, sasl_username=%, sasl_username=%user:rest%
rule=auth_failed:failed:%-:rest%
prefix=

# Rejections. Where the status decides, it does so before any text of the client.
prefix= %-:char-to:: %: reject: %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:char-to: % 
rule=rcpt_unknown:%code:number% %{"name":"dsn","type":"literal","text":"5.1.1"}% <%-:rest%
rule=rcpt_unknown:%code:number% %{"name":"dsn","type":"literal","text":"4.1.1"}% <%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % Client host rejected:%-:rest%
rule=rbl_listed:%code:number% %dsn:char-to: % Service unavailable; Client host [%-:rest%
rule=server_fault:%code:number% %dsn:char-to: % Service unavailable; Client host [%-:char-to:]%] blocked using %-:char-to:;%; Error: %-:char-to:;%;%-:rest%
rule=rbl_listed:%code:number% %dsn:char-to: % Service unavailable; Unverified Client host [%-:rest%
rule=rbl_listed:%code:number% %dsn:char-to: % Service unavailable; client [%-:rest%
rule=helo_rejected:%code:number% %dsn:char-to: % Service unavailable; Helo command [%-:rest%
rule=sender_rejected:%code:number% %dsn:char-to: % Service unavailable; Sender address [%-:rest%
rule=rcpt_rejected:%code:number% %dsn:char-to: % Service unavailable; Recipient address [%-:rest%
rule=relay_denied:%code:number% %dsn:char-to: % Relay access denied%-:rest%
rule=protocol_abuse:%code:number% %dsn:char-to: % Protocol error%-:rest%
rule=client_rejected:%code:number% %{"name":"dsn","type":"literal","text":"5.3.2"}% Service currently unavailable%-:rest%
rule=smtp_reject:%code:number% %dsn:char-to: % %-:rest%
rule=smtp_reject:%code:number% %-:rest%
rule=protocol_abuse:bare <LF> received%-:rest%
rule=protocol_abuse:%code:number% %dsn:char-to: % bare <LF> received%-:rest%
rule=protocol_abuse:%code:number% %dsn:char-to: % Error: bare <LF> received%-:rest%
rule=rate_limited:too many connections
rule=tempfail:all server ports busy
rule=relay_denied:%code:number% %dsn:char-to: % <%-:char-to:>%>: Relay access denied%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: Greylist%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: greylist%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: You have been greylisted%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: You are being greylisted%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: Temporarily greylisted%-:rest%
rule=rcpt_unknown:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: User unknown%-:rest%
rule=rcpt_unknown:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: undeliverable address%-:rest%
rule=rcpt_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected:%-:rest%
rule=sender_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Sender address rejected:%-:rest%
rule=helo_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Helo command rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Client host rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Unverified Client host rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: Client certificate rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <%-:char-to:>%>: SASL login name rejected:%-:rest%
rule=probe:%code:number% %dsn:char-to: % <%-:char-to:>%>: Etrn command rejected:%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: Client host rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: Helo command rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: Sender address rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: Recipient address rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: Data command rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <%-:char-to:>%>: End-of-data rejected: Improper use of SMTP command pipelining%-:rest%
rule=relay_denied:%code:number% %dsn:char-to: % <>: Relay access denied%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <>: Recipient address rejected: Greylist%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <>: Recipient address rejected: greylist%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <>: Recipient address rejected: You have been greylisted%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <>: Recipient address rejected: You are being greylisted%-:rest%
rule=greylisted:%code:number% %dsn:char-to: % <>: Recipient address rejected: Temporarily greylisted%-:rest%
rule=rcpt_unknown:%code:number% %dsn:char-to: % <>: Recipient address rejected: User unknown%-:rest%
rule=rcpt_unknown:%code:number% %dsn:char-to: % <>: Recipient address rejected: undeliverable address%-:rest%
rule=rcpt_rejected:%code:number% %dsn:char-to: % <>: Recipient address rejected:%-:rest%
rule=sender_rejected:%code:number% %dsn:char-to: % <>: Sender address rejected:%-:rest%
rule=helo_rejected:%code:number% %dsn:char-to: % <>: Helo command rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <>: Client host rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <>: Unverified Client host rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <>: Client certificate rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <>: SASL login name rejected:%-:rest%
rule=probe:%code:number% %dsn:char-to: % <>: Etrn command rejected:%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: Client host rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: Helo command rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: Sender address rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: Recipient address rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: Data command rejected: Improper use of SMTP command pipelining%-:rest%
rule=pipelining:%code:number% %dsn:char-to: % <>: End-of-data rejected: Improper use of SMTP command pipelining%-:rest%
# A name that holds a `>` itself: the first of these words behind it.
rule=relay_denied:%code:number% %dsn:char-to: % <%-:string-to:>: Relay access denied;%>: Relay access denied;%-:rest%
rule=rcpt_rejected:%code:number% %dsn:char-to: % <%-:string-to:>: Recipient address rejected: %>: Recipient address rejected:%-:rest%
rule=sender_rejected:%code:number% %dsn:char-to: % <%-:string-to:>: Sender address rejected: %>: Sender address rejected:%-:rest%
rule=helo_rejected:%code:number% %dsn:char-to: % <%-:string-to:>: Helo command rejected: %>: Helo command rejected:%-:rest%
rule=client_rejected:%code:number% %dsn:char-to: % <%-:string-to:>: Client host rejected: %>: Client host rejected:%-:rest%
prefix=

rule=probe: %-:char-to:: %: reject: VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:char-to: % %code:number% %dsn:char-to: % %-:rest%
rule=probe: %-:char-to:: %: reject: ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:char-to: % %code:number% %dsn:char-to: % %-:rest%
rule=probe: warning: reject: ETRN %-:char-to: % from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=probe: warning: bad ETRN %-:char-to: % from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=tempfail: reject: connect from %-:char-sep: [%[%ip:char-to:]%]%-:char-to: % all screening ports busy

# Milters speak before the client does; header and body checks do not: no address from those.
prefix= %-:char-to:: %: milter-reject: %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:char-to: % 
rule=content_reject:%code:number% %dsn:char-to: % %-:rest%
rule=content_reject:%code:number% %-:rest%
rule=content_reject:%dsn:char-to: % %-:rest%
prefix=
rule=content_reject: %-:char-to:: %: reject: header%-:rest%
rule=content_reject: %-:char-to:: %: reject: body%-:rest%
rule=content_reject: %-:char-to:: %: reject: mime-header%-:rest%
rule=content_reject: %-:char-to:: %: reject: nested-header%-:rest%
rule=content_reject: %-:char-to:: %: milter-header-reject:%-:rest%
rule=content_reject: %-:char-to:: %: milter-body-reject:%-:rest%
rule=content_reject: proxy-reject:%-:rest%

# Broken protocol (smtpd). From 3.10 on a queue id or NOQUEUE may stand in front.
# `stage` is where a connection broke in a mail, as bad networks and idle mail servers have it, or in a
# login, which has lines of its own.
rule=protocol_abuse: bare <LF> received after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: %-:char-to:: %: bare <LF> received after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: lost connection after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: lost connection after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: lost connection after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: lost connection after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: timeout after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: timeout after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: timeout after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: timeout after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: too many errors after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: too many errors after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: too many errors after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: too many errors after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=pipelining: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: %-:char-to:: %: lost connection after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: %-:char-to:: %: lost connection after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: %-:char-to:: %: lost connection after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_lost: %-:char-to:: %: lost connection after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: %-:char-to:: %: timeout after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: %-:char-to:: %: timeout after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"name":"stage","type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"name":"stage","type":"literal","text":"DATA"},{"name":"stage","type":"literal","text":"DATA content"},{"name":"stage","type":"literal","text":"BDAT"},{"name":"stage","type":"literal","text":"BDAT content"},{"name":"stage","type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: %-:char-to:: %: timeout after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=conn_timeout: %-:char-to:: %: timeout after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: %-:char-to:: %: too many errors after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: %-:char-to:: %: too many errors after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% (%-:number% bytes) from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: %-:char-to:: %: too many errors after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: %-:char-to:: %: too many errors after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=pipelining: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=pipelining: improper command pipelining after VRFY from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=pipelining: improper command pipelining after ETRN from %-:char-sep: [%[%ip:char-to:]%]%-:rest%

# Not what it looks like, and the first bytes tell: a client that speaks TLS where STARTTLS is
# expected, and a mail program that finds out how to set up an account (all that it says, or it is
# none). With smtpd_client_port_logging a port stands in front.
rule=tls_unexpected: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%
rule=tls_unexpected: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%
rule=tls_unexpected: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%
rule=tls_unexpected: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%

# A proxy that introduces its clients to a server that does not expect it, in either version: the
# address is the proxy's.
rule=proxy_error: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"PROXY "}%%-:rest%
rule=proxy_error: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"\\r\\n\\r\\n\\000\\r\\nQUIT\\n"}%%-:rest%
rule=proxy_error: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"PROXY "}%%-:rest%
rule=proxy_error: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\r\\n\\r\\n\\000\\r\\nQUIT\\n"}%%-:rest%
rule=proxy_error: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"PROXY "}%%-:rest%
rule=proxy_error: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"\\r\\n\\r\\n\\000\\r\\nQUIT\\n"}%%-:rest%
rule=proxy_error: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"PROXY "}%%-:rest%
rule=proxy_error: %-:char-to:: %: improper command pipelining after %{"type":"alternative","parser":[{"type":"literal","text":"RCPT"},{"type":"literal","text":"CONNECT"},{"type":"literal","text":"HELO"},{"type":"literal","text":"EHLO"},{"type":"literal","text":"STARTTLS"},{"type":"literal","text":"AUTH"},{"type":"literal","text":"MAIL"},{"type":"literal","text":"DATA"},{"type":"literal","text":"DATA content"},{"type":"literal","text":"BDAT"},{"type":"literal","text":"BDAT content"},{"type":"literal","text":"END-OF-MESSAGE"},{"type":"literal","text":"RSET"},{"type":"literal","text":"NOOP"},{"type":"literal","text":"QUIT"},{"type":"literal","text":"HELP"},{"type":"literal","text":"XCLIENT"},{"type":"literal","text":"XFORWARD"},{"type":"literal","text":"UNKNOWN"}]}% from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\r\\n\\r\\n\\000\\r\\nQUIT\\n"}%%-:rest%
rule=proxy_error: PREGREET %-:number% after %-:char-to: % from [%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"PROXY "}%%-:rest%
rule=proxy_error: PREGREET %-:number% after %-:char-to: % from [%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\r\\n\\r\\n\\000\\r\\nQUIT\\n"}%%-:rest%

# Bytes that are no text, which Postfix writes as \003: TLS, of which a long hello is cut at each line feed in it.
rule=protocol_abuse: warning: non-SMTP command from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=tls_unexpected: warning: non-SMTP command from %-:char-sep: [%[%ip:char-to:]%]: %{"type":"literal","text":"\\"}%%-:rest%
rule=tls_unexpected: warning: non-SMTP command from %-:char-sep: [%[%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\"}%%-:rest%
rule=protocol_abuse: warning: Illegal address syntax from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % request longer than%-:rest%
rule=auth_aborted: warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % request longer than %-:number%: AUTH%-:rest%
rule=tls_unexpected: warning: %-:char-to: [%[%ip:char-to:]%]%-:char-to: % request longer than %-:number%: ?%-:rest%
rule=protocol_abuse: warning: %-:char-to:: %: malformed BDAT command syntax from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: warning: %-:char-to:: %: null BDAT request from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=protocol_abuse: warning: %-:char-to:: %: too much BDAT content -- disabling further input from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=smtp_reject: warning: %-:char-to:: %: BDAT request from %-:char-sep: [%[%ip:char-to:]%]%-:rest%

# Rates and numbers (anvil's limits, told by smtpd).
rule=auth_limited: warning: AUTH command rate limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Connection concurrency limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Connection rate limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: New TLS session rate limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Recipient address rate limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Message delivery request rate limit exceeded: %-:number% from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Refusing STARTTLS request from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=rate_limited: warning: Refusing TLS service request from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=tempfail: warning: Wrapper-mode request dropped from %-:char-sep: [%[%ip:char-to:]%]%-:rest%

# TLS.
rule=tls_failed: SSL_accept error from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=tls_failed: %-:char-to:: %: abort: TLS from %-:char-sep: [%[%ip:char-to:]%]%-:rest%
rule=tls_detail: warning: TLS library problem:%-:rest%

# postscreen: [address]:port, no name.
rule=protocol_abuse: PREGREET %-:number% after %-:char-to: % from [%ip:char-to:]%]:%-:rest%
rule=tls_unexpected: PREGREET %-:number% after %-:char-to: % from [%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: PREGREET %-:number% after %-:char-to: % from [%ip:char-to:]%]:%-:number%: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%
rule=tls_unexpected: NON-SMTP COMMAND from [%ip:char-to:]%]:%-:number% after CONNECT: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=tls_unexpected: COMMAND PIPELINING from [%ip:char-to:]%]:%-:number% after %-:char-to::%: %{"type":"literal","text":"\\026\\003"}%%-:rest%
rule=client_setup: COMMAND PIPELINING from [%ip:char-to:]%]:%-:number% after CONNECT: %{"type":"literal","text":"EHLO we-guess.mozilla.org\\r\\n"}%
rule=protocol_abuse: BARE NEWLINE from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: COMMAND COUNT LIMIT from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: COMMAND LENGTH LIMIT from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: COMMAND PIPELINING from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: NON-SMTP COMMAND from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: DATA without valid RCPT from [%ip:char-to:]%]:%-:rest%
rule=protocol_abuse: BDAT without valid RCPT from [%ip:char-to:]%]:%-:rest%
rule=conn_timeout: COMMAND TIME LIMIT from [%ip:char-to:]%]:%-:rest%
rule=conn_lost: HANGUP after %-:char-to: % from [%ip:char-to:]%]:%-:rest%
rule=rbl_listed: DNSBL rank %-:number% for [%ip:char-to:]%]:%-:rest%
rule=client_rejected: BLACKLISTED [%ip:char-to:]%]:%-:rest%
rule=client_rejected: DENYLISTED [%ip:char-to:]%]:%-:rest%

# The end of a connection: AUTH commands, of which none succeeded. Where AUTH is offered to nobody,
# nothing else tells of them; which are told already the module finds out (connection.h).
rule=auth_refused: disconnect from %-:char-sep: [%[%ip:char-to:]%%-:string-to: auth=0/% auth=0/%attempts:number%%-:rest%

# Mail that was taken, and logins that succeeded.
rule=login_ok: %-:char-to:: %: client=%-:char-to: [%[%ip:char-to:]%]%-:char-sep:,%, sasl_method=%method:char-to:,%, sasl_username=%user:string-to:, sasl_sender=%, sasl_sender=%-:rest%
rule=login_ok: %-:char-to:: %: client=%-:char-to: [%[%ip:char-to:]%]%-:char-sep:,%, sasl_method=%method:char-to:,%, sasl_username=%user:rest%
rule=mail_accepted: %-:char-to:: %: client=%-:char-to: [%[%ip:char-to:]%]%-:rest%

# The server's own troubles, and lines that say again what another line said: no address.
rule=auth_detail: warning: SASL authentication failure:%-:rest%
rule=auth_detail: warning: SASL authentication problem:%-:rest%
rule=auth_fault: fatal: no SASL authentication mechanisms
rule=auth_fault: warning: SASL: Connect to%-:rest%
rule=server_fault: warning: connect to Milter service%-:rest%
rule=server_fault: warning: milter%-:rest%
rule=rbl_detail: addr %-:char-to: % listed by domain%-:rest%
rule=dns_mismatch: warning: hostname %-:char-to: % does not resolve to address%-:rest%
rule=dns_mismatch: warning: numeric hostname:%-:rest%
rule=dns_mismatch: warning: valid_ipv4_hostaddr:%-:rest%
rule=proxy_error: warning: haproxy read:%-:rest%
