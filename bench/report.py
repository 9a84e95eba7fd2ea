#!/usr/bin/python3 -B
# report.py FIGURES DOCUMENT: writes what the measurements have left in FIGURES (`name<TAB>value`, the
# last one of a name holds) into DOCUMENT, docs/performance.md: a table between its two marks, and
# pictures beside it, performance-*.svg. What was not measured has a dash.
#
# SPDX-License-Identifier: BSD-2-Clause
import html
import pathlib
import sys

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
NAMES = {"ombanmail": "ombanmail", "fail2ban": "fail2ban", "sshguard": "sshguard"}


class Figures(dict):
    def of(self, name):
        value = self.get(name)
        return None if value in (None, "") else float(value)

    def ratio(self, one, other):
        one, other = self.of(one), self.of(other)
        return None if one is None or not other else one / other


def read(path):
    figures = Figures()
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("\t")
        figures[name] = value
    return figures


# ---- the table ----

def number(value, digits=2):
    return "–" if value is None else f"{value:,.{digits}f}"


def share(value):
    """One so-manieth, or so many times."""
    if value is None:
        return "–"
    return f"1/{1 / value:.0f}" if value < 0.5 else f"{value:.2f} times"


def microseconds(figures, name):
    value = figures.of(f"cpu.{name}")
    return "–" if value is None else f"{value / 1000:.2f} µs"


def microseconds_beyond(f):
    whole, without = f.of("cpu.tcp"), f.of("cpu.mmnormalize")
    return "–" if whole is None or without is None else f"{(whole - without) / 1000:.2f} µs"


def rows(f):
    first = "instructions."
    yield "CPU a line, all of rsyslogd: imptcp", microseconds(f, "tcp"), share(f.ratio("cpu.tcp", "cpu.fail2ban")), "≤ 1/30"
    yield "CPU a line, all of rsyslogd: imfile", microseconds(f, "file"), share(f.ratio("cpu.file", "cpu.fail2ban")), "≤ 1/30"
    yield "… with eight jails, imptcp", microseconds(f, "eight"), share(f.ratio("cpu.eight", "cpu.fail2ban")), ""
    yield "… of it rsyslogd alone, imptcp", microseconds(f, "alone"), share(f.ratio("cpu.alone", "cpu.fail2ban")), ""
    yield "… of it beyond rsyslogd with mmnormalize, imptcp", microseconds_beyond(f), "", "≤ 2.5 µs"
    yield "fail2ban", microseconds(f, "fail2ban"), "1", ""
    yield "sshguard", microseconds(f, "sshguard"), share(f.ratio("cpu.sshguard", "cpu.fail2ban")), ""
    yield "instructions of ours: a line without a class", number(f.of(first + "a line without a class"), 0), "", "≤ 600"
    yield "instructions of ours: a failure", number(f.of(first + "a failure"), 0), "", "≤ 2,500"
    yield "instructions of ours: a failure that eight jails count", number(f.of(first + "a failure, eight jails"), 0), "", ""
    yield "rsyslogd and mmnormalize with our rulebases, against ten rules: CPU", share(f.ratio("cpu.mmnormalize", "cpu.ten")), "", "≤ 1.3 times"
    yield ("… instructions of liblognorm a line, ours, ten rules",
           f"{number(f.of('normalize.ours'), 0)}, {number(f.of('normalize.ten'), 0)}", "", "")
    for way, name in ("socket", "/dev/log"), ("tcp", "TCP"), ("file", "a file"):
        yield (f"line written → element, {name}: median, p99",
               f"{number(f.of(f'latency.{way}.median'))}, {number(f.of(f'latency.{way}.p99'))} ms",
               share(f.ratio(f"latency.{way}.median", "latency.fail2ban.median")), "≤ 0.3, 2 ms")
    for peer in "fail2ban", "sshguard":
        yield (f"… {peer}, a file", f"{number(f.of(f'latency.{peer}.median'), 0)}, "
               f"{number(f.of(f'latency.{peer}.p99'), 0)} ms",
               share(f.ratio(f"latency.{peer}.median", "latency.fail2ban.median")), "")
    few, many, banned = (number(f.of(f"burst.{name}"), 0) for name in ("clients", "many_clients", "banned"))
    fivefold = number(None if f.of("burst.many_clients") is None else 5 * f.of("burst.many_clients"), 0)
    yield (f"{few} clients at once: all banned after", f"{number(f.of('burst.ombanmail.few'))} s",
           share(f.ratio("burst.ombanmail.few", "burst.fail2ban.few")), "≤ 1/100")
    for peer in "fail2ban", "sshguard":
        yield (f"… {peer}", f"{number(f.of(f'burst.{peer}.few'), 1)} s",
               share(f.ratio(f"burst.{peer}.few", "burst.fail2ban.few")), "")
    yield f"{many} clients at once, {fivefold} lines", f"{number(f.of('burst.ombanmail.many'))} s", "", "≤ 0.5 s for 100,000"
    yield f"start with {banned} bans, kernel empty", f"{number(f.of('burst.ombanmail.restart'))} s", "", "≤ 0.1 s for 10,000"
    yield "… fail2ban, a fifth of them", f"{number(f.of('burst.fail2ban.restart'), 1)} s", "", ""
    yield "memory a tracked client", "192 bytes, fixed", share(192 / f.of("memory.fail2ban") if f.of("memory.fail2ban") else None), "≤ 192"
    for peer in "fail2ban", "sshguard":
        yield f"… {peer}, grown", f"{number(f.of(f'memory.{peer}'), 0)} bytes", "", ""
    yield "CPU a line (imptcp), 1,000,000 clients against 10,000, reckoned", share(many_clients(f)), "", "≤ 1.5 times"
    yield "… a count alone", share(f.ratio("scale.1.1000000", "scale.1.10000")), "", ""
    for clients in 10000, 1000000:
        yield f"counts a second, {clients:,} clients: 2 threads against 1", share(two_threads(f, clients)), "", "≥ 1.8 times"
    yield ("a million lines: banmailctl test", f"{number(f.of('trial.banmailctl'), 1)} s",
           share(trial(f)), "≤ 1/20")
    yield "… fail2ban-regex, postfix and dovecot", f"{number(regex(f), 0)} s", "1", ""


def many_clients(f):
    """What a count takes longer is added to a line, as if each line were a failure."""
    line, few, many = f.of("cpu.tcp"), f.of("scale.1.10000"), f.of("scale.1.1000000")
    return None if not line or few is None or many is None else (line + many - few) / line


def two_threads(f, clients):
    """A call takes each of them so long."""
    one_against_two = f.ratio(f"scale.1.{clients}", f"scale.2.{clients}")
    return None if one_against_two is None else 2 * one_against_two


def regex(f):
    parts = [f.of(f"trial.fail2ban-regex.{name}") for name in ("postfix", "dovecot")]
    return None if None in parts else sum(parts)


def trial(f):
    ours, theirs = f.of("trial.banmailctl"), regex(f)
    return None if ours is None or not theirs else ours / theirs


def table(figures):
    lines = ["| what | measured | of fail2ban's | aim |", "|---|---:|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(figures)]
    found = ", ".join(f"{name} {figures[f'bans.{key}']}" for name, key in
                      (("ombanmail", "tcp"), ("fail2ban", "fail2ban"), ("sshguard", "sshguard"))
                      if f"bans.{key}" in figures)
    lines += ["", f"The CPU rows are of {number(figures.of('cpu.lines'), 0)} lines, of which the peers read a fifth. "
              f"Addresses banned in the end: {found}.",
              f"Measured on {figures.get('machine', 'an unknown machine')}."]
    return "\n".join(lines)


# ---- pictures ----

STYLE = ("text{font:13px sans-serif;fill:#24292f}.bar{fill:#2f6fab}.other{fill:#b0b7be}"
         "@media(prefers-color-scheme:dark){text{fill:#d0d7de}.other{fill:#6e7681}}")


def bars(title, unit, values, digits):
    """A bar for each (name, value), the first one ours; as long as the value is large."""
    values = [(name, value) for name, value in values if value is not None]
    most = max([value for _, value in values], default=1)
    height = 34 + 28 * len(values)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" role="img">',
           f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
           f'<text x="8" y="20" font-weight="bold">{html.escape(title)}</text>']
    for i, (name, value) in enumerate(values):
        y, length = 34 + 28 * i, max(1.0, 340 * value / most)
        out.append(f'<text x="8" y="{y + 15}">{html.escape(name)}</text>'
                   f'<rect class="{"bar" if i == 0 else "other"}" x="180" y="{y}" width="{length:.1f}" '
                   f'height="20"/><text x="{188 + length:.1f}" y="{y + 15}">'
                   f"{value:,.{digits}f} {html.escape(unit)}</text>")
    return "\n".join([*out, "</svg>", ""])


def pictures(f):
    thousandth = lambda name: None if f.of(name) is None else f.of(name) / 1000  # noqa: E731
    yield "cpu", bars("CPU a line", "µs", [
        ("ombanmail, imptcp", thousandth("cpu.tcp")), ("ombanmail, imfile", thousandth("cpu.file")),
        ("sshguard", thousandth("cpu.sshguard")), ("fail2ban", thousandth("cpu.fail2ban"))], 1)
    few = number(f.of("burst.clients"), 0)
    yield "burst", bars(f"{few} clients at once: all banned after", "s", [
        (name, f.of(f"burst.{name}.few")) for name in NAMES], 1)
    yield "latency", bars("Line written to client banned, median", "ms", [
        ("ombanmail, a file", f.of("latency.file.median")),
        ("sshguard", f.of("latency.sshguard.median")),
        ("fail2ban", f.of("latency.fail2ban.median"))], 1)


def main():
    figures, document = read(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = document.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    document.write_text(f"{head}{BEGIN}\n{table(figures)}\n{END}{tail}", encoding="utf-8")
    for name, picture in pictures(figures):
        path = document.with_name(f"performance-{name}.svg")
        path.write_text(picture, encoding="utf-8")


main()
