#!/usr/bin/python3
# write-mmdb FILE NETWORK=JSON...: a file in MaxMind's format, version 2, that has of each network what
# the JSON says: maps, strings, and whole numbers as uint32. Networks do not overlap.
#
# Format: https://maxmind.github.io/MaxMind-DB/
#
# SPDX-License-Identifier: BSD-2-Clause
import ipaddress
import json
import sys


def head(kind, size):
    """The control byte of a value, kinds above 7 and sizes from 29 in a byte more."""
    more = b"" if size < 29 else bytes([size - 29])
    size = min(size, 29)
    return (bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])) + more


def encode(value, kind=6):
    if isinstance(value, dict):
        return head(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return head(11, len(value)) + b"".join(encode(v) for v in value)
    if isinstance(value, str):
        return head(2, len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return encode(*value)
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return head(kind, len(digits)) + digits


# Nodes of two places each: None, another node's number, or bytes where data begin.
nodes, data = [[None, None]], b""
for argument in sys.argv[2:]:
    name, text = argument.split("=", 1)
    network = ipaddress.ip_network(name)
    bits = network.prefixlen + (96 if network.version == 4 else 0)
    number, at = int(network.network_address), 0
    for depth in range(bits - 1):
        side = number >> (127 - depth) & 1
        if nodes[at][side] is None:
            nodes.append([None, None])
            nodes[at][side] = len(nodes) - 1
        at = nodes[at][side]
    nodes[at][number >> (128 - bits) & 1] = ("data", len(data))
    data += encode(json.loads(text))


def place(value):
    if value is None:
        return len(nodes)
    return len(nodes) + 16 + value[1] if isinstance(value, tuple) else value


metadata = {"node_count": len(nodes), "record_size": (32, 5), "ip_version": (6, 5),
            "database_type": "Test", "languages": ["en"], "binary_format_major_version": (2, 5),
            "binary_format_minor_version": (0, 5), "build_epoch": (1795248545, 9),
            "description": {"en": "of a test"}}
with open(sys.argv[1], "wb") as file:
    for node in nodes:
        for value in node:
            file.write(place(value).to_bytes(4, "big"))
    file.write(bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(metadata))
