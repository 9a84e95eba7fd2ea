#!/usr/bin/python3 -B
# coverage.py OUT: how many lines and branches of libbanmail the unit tests and the seeds of the
# fuzzing targets reach, by gcov: a row for each file, then the places of the files that have less
# than 90 % of their branches, a line of the source each: `file:line: 1 of 2 branches`. The status
# is 1 when a test fails.
#
# SPDX-License-Identifier: BSD-2-Clause
import collections
import pathlib
import sys

import programs

ENOUGH = 90


class Line:
    """How often a line ran, and each of its branches."""

    def __init__(self):
        self.count = 0
        self.branches = []

    def add(self, told):
        self.count += told["count"]
        counts = [branch["count"] for branch in told["branches"]]
        self.branches += [0] * (len(counts) - len(self.branches))
        for i, count in enumerate(counts):
            self.branches[i] += count

    def taken(self):
        return sum(count > 0 for count in self.branches)


def gather(reached):
    files = collections.defaultdict(lambda: collections.defaultdict(Line))
    for of_program in reached.values():
        for file, lines in of_program.items():
            for line in lines:
                files[file][line["line_number"]].add(line)
    return files


def percent(part, whole):
    return 100 * part / whole if whole else 100


def sums(lines):
    return (sum(line.count > 0 for line in lines), len(lines),
            sum(line.taken() for line in lines), sum(len(line.branches) for line in lines))


def print_row(name, lines_run, lines, taken, branches):
    print(f"{name:30} {lines_run:5} of {lines:5} {percent(lines_run, lines):6.1f} %"
          f"   {taken:5} of {branches:5} {percent(taken, branches):6.1f} %")


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    programs.build(out, "-O0", "-g", "--coverage")
    reached = programs.reached_by_all(out)
    files = gather(reached)
    total = [0] * 4
    print(f"{'':30} {'lines':>14}          {'branches':>14}")
    for path in programs.engine():
        name = f"{path.parent.name}/{path.name}"
        row = sums(list(files[name].values()))
        total = [a + b for a, b in zip(total, row)]
        print_row(name, *row)
    print_row("libbanmail", *total)
    print()
    for name in sorted(files):
        row = sums(list(files[name].values()))
        if percent(row[2], row[3]) >= ENOUGH:
            continue
        for number, line in sorted(files[name].items()):
            if line.taken() < len(line.branches):
                print(f"libbanmail/{name}:{number}: {line.taken()} of {len(line.branches)} branches")
    sys.exit(len(reached) < len(programs.program_sources()))


main()
