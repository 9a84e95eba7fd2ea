# programs.py: the engine, its unit tests and its fuzzing targets (with their seeds), built with
# gcov's counters in a directory of their own, and which lines and branches each of them reaches.
# coverage.py and mutation.py ask it. JOBS is how many run at a time (one for each processor).
#
# SPDX-License-Identifier: BSD-2-Clause
import collections
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).parents[2])).resolve()
PACKAGES = "libfastjson libnftables sqlite3 libmnl inih cmocka".split()
CC = os.environ.get("CC", "gcc")
JOBS = int(os.environ.get("JOBS") or os.cpu_count())
LIMIT_S = 300  # for one program


@functools.cache
def pkg_config(what):
    return subprocess.check_output(["pkg-config", what, *PACKAGES], text=True).split()


def flags(source=TOP):
    return [CC, "-std=gnu11", "-D_GNU_SOURCE=", '-DPACKAGE_VERSION="adequacy"', "-w",
            f"-I{source}/libbanmail", *pkg_config("--cflags")]


def engine(source=TOP):
    return sorted((source / "libbanmail").glob("*/*.c"))


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def program_sources():
    """The sources of each program by its name."""
    tests = TOP / "tests"
    found = {path.stem: [path] for path in sorted((tests / "unit").glob("test_*.c"))}
    for path in sorted((tests / "fuzz").glob("fuzz_*.c")):
        found[path.stem] = [path, tests / "fuzz/drive.c"]
    found["worlds"] = [tests / "fleet" / name for name in ("worlds.c", "world.c", "judge.c")]
    return found


def link_library(out, objects, *options):
    """The engine as a shared library, so that another one can be put below the same programs."""
    subprocess.run([CC, *options, "-shared", *objects, "-o", out / "libengine.so"], check=True)


def is_newer(made, *sources):
    """Than all it is made of."""
    return made.exists() and all(path.stat().st_mtime < made.stat().st_mtime for path in sources)


def clear(out, *options):
    """Of everything, where it was built in another way; else of objects without a source."""
    way, built = " ".join([*flags(), *options]), out / "built-with"
    if not built.exists() or built.read_text() != way:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        built.write_text(way)
    stems = {path.stem for path in engine()}
    for path in out.glob("*.o"):
        if path.stem not in stems:
            path.unlink()


def build(out, *options, shared=False):
    """Objects and programs in `out`, what is older than its sources; with `shared` the programs find
    libengine.so by LD_LIBRARY_PATH. Ends the process where something does not compile."""
    clear(out, *options)
    compiler, libraries = flags(), [*pkg_config("--libs"), "-lpthread"]
    headers = [*TOP.glob("libbanmail/*/*.h"), *TOP.glob("tests/*/*.h")]

    def compile_object(source):
        made = out / f"{source.stem}.o"
        if not is_newer(made, source, *headers):
            subprocess.run([*compiler, *options, "-c", source, "-o", made], check=True)

    def link(item):
        name, sources = item
        objects = [] if shared else sorted(out.glob("*.o"))
        if not is_newer(out / name, *sources, *headers, *objects):
            parts = [f"-L{out}", "-lengine"] if shared else objects
            subprocess.run([*compiler, *options, *sources, *parts, *libraries, "-o", out / name],
                           check=True)

    in_parallel(compile_object, engine())
    objects = sorted(out.glob("*.o"))
    if shared and not is_newer(out / "libengine.so", *objects):
        link_library(out, objects, *options)
    in_parallel(link, program_sources().items())
    for path in out.glob("*.gcno"):  # those of the tests themselves
        if path.stem not in {path.stem for path in objects}:
            path.unlink()


def is_ok(said):
    """cmocka calls a test that was skipped `not ok … # SKIP` as well."""
    return not re.search(r"^not ok (?!.*# SKIP)", said, re.MULTILINE)


def run(program, **environment):
    """(succeeded, what it said)"""
    home = program.parent / f"{program.name}.home"  # what a test leaves lying about, lies there
    home.mkdir(exist_ok=True)
    try:
        ended = subprocess.run([program], cwd=home, text=True, errors="replace", timeout=LIMIT_S,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False,
                               env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", **environment})
    except subprocess.TimeoutExpired:
        return False, "does not end"
    return ended.returncode == 0 and is_ok(ended.stdout), ended.stdout


def reached_by(out, name):
    """What gcov says of one run: {file: [line with its count and branches]}, or None: it failed."""
    counters = out / f"{name}.counters"
    shutil.rmtree(counters, ignore_errors=True)
    counters.mkdir()
    for path in out.glob("*.gcno"):
        os.symlink(path, counters / path.name)
    worked, said = run(out / name, GCOV_PREFIX=str(counters), GCOV_PREFIX_STRIP="99")
    if not worked:
        print(f"{name} fails:\n{said}", file=sys.stderr)
        return None
    data = [path.name for path in sorted(counters.glob("*.gcda"))
            if (counters / f"{path.stem}.gcno").exists()]
    told = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *data],
                          cwd=counters, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=True).stdout
    reached = collections.defaultdict(list)
    for document in told.splitlines():
        for file in json.loads(document)["files"]:
            path = pathlib.Path(file["file"]).resolve()
            if path.suffix == ".c" and TOP / "libbanmail" in path.parents:
                reached[str(path.relative_to(TOP / "libbanmail"))] += file["lines"]
    return reached


def reached_by_all(out):
    """{program: what it reaches}, of those that work."""
    names = [name for name in program_sources() if (out / name).exists()]
    found = zip(names, in_parallel(lambda name: reached_by(out, name), names))
    return {name: reached for name, reached in found if reached is not None}
