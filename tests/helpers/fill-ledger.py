#!/usr/bin/python3
# fill-ledger LEDGER [DAYS]: puts bans of the last DAYS (7) into a ledger that is there already, the
# same each time but for their times, which count back from now: three networks that attack together,
# two dozen clients of their own, more by day than by night, users who are tried, one of them with a
# name that is markup.
#
# SPDX-License-Identifier: BSD-2-Clause
import random
import sqlite3
import sys
import time

NETWORKS = ["203.0.113.{}", "198.51.100.{}", "2001:db8:bad:{:x}::/64"]
CLASSES = ["auth_failed"] * 12 + ["auth_unknown_user"] * 5 + ["relay_denied"] * 2 + ["probe", "rcpt_unknown"]
JAILS = {"auth_failed": "auth", "auth_unknown_user": "names"}
USERS = ["anna", "info", "admin", "office", "ben", "sales", "test", "carla"]
HOSTILE = "<script>alert(1)</script>\"'&@example.org"

random.seed(15)
now_ms = int(time.time() * 1000)
days = float(sys.argv[2]) if len(sys.argv) > 2 else 7
ledger = sqlite3.connect(sys.argv[1], timeout=10)
hour_ms = 3600 * 1000

bans = []
for hour in range(int(days * 24)):
    begin_ms = now_ms - (hour + 1) * hour_ms
    of_day = begin_ms // hour_ms % 24
    many = 6 if 8 <= of_day <= 19 else 2
    if hour % 61 == 17:
        many = 34
    for _ in range(random.randint(0, many)):
        bans.append(begin_ms + random.randrange(hour_ms))

for number, since_ms in enumerate(sorted(bans), 1):
    class_name = random.choice(CLASSES)
    if random.random() < 0.7:
        source = random.choice(NETWORKS).format(random.randint(1, 60))
    else:
        source = "192.0.2.{}".format(random.randint(1, 24))
    until_ms = since_ms + random.choice([hour_ms, 4 * hour_ms, 24 * hour_ms])
    ended_ms, reason, by = (until_ms, "expired", None) if until_ms < now_ms else (None, None, None)
    if ended_ms is None and random.random() < 0.1:
        ended_ms, reason, by = (since_ms + now_ms) // 2, "lifted", 0
    ledger.execute(
        "INSERT INTO ban VALUES (?,?,?,?,0,?,'jail',?,?,?,?,?,?,?,5,600,'25',NULL)",
        ("00000000000000aa", number, source, JAILS.get(class_name, "relay"), random.randint(5, 9),
         class_name, since_ms - 60000, since_ms, until_ms, ended_ms, reason, by))
    client = source.replace("/64", "1")
    lines = []
    for line in range(random.randint(1, 5)):
        user = HOSTILE if random.random() < 0.05 else random.choice(USERS) + "@example.org"
        lines.insert(0, f"{since_ms - line * 1000}\t{line}\t{client}\t{class_name}\t1\tmx1\timap\t{user}\t")
    ledger.execute("INSERT INTO evidence VALUES (?,?,?)", ("00000000000000aa", number, "\n".join(lines)))
ledger.commit()
print(len(bans))
