version=2
# dovecot.rb: what the login processes of Dovecot 2.2 to 2.4 write (liblognorm 2.0.6).
#
# SPDX-License-Identifier: BSD-2-Clause
#
# Why nobody can put another's address in here: the user name stands before `rip=` and may hold
# anything, `>, rip=192.0.2.9` too. So no rule reads an address: `tail` carries the rest of the
# line, and offence.c takes the address behind the last `, rip=`, behind which nothing is the
# client's. A login process is known by its name at the first byte of the message, out of a closed
# list; the other services write names of users early (`auth(NAME,…`) and give no address.
#
# For login_log_format_elements with rip first there is dovecot-ripfirst.rb: load one of the two,
# never both, for each of them would believe the client's text in the other's lines.
#
# `: Info: ` is what Dovecot puts into its own files (log_path). The fields are those of
# ombanmail-rulebase(5); a rule's tag is its class.

annotate=auth_failed:+class="auth_failed"
annotate=auth_mech_unsupported:+class="auth_mech_unsupported"
annotate=auth_malformed:+class="auth_malformed"
annotate=auth_plaintext_disallowed:+class="auth_plaintext_disallowed"
annotate=protocol_abuse:+class="protocol_abuse"
annotate=rate_limited:+class="rate_limited"
annotate=auth_disabled:+class="auth_disabled"
annotate=auth_aborted:+class="auth_aborted"
annotate=no_auth:+class="no_auth"
annotate=tls_failed:+class="tls_failed"
annotate=login_other:+class="login_other"
annotate=tempfail:+class="tempfail"
annotate=auth_detail:+class="auth_detail"
annotate=proxy_error:+class="proxy_error"
annotate=login_ok:+class="login_ok"
annotate=server_fault:+class="server_fault"
annotate=auth_fault:+class="server_fault"
annotate=auth_fault:+fault="auth"
annotate=id_log:+class="benign"
annotate=id_log:+fault="id_log"

prefix= %{"type":"alternative","parser":[{"name":"service","type":"literal","text":"imap-login"},{"name":"service","type":"literal","text":"pop3-login"},{"name":"service","type":"literal","text":"submission-login"},{"name":"service","type":"literal","text":"managesieve-login"},{"name":"service","type":"literal","text":"imap-urlauth-login"}]}%%{"type":"alternative","parser":[{"type":"literal","text":": Info: "},{"type":"literal","text":": "}]}%
rule=login_ok:Login: %tail:rest%
rule=login_ok:Logged in: %tail:rest%
rule=auth_plaintext_disallowed:Login failed: Plaintext%tail:rest%
rule=auth_plaintext_disallowed:Login failed: Cleartext%tail:rest%
rule=auth_plaintext_disallowed:Login failed: SSL%tail:rest%
rule=auth_plaintext_disallowed:Login failed: Authentication disallowed%tail:rest%
rule=auth_mech_unsupported:APOP failed: APOP not%tail:rest%
rule=auth_malformed:APOP failed: Invalid%tail:rest%

# Refused before it was tried (auth_verbose). The name of the mechanism is the client's.
rule=auth_mech_unsupported:Authenticate %reason:string-to: failed: % failed: Unsupported authentication mechanism%tail:rest%
rule=auth_plaintext_disallowed:Authenticate %reason:string-to: failed: % failed: Plaintext authentication%tail:rest%
rule=auth_plaintext_disallowed:Authenticate %reason:string-to: failed: % failed: Cleartext authentication%tail:rest%
rule=auth_plaintext_disallowed:Authenticate %reason:string-to: failed: % failed: SSL required%tail:rest%
rule=auth_aborted:Authenticate %reason:string-to: failed: % failed: Aborted by client%tail:rest%
rule=auth_malformed:Authenticate %reason:string-to: failed: % failed: Invalid base64%tail:rest%
rule=auth_plaintext_disallowed:Authenticate %reason:string-to: failed: % failed: Authentication disallowed%tail:rest%
rule=auth_disabled:Authenticate %reason:string-to: failed: % failed: Anonymous login denied%tail:rest%
rule=protocol_abuse:Authenticate %reason:string-to: failed: % failed: Authentication response too large%tail:rest%
rule=tempfail:Authenticate %reason:string-to: failed: % failed: Temporary%tail:rest%
rule=login_other:Authenticate %reason:string-to: failed: % failed: %tail:rest%

# Through a proxy. The name in proxy(…) is the client's.
rule=auth_failed:proxy(%{"name":"proxy","type":"string-to","extradata":"): Login failed","priority":1000}%): Login failed%reason:string-to:: user=<%: %tail:rest%
rule=login_ok:proxy(%reason:string-to:): Started proxying to %): Started proxying to %tail:rest%
rule=login_ok:proxy(%reason:string-to:): started proxying to %): started proxying to %tail:rest%

# Reasons that say more than the words in brackets behind them.
rule=protocol_abuse:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many invalid%tail:rest%
rule=auth_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many invalid%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_plaintext_disallowed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many invalid%reason:char-to:(%(tried to use dis%tail:rest%
rule=protocol_abuse:Too many invalid%tail:rest%
rule=auth_failed:Too many invalid%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_plaintext_disallowed:Too many invalid%reason:char-to:(%(tried to use dis%tail:rest%
rule=protocol_abuse:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many bad commands%tail:rest%
rule=auth_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many bad commands%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_plaintext_disallowed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Too many bad commands%reason:char-to:(%(tried to use dis%tail:rest%
rule=protocol_abuse:Too many bad commands%tail:rest%
rule=auth_failed:Too many bad commands%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_plaintext_disallowed:Too many bad commands%reason:char-to:(%(tried to use dis%tail:rest%
rule=protocol_abuse:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Input buffer full%tail:rest%
rule=auth_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Input buffer full%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=protocol_abuse:Input buffer full%tail:rest%
rule=auth_failed:Input buffer full%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=protocol_abuse:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Authentication response too large%tail:rest%
rule=auth_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Authentication response too large%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=protocol_abuse:Authentication response too large%tail:rest%
rule=auth_failed:Authentication response too large%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=rate_limited:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Maximum number of connections from user+IP exceeded%tail:rest%
rule=rate_limited:Maximum number of connections from user+IP exceeded%tail:rest%
rule=server_fault:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Internal login failure%-:rest%
rule=tls_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%Connection closed: SSL_accept()%tail:rest%
rule=tls_failed:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected: "},{"type":"literal","text":"Disconnected: Disconnected: "},{"type":"literal","text":"Login aborted: "}]}%TLS initialization failed%tail:rest%

# The words in brackets: Dovecot 2.2 to 2.4 agree on them, whatever the reason in front of them is.
# It may hold brackets of its own, as in read(size=1026) or SSL_read(). That nothing of it is the
# client's, offence.c looks after.
rule=auth_failed:%opening:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(auth failed, %-:number%/%-:number% successful auths%tail:rest%
rule=auth_failed:%opening:char-to:(%(authorization failed, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(proxy dest auth failed%tail:rest%
rule=auth_failed:%opening:char-to:(%(proxy dest authentication failure, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(proxy dest authentication failure to %proxy:char-to:,%, %attempts:number% attempts%tail:rest%
rule=no_auth:%opening:char-to:(%(no auth attempts%tail:rest%
rule=no_auth:%opening:char-to:(%(disconnected before auth was ready%tail:rest%
rule=tls_failed:%opening:char-to:(%(disconnected during TLS handshake%tail:rest%
rule=tls_failed:%opening:char-to:(%(client sent an invalid cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(client sent an untrusted cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(client didn't send a cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(cert required, client didn't start TLS%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(tried to use disallowed plaintext auth%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(tried to use disabled plaintext auth%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(tried to use disallowed cleartext auth%tail:rest%
rule=auth_mech_unsupported:%opening:char-to:(%(tried to use unsupported auth mechanism%tail:rest%
rule=auth_malformed:%opening:char-to:(%(sent invalid base64 in response%tail:rest%
rule=auth_malformed:%opening:char-to:(%(credentials contain control characters%tail:rest%
rule=auth_aborted:%opening:char-to:(%(client didn't finish SASL auth%tail:rest%
rule=auth_aborted:%opening:char-to:(%(auth aborted by client%tail:rest%
rule=auth_aborted:%opening:char-to:(%(aborted authentication%tail:rest%
rule=auth_aborted:%opening:char-to:(%(disconnected while authenticating%tail:rest%
rule=login_other:%opening:char-to:(%(disconnected while finishing login%tail:rest%
rule=auth_disabled:%opening:char-to:(%(user disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(password expired%tail:rest%
rule=auth_disabled:%opening:char-to:(%(login disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(anonymous logins disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(internal failure%tail:rest%
rule=rate_limited:%opening:char-to:(%(connection limit reached%tail:rest%
rule=tempfail:%opening:char-to:(%(auth service reported temporary failure%tail:rest%
rule=tempfail:%opening:char-to:(%(proxy dest temporary authentication failure%tail:rest%
rule=tempfail:%opening:char-to:(%(auth process communication failure%tail:rest%
rule=proxy_error:%opening:char-to:(%(proxy dest %tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(auth failed, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(auth failed, %-:number%/%-:number% successful auths%tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(authorization failed, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(proxy dest auth failed%tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(proxy dest authentication failure, %attempts:number% attempts%tail:rest%
rule=auth_failed:%opening:char-to:(%(%reason:char-to:(%(proxy dest authentication failure to %proxy:char-to:,%, %attempts:number% attempts%tail:rest%
rule=no_auth:%opening:char-to:(%(%reason:char-to:(%(no auth attempts%tail:rest%
rule=no_auth:%opening:char-to:(%(%reason:char-to:(%(disconnected before auth was ready%tail:rest%
rule=tls_failed:%opening:char-to:(%(%reason:char-to:(%(disconnected during TLS handshake%tail:rest%
rule=tls_failed:%opening:char-to:(%(%reason:char-to:(%(client sent an invalid cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(%reason:char-to:(%(client sent an untrusted cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(%reason:char-to:(%(client didn't send a cert%tail:rest%
rule=tls_failed:%opening:char-to:(%(%reason:char-to:(%(cert required, client didn't start TLS%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(%reason:char-to:(%(tried to use disallowed plaintext auth%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(%reason:char-to:(%(tried to use disabled plaintext auth%tail:rest%
rule=auth_plaintext_disallowed:%opening:char-to:(%(%reason:char-to:(%(tried to use disallowed cleartext auth%tail:rest%
rule=auth_mech_unsupported:%opening:char-to:(%(%reason:char-to:(%(tried to use unsupported auth mechanism%tail:rest%
rule=auth_malformed:%opening:char-to:(%(%reason:char-to:(%(sent invalid base64 in response%tail:rest%
rule=auth_malformed:%opening:char-to:(%(%reason:char-to:(%(credentials contain control characters%tail:rest%
rule=auth_aborted:%opening:char-to:(%(%reason:char-to:(%(client didn't finish SASL auth%tail:rest%
rule=auth_aborted:%opening:char-to:(%(%reason:char-to:(%(auth aborted by client%tail:rest%
rule=auth_aborted:%opening:char-to:(%(%reason:char-to:(%(aborted authentication%tail:rest%
rule=auth_aborted:%opening:char-to:(%(%reason:char-to:(%(disconnected while authenticating%tail:rest%
rule=login_other:%opening:char-to:(%(%reason:char-to:(%(disconnected while finishing login%tail:rest%
rule=auth_disabled:%opening:char-to:(%(%reason:char-to:(%(user disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(%reason:char-to:(%(password expired%tail:rest%
rule=auth_disabled:%opening:char-to:(%(%reason:char-to:(%(login disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(%reason:char-to:(%(anonymous logins disabled%tail:rest%
rule=auth_disabled:%opening:char-to:(%(%reason:char-to:(%(internal failure%tail:rest%
rule=rate_limited:%opening:char-to:(%(%reason:char-to:(%(connection limit reached%tail:rest%
rule=tempfail:%opening:char-to:(%(%reason:char-to:(%(auth service reported temporary failure%tail:rest%
rule=tempfail:%opening:char-to:(%(%reason:char-to:(%(proxy dest temporary authentication failure%tail:rest%
rule=tempfail:%opening:char-to:(%(%reason:char-to:(%(auth process communication failure%tail:rest%
rule=proxy_error:%opening:char-to:(%(%reason:char-to:(%(proxy dest %tail:rest%
rule=auth_failed:%opening:string-to: (auth failed, % (auth failed, %attempts:number% attempts%tail:rest%
rule=auth_failed:%{"type":"literal","text":"Authentication failure:","priority":50000}%%tail:rest%
rule=login_other:%{"type":"alternative","parser":[{"type":"literal","text":"Disconnected","priority":50000},{"type":"literal","text":"Login aborted","priority":50000},{"type":"literal","text":"Aborted login","priority":50000},{"type":"literal","text":"Remote closed connection","priority":50000},{"type":"literal","text":"Client has quit the connection","priority":50000}]}%%tail:rest%

# What a client says of itself (imap_id_log), before anything else can be made of it.
rule=id_log:ID sent:%-:rest%

# The server's own troubles.
rule=auth_fault:Error: auth:%tail:rest%
rule=auth_fault:Error: auth-client:%tail:rest%
rule=auth_fault:Warning: Auth process not responding%tail:rest%
rule=auth_fault:Warning: Auth connection closed with%tail:rest%
rule=auth_fault:Error: Timeout waiting for handshake from auth server%tail:rest%
rule=auth_fault:Error: Authentication server%tail:rest%
rule=proxy_error:Error: haproxy%-:rest%
prefix=

# One line for each password database, also before a success: never counted.
rule=auth_detail: auth: %auth_tail:rest%
rule=auth_detail: auth(%auth_tail:rest%
rule=auth_detail: auth-worker(%auth_tail:rest%
rule=auth_detail: auth-worker: %auth_tail:rest%

# ---- What is wrong with the backend itself ----
#
# `auth_tail` carries the rest of the line: offence.c finds in it which session it is about and what
# the password database said of it, but no address. Dovecot 2.4 puts `Error: ` behind the name,
# where only offence.c can tell it from a name; there the class changes to server_fault. Clients that
# went away in the middle, and users that one database knows and the other does not, are no fault of
# the backend.
rule=auth_fault: auth: Error: %auth_tail:rest%
rule=auth_fault: auth-worker: Error: %auth_tail:rest%
rule=auth_fault: auth-worker(%-:number%): Error: %auth_tail:rest%
rule=auth_fault: auth: Fatal:%-:rest%
rule=auth_detail: auth: Error: auth client%-:rest%

# mailcow's own database, which takes it for a wrong password when its web server does not answer.
rule=auth_fault: auth: HTTP request failed with%-:rest%
rule=auth_fault: auth: Invalid JSON received:%-:rest%
rule=auth_fault: auth-worker: HTTP request failed with%-:rest%
rule=auth_fault: auth-worker: Invalid JSON received:%-:rest%
rule=auth_fault: auth-worker(%-:number%): HTTP request failed with%-:rest%
rule=auth_fault: auth-worker(%-:number%): Invalid JSON received:%-:rest%
