#!/usr/bin/python3 -B
# mutation.py OUT [NUMBER [SEED]]: are the tests good enough? Flips NUMBER (500) conditions, signs
# and constants, chosen by SEED (1) over the table, the counter and the merge, one at a time, in
# copies below OUT: == and !=, < and <=, && and ||, + and -, a negation, a number. Each time the one
# file is compiled and the engine linked, as a shared library, and those programs run that reach the
# line, until one fails or does not end: first the one that has noticed this mutant in an earlier
# run, then those that have noticed something in this file, the quickest first. What they let pass
# is built with ASan and UBSan and run once more. Prints each survivor: `file:line: what became of
# what`, and the line; after each 25, and at the end, the sums. A mutant that the compiler makes the
# same code of is none, and another is taken.
#
# equivalent.txt beside this file names those that no test could notice, or that make no difference
# to anybody, and why. They are counted apart and not run; ALL=1 runs them as well. What it names
# that is no mutant any more is said.
#
# ADDED=1 says that since the last run tests have only been added: what it has noticed is noticed.
# ONLY=table/table.c takes one file, ONLY=table/table.c:120 one line of it. SLOWEST_S=3 leaves out
# programs that take longer: quick, but some that survive would be noticed. What is in OUT from an
# earlier run is used again as long as it is newer than its sources; a change of one function leaves
# the others' mutants in the order in which they are drawn. The status is 1 when less than 95 % of
# those that are run are noticed.
#
# SPDX-License-Identifier: BSD-2-Clause
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
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
EQUIVALENT = pathlib.Path(__file__).with_name("equivalent.txt")
WALL_S = 120
SLOWEST_S = float(os.environ.get("SLOWEST_S") or "inf")
COMPILED = ["-O1", "-fPIC", "-fno-semantic-interposition"]
SANITIZED = ["-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Mutant:
    def __init__(self, file, function, number, line, start, end, text):
        self.file, self.function, self.number, self.line = file, function, number, line
        self.start, self.end, self.text = start, end, text
        self.key = None

    def is_of_a_number(self):
        return self.line[self.start:self.end].isdigit()

    def what(self):
        was = self.line[self.start:self.end]
        return f"{self.text or 'nothing'} for {was}: {self.line.strip()}"

    def mutated_line(self):
        return self.line[:self.start] + self.text + self.line[self.end:]

    def mutated(self, source):
        lines = source.splitlines(keepends=True)
        lines[self.number - 1] = self.mutated_line() + "\n"
        return "".join(lines)

    def name(self):
        """As equivalent.txt has it."""
        return f"{self.file}, {self.function}: {self.mutated_line().strip()}"

    def __str__(self):
        return f"libbanmail/{self.file}:{self.number}: {self.what()}"


def without_words(source):
    """Comments and strings become spaces: what is in them is not code."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'', blank, source, flags=re.S)


def mutants_of(path, executable):
    source = path.read_text()
    code, lines = without_words(source).splitlines(), source.splitlines()
    function = None
    for number in range(1, len(lines) + 1):
        if (begun := re.match(r"(?:static .*?)?(\w+)\(", code[number - 1])):
            function = begun[1]
        for pattern, text in KINDS if number in executable else ():
            for match in re.finditer(pattern, code[number - 1]):
                new = str(int(match.group(), 10) + 1) if text is None else text
                yield Mutant(f"{path.parent.name}/{path.name}", function, number,
                             lines[number - 1], match.start(), match.end(), new)


def equivalents():
    """The names of those that make no difference: the indented lines."""
    lines = EQUIVALENT.read_text().splitlines()
    return {line.strip() for line in lines if line.startswith("    ")}


def remembered(path, sources, find):
    """What `find` finds, kept in `path` until one of its sources is newer; None is not kept."""
    if not programs.is_newer(path, *sources):
        path.unlink(missing_ok=True)
        found = find()
        if found is None:
            return None
        path.write_text(json.dumps(found))
    return json.loads(path.read_text())


class Build:
    """The engine as a library, and the programs that work with it."""

    def __init__(self, out, *options):
        self.out, self.options = out, options
        programs.build(out, *options, shared=True)
        self.took = {}
        for name, took in programs.in_parallel(self.time, programs.program_sources()):
            if took is None:
                print(f"{name} fails without a mutant as well: it is left out", flush=True)
            elif took <= SLOWEST_S:
                self.took[name] = took

    def time(self, name):
        def find():
            began = time.monotonic()
            worked, _ = programs.run(self.out / name, LD_LIBRARY_PATH=str(self.out))
            return time.monotonic() - began if worked else None
        made_of = [self.out / name, self.out / "libengine.so"]
        return name, remembered(self.out / f"{name}.took", made_of, find)

    def compile(self, copy, path):
        """The object, or None."""
        made = copy.parent / f"{path.stem}.o"
        compiled = subprocess.run([*programs.flags(), *self.options, f"-I{path.parent}", "-c", copy,
                                   "-o", made], stderr=subprocess.DEVNULL, check=False)
        return made if compiled.returncode == 0 else None

    def link(self, mutated):
        objects = [path for path in self.out.glob("*.o") if path.name != mutated.name]
        programs.link_library(mutated.parent, [mutated, *objects], *self.options)

    def passes(self, place, name):
        limit = 2 + int(10 * self.took[name])
        home = place / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        # of its own processor time, as the machine may be busy
        bound = lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))  # noqa: E731
        with subprocess.Popen([self.out / name], cwd=home, stdin=subprocess.DEVNULL,
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


class Bench:
    """Both builds, which programs reach a line, and which have noticed what."""

    def __init__(self, out):
        self.out = out
        self.reaching, self.executable = {}, {}
        self.count()
        self.plain, self.sanitized = Build(out / "plain", *COMPILED), None
        self.has_noticed = collections.Counter()
        kept = out / "noticed-by"
        self.noticed_by = json.loads(kept.read_text()) if kept.exists() else {}
        self.lock = threading.Lock()

    def count(self):
        counted = self.out / "counted"
        # a child that a test has forked is counted as well
        programs.build(counted, "-O0", "-g", "--coverage", "-D_exit=exit")

        def reached(name):
            def find():
                found = programs.reached_by(counted, name)
                return found and [[file, line["line_number"], line["count"] > 0]
                                  for file, lines in found.items() for line in lines]
            return name, remembered(counted / f"{name}.reached", [counted / name], find) or []

        for name, lines in programs.in_parallel(reached, programs.program_sources()):
            for file, line, is_reached in lines:
                self.executable.setdefault(file, set()).add(line)
                if is_reached:
                    self.reaching.setdefault((file, line), set()).add(name)

    def with_sanitizers(self):
        with self.lock:
            if self.sanitized is None:
                self.sanitized = Build(self.out / "sanitized", *COMPILED, *SANITIZED)
        return self.sanitized

    def keep(self):
        (self.out / "noticed-by").write_text(json.dumps(dict(self.noticed_by)))

    def programs_for(self, mutant, build):
        names = self.reaching.get((mutant.file, mutant.number), set()) & build.took.keys()
        last = self.noticed_by.get(mutant.key)
        return sorted(names, key=lambda name: (name != last, build.took[name] /
                                               (1 + self.has_noticed[mutant.file, name])))

    def is_noticed(self, mutant, build, mutated):
        build.link(mutated)
        for name in self.programs_for(mutant, build):
            if not build.passes(mutated.parent, name):
                self.has_noticed[mutant.file, name] += 1
                self.noticed_by[mutant.key] = name
                return True
        return False

    def judge(self, mutant):
        """"same", "broken" (it does not compile), "noticed" or "survives"."""
        place = self.out / f"mutant-{threading.get_ident()}"
        place.mkdir(exist_ok=True)
        path = programs.TOP / "libbanmail" / mutant.file
        copy = place / path.name
        copy.write_text(mutant.mutated(path.read_text()))
        mutated = self.plain.compile(copy, path)
        if mutated is None:
            return "broken"
        if code_of(mutated) == code_of_plain(self.plain.out / mutated.name):
            return "same"
        if self.is_noticed(mutant, self.plain, mutated):
            return "noticed"
        build = self.with_sanitizers()
        if self.is_noticed(mutant, build, build.compile(copy, path)):
            return "noticed"
        self.noticed_by.pop(mutant.key, None)
        return "survives"


def code_of(path):
    return subprocess.run(["objdump", "-d", "-r", "-s", "-j", ".text", "-j", ".rodata", "-j", ".data",
                           "--no-show-raw-insn", path], check=False, stdout=subprocess.PIPE,
                          text=True).stdout.split("\n", 3)[3:]


code_of_plain = functools.cache(code_of)


def candidates(bench):
    file, _, line = os.environ.get("ONLY", "").partition(":")
    for pattern in [file] if file else FILES:
        for path in sorted((programs.TOP / "libbanmail").glob(pattern)):
            executable = bench.executable.get(f"{path.parent.name}/{path.name}", set())
            yield from mutants_of(path, executable & {int(line)} if line else executable)


def draw(mutants, seed):
    """In an order of chance that hangs on what a mutant is, not on where it stands."""
    known = collections.Counter()
    for mutant in mutants:
        what = f"{mutant.file}: {mutant.what()}"
        mutant.key = hashlib.sha256(f"{seed} {what} {known[what]}".encode()).hexdigest()
        known[what] += 1
    return sorted(mutants, key=lambda mutant: mutant.key)


class Score:
    """What became of the mutants so far: of conditions and signs, and of numbers."""

    def __init__(self):
        self.counts = {group: dict.fromkeys(("noticed", "survives", "named", "same", "broken"), 0)
                       for group in (False, True)}

    def add(self, mutant, verdict):
        self.counts[mutant.is_of_a_number()][verdict] += 1

    def sum_of(self, *verdicts):
        return sum(counts[verdict] for counts in self.counts.values() for verdict in verdicts)

    def share(self):
        return 100 * self.sum_of("noticed") / max(self.sum_of("noticed", "survives"), 1)

    def drawn(self):
        return self.sum_of("noticed", "survives", "named")

    def show(self):
        print(f"{self.drawn()} mutants: {self.sum_of('noticed')} noticed, "
              f"{self.sum_of('survives')} survive ({self.share():.1f} % noticed of these), "
              f"{self.sum_of('named')} make no difference; beside them {self.sum_of('same')} of the "
              f"same code and {self.sum_of('broken')} that do not compile")
        for group, name in ((False, "conditions and signs"), (True, "numbers")):
            counts = self.counts[group]
            print(f"{name}: {counts['noticed']} noticed, {counts['survives']} survive, "
                  f"{counts['named']} make no difference", flush=True)


def judge_all(bench, drawn, number, named, score):
    only_added = bool(os.environ.get("ADDED"))

    def judge(mutant):
        if mutant.name() in named:
            return "named"
        return "noticed" if only_added and mutant.key in bench.noticed_by else bench.judge(mutant)

    with concurrent.futures.ThreadPoolExecutor(programs.JOBS) as pool:
        at = 0
        while at < len(drawn) and score.drawn() < number:
            batch = drawn[at:at + number - score.drawn()]
            at += len(batch)
            for mutant, verdict in zip(batch, pool.map(judge, batch)):
                score.add(mutant, verdict)
                if verdict == "survives":
                    reached = bench.programs_for(mutant, bench.plain)
                    print(mutant, "" if reached else "(no test reaches it)", flush=True)
                if verdict not in ("same", "broken") and score.drawn() % 25 == 0:
                    score.show()
                    bench.keep()


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    bench, score = Bench(out), Score()
    drawn = draw(list(candidates(bench)), seed)
    print(f"{len(drawn)} mutants are possible; seed {seed}", flush=True)
    named = equivalents()
    for name in sorted(named - {mutant.name() for mutant in drawn}):
        if not os.environ.get("ONLY"):
            print(f"{EQUIVALENT.name} names what is none: {name}", flush=True)
    judge_all(bench, drawn, number, set() if os.environ.get("ALL") else named, score)
    score.show()
    bench.keep()
    sys.exit(score.share() < ENOUGH)


main()
