#!/usr/bin/env python3
# mail-log.py LINES [--seed N] [--clients N] [--start SECOND] [--span SECONDS] [--stamps KIND]: a mail
# server's log, the same for the same seed. 70 % is ordinary: connects, mail that is taken, queued
# and delivered, logins, sessions that end. 30 % are failures of so many clients (5,000), each of
# which does one kind of thing again and again: every other one to Postfix, the rest to Dovecot,
# every third over IPv6. The shapes are those of the recorded lines, tests/corpus/lines.log. A
# Dovecot session id holds its client's address, as it must.
#
# SPDX-License-Identifier: BSD-2-Clause
import argparse
import base64
import ipaddress
import random
import time

POSTFIX_FAILURES = [
    "warning: unknown[{ip}]: SASL LOGIN authentication failed: (reason unavailable), "
    "sasl_username={user}@example.org",
    "warning: unknown[{ip}]: SASL PLAIN authentication failed: (reason unavailable), "
    "sasl_username={user}@example.org",
    "NOQUEUE: reject: RCPT from unknown[{ip}]: 550 5.1.1 <{user}@example.org>: Recipient address "
    "rejected: User unknown in virtual mailbox table; from=<a@sender.example> "
    "to=<{user}@example.org> proto=ESMTP helo=<client.example>",
    "NOQUEUE: reject: RCPT from unknown[{ip}]: 554 5.7.1 <{user}@elsewhere.example>: Relay access "
    "denied; from=<a@sender.example> to=<{user}@elsewhere.example> proto=ESMTP "
    "helo=<client.example>",
]
DOVECOT_FAILURES = [
    "imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): "
    "user=<{user}@example.org>, method=PLAIN, rip={ip}, lip={lip}, TLS: Connection closed, "
    "session=<{session}>",
    "imap-login: Aborted login (auth failed, 1 attempts in 1 secs): user=<{user}@example.org>, "
    "method=PLAIN, rip={ip}, lip={lip}, TLS, session=<{session}>",
]
ORDINARY = [
    (14, "postfix/smtpd[{pid}]", "connect from mail{n}.example.net[{ip}]"),
    (14, "postfix/smtpd[{pid}]", "disconnect from mail{n}.example.net[{ip}] ehlo=2 starttls=1 "
                                 "mail=1 rcpt=1 data=1 quit=1 commands=7"),
    (8, "postfix/smtpd[{pid}]", "{queue}: client=mail{n}.example.net[{ip}]"),
    (8, "postfix/cleanup[{pid}]", "{queue}: message-id=<{number}.{n}@mail{n}.example.net>"),
    (8, "postfix/qmgr[812]", "{queue}: from=<sender{n}@example.net>, size={number}, nrcpt=1 "
                             "(queue active)"),
    (8, "postfix/lmtp[{pid}]", "{queue}: to=<{user}@example.org>, relay=mx1[private/dovecot-lmtp], "
                               "delay=0.35, delays=0.3/0/0/0.05, dsn=2.0.0, status=sent "
                               "(250 2.0.0 <{user}@example.org> Saved)"),
    (8, "postfix/qmgr[812]", "{queue}: removed"),
    (8, "dovecot", "lmtp({user}@example.org)<{pid}><{queue}>: sieve: msgid="
                   "<{number}.{n}@mail{n}.example.net>: stored mail into mailbox 'INBOX'"),
    (12, "dovecot", "imap-login: Login: user=<{user}@example.org>, method=PLAIN, rip={ip}, "
                    "lip={lip}, mpid={pid}, TLS, session=<{session}>"),
    (12, "dovecot", "imap({user}@example.org)<{pid}><{session}>: Disconnected: Logged out in=412 "
                    "out={number} deleted=0 expunged=0 trashed=0 hdr_count=2 hdr_bytes=611 "
                    "body_count=1 body_bytes=4102"),
]


def address(number, network4, network6):
    if number % 3 == 2:
        return ipaddress.ip_address((0x20010DB8 << 96) | (network6 << 80) | (number << 64) | 9)
    return ipaddress.ip_address((network4 << 16) + (number // 250 << 8) + number % 250 + 1)


def session(ip, dice):
    raw = dice.randbytes(6) + dice.randrange(1024, 65536).to_bytes(2, "big") + ip.packed
    return base64.b64encode(raw).decode().rstrip("=")


def fill(shape, ip, dice):
    return shape.format(
        ip=ip, lip="198.51.100.1" if ip.version == 4 else "2001:db8:100::1", n=int(ip) % 100,
        user=f"user{dice.randrange(10000)}", pid=dice.randrange(1000, 32000),
        number=dice.randrange(1000, 90000), queue=f"{dice.randrange(1 << 44):011X}",
        session=session(ip, dice))


def failure(clients, dice):
    client = dice.randrange(clients)
    ip = address(client, 0xC612, 0xBAD)  # 198.18.0.0/16
    if client % 2:
        shape = POSTFIX_FAILURES[client // 2 % len(POSTFIX_FAILURES)]
        return f"postfix/smtpd[{dice.randrange(1000, 32000)}]", fill(shape, ip, dice)
    return "dovecot", fill(DOVECOT_FAILURES[client // 2 % len(DOVECOT_FAILURES)], ip, dice)


def ordinary(dice):
    _, program, shape = dice.choices(ORDINARY, [weight for weight, _, _ in ORDINARY])[0]
    ip = address(dice.randrange(2000), 0xCB00, 0x600D)  # 203.0.0.0/16
    return fill(program, ip, dice), fill(shape, ip, dice)


def stamp(second, kind):
    """What stands in front of the program: traditional, iso, or rfc5424 without its priority."""
    if kind != "traditional":
        iso = time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime(second))
        return f"1 {iso}" if kind == "rfc5424" else iso
    now = time.localtime(second)
    return time.strftime("%b ", now) + f"{now.tm_mday:2d}" + time.strftime(" %H:%M:%S", now)


def write(second, kind, program, text):
    if kind == "rfc5424":
        name, _, number = program.partition("[")
        return f"{stamp(second, kind)} mx1 {name} {number.rstrip(']') or '-'} - - {text}"
    return f"{stamp(second, kind)} mx1 {program}: {text}"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("lines", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--start", type=int, default=int(time.time()))
    parser.add_argument("--span", type=int, default=30)
    parser.add_argument("--stamps", choices=["traditional", "iso", "rfc5424", "mixed"],
                        default="traditional")
    return parser.parse_args()


def main():
    asked = arguments()
    dice = random.Random(asked.seed)
    for line in range(asked.lines):
        if dice.random() < 0.3:
            program, text = failure(asked.clients, dice)
        else:
            program, text = ordinary(dice)
        second = asked.start + line * asked.span // asked.lines
        kind = asked.stamps
        if kind == "mixed":  # a log host's
            kind = ["traditional", "iso", "rfc5424"][line % 3]
        print(write(second, kind, program, text))


main()
