#!/usr/bin/python3 -B
# mutation.py OUT [NUMBER [SEED]]: are the tests good enough? Flips NUMBER (500) conditions, signs
# and constants, chosen by SEED (1) over the table, the counter and the merge, one at a time, in
# copies below OUT: == and !=, < and <=, && and ||, + and -, a negation, a number. Each time the one
# file is compiled and the engine linked, as a shared library, and those programs run that reach the
# line, until one fails or does not end: first those that have noticed something in this file, the
# quickest first. Prints each survivor: `file:line: what became of what`, and the line; after each
# 25, and at the end, the sums. A mutant that the compiler makes the same code of is none, and another
# is taken.
#
# ONLY=table/table.c takes one file. The status is 1 when less than 95 % are noticed.
#
# SPDX-License-Identifier: BSD-2-Clause
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import threading
import time

import programs

ENOUGH = 95
FILES = ["table/*.c", "count/counter.c", "fleet/merge.c"]
KINDS = [  # what, and what becomes of it
    (r"==", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"),
    (r"(?<= )<=(?= )", "<"), (r"(?<= )<(?= )", "<="),
    (r"(?<= )>=(?= )", ">"), (r"(?<= )>(?= )", ">="),
    (r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"\+=", "-="), (r"-=", "+="),
    (r"!(?=[A-Za-z_(])", ""), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"(?<![\w.\"])\d+(?=[^\w.\"])", None),  # a number grows by one
]
WALL_S = 120
COMPILED = ["-O1", "-fPIC", "-fno-semantic-interposition"]


class Mutant:
    def __init__(self, file, number, line, start, end, text):
        self.file, self.number, self.line = file, number, line
        self.start, self.end, self.text = start, end, text

    def is_of_a_number(self):
        return self.line[self.start:self.end].isdigit()

    def mutated(self, source):
        lines = source.splitlines(keepends=True)
        line = lines[self.number - 1]
        lines[self.number - 1] = line[:self.start] + self.text + line[self.end:]
        return "".join(lines)

    def __str__(self):
        was = self.line[self.start:self.end]
        return (f"libbanmail/{self.file}:{self.number}: {self.text or 'nothing'} for {was}: "
                f"{self.line.strip()}")


def without_words(source):
    """Comments and strings become spaces: what is in them is not code."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'', blank, source, flags=re.S)


def mutants_of(path, executable):
    source = path.read_text()
    code, lines = without_words(source).splitlines(), source.splitlines()
    for number in sorted(executable):
        for pattern, text in KINDS:
            for match in re.finditer(pattern, code[number - 1]):
                new = str(int(match.group(), 10) + 1) if text is None else text
                yield Mutant(f"{path.parent.name}/{path.name}", number, lines[number - 1],
                             match.start(), match.end(), new)


class Bench:
    """The plain build, and which programs reach a line."""

    def __init__(self, out):
        self.out = out
        self.reaching, self.executable = {}, {}
        self.count()
        self.build_plain()

    def count(self):
        counted = self.out / "counted"
        programs.build(counted, "-O0", "-g", "--coverage")
        for name, reached in programs.reached_by_all(counted).items():
            for file, lines in reached.items():
                for line in lines:
                    key = file, line["line_number"]
                    self.executable.setdefault(file, set()).add(key[1])
                    if line["count"] > 0:
                        self.reaching.setdefault(key, set()).add(name)
        shutil.rmtree(counted)

    def build_plain(self):
        plain = self.out / "plain"
        programs.build(plain, *COMPILED, shared=True)
        self.took, self.noticed = {}, collections.Counter()
        for name in programs.program_sources():
            began = time.monotonic()
            worked, _ = programs.run(plain / name, LD_LIBRARY_PATH=str(plain))
            if worked:
                self.took[name] = time.monotonic() - began
            else:
                print(f"{name} fails without a mutant as well: it is left out", flush=True)

    def programs_for(self, mutant):
        names = self.reaching.get((mutant.file, mutant.number), set()) & self.took.keys()
        return sorted(names, key=lambda name: self.took[name] / (1 + self.noticed[mutant.file, name]))

    def link(self, mutant_object):
        plain = self.out / "plain"
        objects = [path for path in plain.glob("*.o") if path.name != mutant_object.name]
        programs.link_library(mutant_object.parent, [mutant_object, *objects])

    def passes(self, place, name):
        limit = 5 + int(10 * self.took[name])
        home = place / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        # of its own processor time, as the machine may be busy
        bound = lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))  # noqa: E731
        with subprocess.Popen([self.out / "plain" / name], cwd=home, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=bound,
                              start_new_session=True, text=True, errors="replace",
                              env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP",
                                   "LD_LIBRARY_PATH": str(place)}) as running:
            try:
                said, _ = running.communicate(timeout=WALL_S)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, 9)
                return False
        return running.returncode == 0 and programs.is_ok(said)

    def judge(self, mutant):
        """"same", "broken" (it does not compile), "noticed" or "survives"."""
        place = self.out / f"mutant-{threading.get_ident()}"
        place.mkdir(exist_ok=True)
        path = programs.TOP / "libbanmail" / mutant.file
        copy, made = place / path.name, place / f"{path.stem}.o"
        copy.write_text(mutant.mutated(path.read_text()))
        compiled = subprocess.run([*programs.flags(), *COMPILED, f"-I{path.parent}", "-c", copy, "-o",
                                   made], stderr=subprocess.DEVNULL, check=False)
        if compiled.returncode != 0:
            return "broken"
        if same_code(made, self.out / "plain" / made.name):
            return "same"
        self.link(made)
        for name in self.programs_for(mutant):
            if not self.passes(place, name):
                self.noticed[mutant.file, name] += 1
                return "noticed"
        return "survives"


def same_code(one, other):
    def text(path):
        return subprocess.run(["objdump", "-d", "-r", "-s", "-j", ".text", "-j", ".rodata",
                               "-j", ".data", "--no-show-raw-insn", path], check=False,
                              stdout=subprocess.PIPE, text=True).stdout.split("\n", 3)[3:]
    return text(one) == text(other)


def candidates(bench):
    only = os.environ.get("ONLY")
    for pattern in [only] if only else FILES:
        for path in sorted((programs.TOP / "libbanmail").glob(pattern)):
            name = f"{path.parent.name}/{path.name}"
            yield from mutants_of(path, bench.executable.get(name, set()))


class Score:
    """What became of the mutants so far: of conditions and signs, and of numbers."""

    def __init__(self):
        self.counts = {group: {"noticed": 0, "survives": 0, "same": 0, "broken": 0}
                       for group in (False, True)}

    def add(self, mutant, verdict):
        self.counts[mutant.is_of_a_number()][verdict] += 1

    def sum_of(self, *verdicts):
        return sum(counts[verdict] for counts in self.counts.values() for verdict in verdicts)

    def share(self):
        return 100 * self.sum_of("noticed") / max(self.sum_of("noticed", "survives"), 1)

    def show(self):
        print(f"{self.sum_of('noticed', 'survives')} mutants: {self.sum_of('noticed')} noticed "
              f"({self.share():.1f} %), {self.sum_of('survives')} survive; beside them "
              f"{self.sum_of('same')} of the same code and {self.sum_of('broken')} that do not compile")
        for group, name in ((False, "conditions and signs"), (True, "numbers")):
            counts = self.counts[group]
            print(f"{name}: {counts['noticed']} noticed, {counts['survives']} survive", flush=True)


def judge_all(bench, drawn, number, score):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        at = 0
        while at < len(drawn) and score.sum_of("noticed", "survives") < number:
            batch = drawn[at:at + number - score.sum_of("noticed", "survives")]
            at += len(batch)
            for mutant, verdict in zip(batch, pool.map(bench.judge, batch)):
                score.add(mutant, verdict)
                if verdict == "survives":
                    reached = bench.programs_for(mutant)
                    print(mutant, "" if reached else "(no test reaches it)", flush=True)
                if score.sum_of("noticed", "survives", "same", "broken") % 25 == 0:
                    score.show()


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    bench, score = Bench(out), Score()
    drawn = list(candidates(bench))
    random.Random(seed).shuffle(drawn)
    print(f"{len(drawn)} mutants are possible; seed {seed}", flush=True)
    judge_all(bench, drawn, number, score)
    score.show()
    sys.exit(score.share() < ENOUGH)


main()
