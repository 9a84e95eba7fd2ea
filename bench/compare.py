#!/usr/bin/python3
# compare.py BANMAILCTL: stories of attackers and of honest people, each as a log of its own; how many
# guesses there were when the presets balanced and strict banned, by `banmailctl test`, and when the
# real fail2ban did, by its own filter and its own counting, which is given the time of each line:
# with the values that it comes with (5 in 10 minutes), and with those of strict. Prints the table of
# docs/kindness.md. Without fail2ban its columns are empty.
#
# SPDX-License-Identifier: BSD-2-Clause
import base64
import datetime
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

try:
    from fail2ban.client.filterreader import FilterReader
    from fail2ban.server.filter import Filter
    from fail2ban.server.mytime import MyTime
except ImportError:
    FilterReader = None

START = datetime.datetime(2026, 10, 1, 12, tzinfo=datetime.timezone.utc)
MINUTE, HOUR, DAY = 60, 3600, 86400

# What has no filter of its own in fail2ban: who is unknown, once.
UNKNOWN_LOGIN = r"^.*auth: passwd-file\([^,]*,<HOST>,<[^>]*>\): unknown user"
UNKNOWN_RECIPIENT = r"^.*NOQUEUE: reject: RCPT from [^[]*\[<HOST>\]: 550 5\.1\.1 .* User unknown"
FAIL2BAN = {
    "defaults": [("postfix", {"mode": "more"}, 5, 10 * MINUTE),
                 ("postfix", {"mode": "auth"}, 5, 10 * MINUTE), ("dovecot", {}, 5, 10 * MINUTE)],
    "strict": [("postfix", {"mode": "more"}, 3, DAY), ("postfix", {"mode": "auth"}, 3, DAY),
               ("dovecot", {}, 3, DAY), (UNKNOWN_LOGIN, None, 1, DAY),
               (UNKNOWN_RECIPIENT, None, 3, HOUR)],
}


# ---- what the daemons write ----

def session(address, number):
    client = ipaddress.ip_address(address).packed
    return base64.b64encode(number.to_bytes(6, "little") + b"\x04\x00" + client).decode().rstrip("=")


class Story:
    """Lines, each with its second and the number of the guess that it tells of."""

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.second = self.guesses = 0

    def wait(self, seconds):
        self.second += seconds

    def write(self, text):
        stamp = START + datetime.timedelta(seconds=self.second)
        self.lines.append((stamp, self.guesses, f"{stamp.isoformat()} mx1 {text}"))

    def log_in(self, ip, user):
        self.write(f"dovecot: imap-login: Login: user=<{user}@example.org>, method=PLAIN, rip={ip}, "
                   f"lip=198.51.100.1, mpid=4711, TLS, session=<{session(ip, len(self.lines))}>")

    def guess(self, ip, user, secret=None, is_known=True):
        """One login that fails; its auth line, where auth_verbose is on, tells why."""
        self.guesses += 1
        number = session(ip, len(self.lines))
        auth = f"dovecot: auth: passwd-file({user}@example.org,{ip},<{number}>): "
        if not is_known:
            self.write(auth + "unknown user")
        elif secret is not None:
            self.write(auth + f"Password mismatch (SHA1 of given password: {secret:06x})")
        self.write(f"dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts "
                   f"in 2 secs): user=<{user}@example.org>, method=PLAIN, rip={ip}, "
                   f"lip=198.51.100.1, TLS, session=<{number}>")

    def take_mail(self, ip):
        self.write(f"postfix/smtpd[7]: 4bXyz{len(self.lines):05d}z: client=unknown[{ip}]")

    def reject(self, ip, answer, recipient, sender="a@example.net"):
        self.guesses += 1
        self.write(f"postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[{ip}]: {answer}; "
                   f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<client.example.net>")

    def unknown_recipient(self, ip, sender="a@example.net"):
        name = f"x{self.guesses}@example.org"
        self.reject(ip, f"550 5.1.1 <{name}>: Recipient address rejected: User unknown in virtual "
                    "mailbox table", name, sender)


# ---- attackers ----

def attackers():
    story = Story("one guess at each user, each minute")
    for i in range(200):
        story.guess("203.0.113.1", f"user{i}")
        story.wait(MINUTE)
    yield story

    story = Story("the same, each 10 minutes")
    for i in range(200):
        story.guess("203.0.113.1", f"user{i}")
        story.wait(10 * MINUTE + 1)
    yield story

    story = Story("names that do not exist, each 10 minutes")
    for i in range(200):
        story.guess("203.0.113.2", f"ghost{i}", is_known=False)
        story.wait(10 * MINUTE + 1)
    yield story

    story = Story("one mailbox, each 20 minutes")
    for i in range(200):
        story.guess("203.0.113.3", "anna")
        story.wait(20 * MINUTE)
    yield story

    story = Story("the same, and the log has the secret's hash")
    for i in range(200):
        story.guess("203.0.113.4", "anna", secret=i)
        story.wait(20 * MINUTE)
    yield story

    story = Story("2,000 addresses, one guess each")
    for i in range(2000):
        story.guess(f"198.18.{i // 250}.{i % 250 + 1}", "anna")
        story.wait(30)
    yield story

    story = Story("each guess from another address of one IPv6 /64")
    for i in range(200):
        story.guess(f"2001:db8:bad:1::{i + 1:x}", f"user{i}")
        story.wait(MINUTE)
    yield story

    story = Story("recipients that do not exist, each 10 seconds")
    for i in range(200):
        story.unknown_recipient("203.0.113.5")
        story.wait(10)
    yield story

    story = Story("the same, by one who knows one that exists")
    story.take_mail("203.0.113.6")
    for i in range(200):
        story.unknown_recipient("203.0.113.6")
        story.wait(10)
    yield story

    story = Story("mail for somebody elsewhere, refused with 454")
    for i in range(200):
        story.reject("203.0.113.7", "454 4.7.1 <b@example.com>: Relay access denied", "b@example.com")
        story.wait(MINUTE)
    yield story

    story = Story("one guess at each user, by one who has an account")
    story.log_in("203.0.113.8", "mallory")
    for i in range(200):
        story.wait(MINUTE)
        story.guess("203.0.113.8", f"user{i}")
    yield story

    story = Story("the same, who logs in before each guess")
    for i in range(200):
        story.log_in("203.0.113.9", "mallory")
        story.guess("203.0.113.9", f"user{i}")
        story.wait(MINUTE)
    yield story

    story = Story("one guess a day")
    for i in range(30):
        story.guess("203.0.113.10", f"user{i}")
        story.wait(DAY)
    yield story


# ---- the honest, for a week ----

def honest():
    story = Story("a family; a phone with an old password, each 15 minutes; "
                  "its owner logs in every 4 hours")
    for i in range(4 * 24 * 7):
        if i % 16 == 0:
            for user in "anna", "bert", "carl":
                story.log_in("203.0.113.20", user)
        story.guess("203.0.113.20", "anna")
        story.wait(15 * MINUTE)
    yield story

    story = Story("an office of 40, five phones with old passwords")
    for i in range(4 * 24 * 7):
        if i % 8 == 0:
            for user in range(5, 40):
                story.log_in("203.0.113.21", f"user{user}")
        for user in range(5):
            story.guess("203.0.113.21", f"user{user}")
        story.wait(15 * MINUTE)
    yield story

    story = Story("four typos and the right password, every morning")
    for i in range(7):
        for typo in range(4):
            story.guess("203.0.113.22", "anna", secret=i * 4 + typo)
            story.wait(5)
        story.log_in("203.0.113.22", "anna")
        story.wait(DAY - 20)
    yield story

    story = Story("a mailing list, five dead recipients beside each mail")
    for i in range(6 * 24 * 7):
        story.take_mail("203.0.113.23")
        for dead in range(5):
            story.unknown_recipient("203.0.113.23", "list-bounces@example.net")
        story.wait(10 * MINUTE)
    yield story

    story = Story("bounces of mail with forged senders, each 10 seconds")
    for i in range(2000):
        story.unknown_recipient("203.0.113.24", "")
        story.wait(10)
    yield story


# ---- the judges ----

def banmailctl_test(preset, story, path):
    """The number of the guess that made the first ban, or None."""
    answer = json.loads(subprocess.run([sys.argv[1], "test", "--json", "--preset", preset, path],
                                       stdout=subprocess.PIPE, check=False).stdout)
    lines = [ban["line"] for ban in answer["bans"]]
    return story.lines[min(lines) - 1][1] if lines else None


class Jail:
    name = "jail"
    is_full = False

    def putFailTicket(self, ticket):
        self.is_full = True


def fail2ban_filter(jail, name, options, maxretry, findtime):
    made = Filter(jail, useDns="no")
    made.ignoreSelf = False
    made.setMaxRetry(maxretry)
    made.setFindTime(findtime)
    if options is None:
        made.addFailRegex(name)
        return made
    reader = FilterReader(name, name, options, basedir="/etc/fail2ban")
    reader.read()
    reader.getOptions(None)
    for command in reader.convert():
        values = command[3] if command[0] == "multi-set" else command[3:]
        for value in values:
            if command[2] == "prefregex":
                made.prefRegex = value
            elif command[2] == "addfailregex":
                made.addFailRegex(value)
            elif command[2] == "addignoreregex":
                made.addIgnoreRegex(value)
    return made


def fail2ban(values, story):
    jail = Jail()
    filters = [fail2ban_filter(jail, *value) for value in FAIL2BAN[values]]
    for stamp, guess, line in story.lines:
        MyTime.setTime(stamp.timestamp())
        for each in filters:
            each.processLineAndAdd(line)
        if jail.is_full:
            return guess
    return None


# ---- the table ----

def judge(story, path):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for _, _, line in story.lines)
    found = [banmailctl_test(preset, story, path) for preset in ("balanced", "strict")]
    found += [fail2ban(values, story) for values in FAIL2BAN] if FilterReader else ["", ""]
    return found


def show(stories, path, never):
    for story in stories:
        cells = [never if guess is None else str(guess) for guess in judge(story, path)]
        print(f"| {story.name} | {story.guesses} | " + " | ".join(cells) + " |")


def main():
    os.environ["TZ"] = "UTC"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "mail.log")
        head = " | balanced | strict | fail2ban, its own values | fail2ban, those of strict |"
        print("| attacker | guesses in all" + head)
        print("|---|---:|---:|---:|---:|---:|")
        show(attackers(), path, "never")
        print()
        print("| honest | failures in all" + head)
        print("|---|---:|---:|---:|---:|---:|")
        show(honest(), path, "never")


main()
