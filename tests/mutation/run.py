#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts faults into the readers of foreign bytes, one at a time, and sees whether their tests notice.

Each fault is one small change of one header: a comparison, an operator, a number, a negation, or a check left out. The tests of
that header are compiled against the changed copy and run; what survives that is tried once more under the address and
undefined-behaviour sanitizers, as run.sh does with all tests. A fault is caught when a test fails, crashes or takes too long; one
that does not compile does not count. Which faults are taken depends on --seed only. Results are appended to --log, one JSON line each, and
a fault that has its line is not tried again: stop it with Ctrl-C and go on with the same command. --table prints what there is.
"""
import argparse
import itertools
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "minivit"
# Headers that read foreign bytes, and the tests that stand for them.
TESTS = {
    "io/checked.hpp": ["io/file_test.cpp", "io/safetensors_header_test.cpp"],
    "io/json_strict.hpp": ["io/safetensors_header_test.cpp", "io/json_value_test.cpp"],
    "io/json_value.hpp": ["io/json_value_test.cpp", "io/checkpoint_test.cpp"],
    "io/safetensors_header.hpp": ["io/safetensors_header_test.cpp"],
    "io/safetensors_reader.hpp": ["io/safetensors_test.cpp", "io/safetensors_header_test.cpp"],
    "io/dtype.hpp": ["io/safetensors_header_test.cpp", "io/safetensors_test.cpp", "io/torch_tensor_test.cpp", "io/torch_file_test.cpp"],
    "io/pickle_reader.hpp": ["io/pickle_reader_test.cpp"],
    "io/pickle.hpp": ["io/pickle_reader_test.cpp"],
    "io/zip_directory.hpp": ["io/zip_directory_test.cpp"],
    "io/torch_container.hpp": ["io/torch_file_test.cpp"],
    "io/torch_tensor.hpp": ["io/torch_tensor_test.cpp", "io/torch_file_test.cpp"],
    "io/torch_file.hpp": ["io/torch_file_test.cpp", "io/torch_tensor_test.cpp"],
    "io/config_fields.hpp": ["io/config_fields_test.cpp", "io/checkpoint_test.cpp", "io/swin_checkpoint_test.cpp"],
    "io/config_json.hpp": ["io/checkpoint_test.cpp", "io/swin_checkpoint_test.cpp"],
    "data/image_check.hpp": ["data/png_rules_test.cpp", "data/image_test.cpp", "data/decode_test.cpp"],
    "data/image_check_jpeg.hpp": ["data/jpeg_rules_test.cpp", "data/jpeg_scan_rules_test.cpp", "data/image_test.cpp", "data/decode_test.cpp"],
    "data/bmp.hpp": ["data/bmp_rules_test.cpp", "data/decode_test.cpp", "data/image_test.cpp"],
    "data/exif.hpp": ["data/decode_test.cpp"],
    "data/csv.hpp": ["data/csv_test.cpp"],
    "data/cifar.hpp": ["data/dataset_test.cpp"],
}
PRELUDE = ["xsimd/xsimd.hpp", "oneapi/tbb/parallel_for.h", "oneapi/tbb/task_arena.h", "nlohmann/json.hpp", "filesystem", "fstream", "functional", "map", "optional", "random",
           "set", "span", "string", "thread", "variant", "vector"]
SWAPS = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == ", " && ": " || ", " || ": " && ",
         " + ": " - ", " - ": " + ", " * ": " + "}
SKIPPED = re.compile(r"^\s*(//|#|using |namespace |template|static_assert|enum )")
CHECK = re.compile(r"^\s*(refuse|refuse_entry|need|count_value|take)\(.*\);\s*$|^\s*if \(.*\) (refuse|refuse_entry|fail)\(.*\);\s*$")


def code_of(line):
    """The line with the insides of strings and comments blanked, so that places stay where they are."""
    line = re.sub(r'"(\\.|[^"\\])*"', lambda m: '"' + " " * (len(m.group()) - 2) + '"', line)
    return re.sub(r"//.*", lambda m: " " * len(m.group()), line)


def faults_of(header):
    """All (line number, changed line) of a header."""
    for number, line in enumerate((INCLUDE / header).read_text().splitlines()):
        if SKIPPED.match(line):
            continue
        code = code_of(line)
        for old, new in SWAPS.items():
            for m in re.finditer(re.escape(old), code):
                yield number, line[: m.start()] + new + line[m.end():]
        for m in re.finditer(r"(?<![\w.])\d+(?![\w.])", code):
            yield number, line[: m.start()] + str(int(m.group()) + 1) + line[m.end():]
        for m in re.finditer(r"(?<=[( ])!(?=[\w(])", code):
            yield number, line[: m.start()] + line[m.end():]
        for old, new in (("true", "false"), ("false", "true")):
            for m in re.finditer(rf"\b{old}\b", code):
                yield number, line[: m.start()] + new + line[m.end():]
        if CHECK.match(code):
            yield number, ""


class Bench:
    """Folders with a copy of the headers each, in which faults are tried side by side."""

    def __init__(self, folder, compiler, jobs):
        flags = ["-std=c++20", "-O0", "-w", "-march=x86-64", "-DMINIVIT_WITH_LIBJPEG", "-DMINIVIT_WITH_LIBPNG"]
        # What no fault changes is parsed once.
        prelude, self.catch_main, self.fixtures = folder / "prelude.hpp", folder / "main.o", folder / "fixtures.o"
        prelude.write_text(f'#include "{ROOT / "tests" / "catch.hpp"}"\n' + "".join(f"#include <{name}>\n" for name in PRELUDE))
        subprocess.run([compiler, *flags, "-x", "c++-header", str(prelude), "-o", f"{prelude}.gch"], check=True)
        subprocess.run([compiler, *flags, "-c", str(ROOT / "tests" / "catch_main.cpp"), "-o", str(self.catch_main)], check=True)
        fixtures_folder = f'-DMINIVIT_TEST_FIXTURES="{ROOT / "tests" / "fixtures"}"'
        subprocess.run([compiler, *flags, fixtures_folder, "-c", str(ROOT / "tests" / "fixtures.cpp"), "-o", str(self.fixtures)], check=True)
        self.ways = [[compiler, *flags, "-include", str(prelude)],
                     [compiler, *flags, "-O1", "-D_GLIBCXX_ASSERTIONS", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]]
        self.free = queue.Queue()
        for job in range(jobs):
            shutil.copytree(ROOT / "include", folder / str(job) / "include")
            self.free.put(folder / str(job))

    def try_fault(self, header, changed):
        work = self.free.get()
        copy = work / "include" / "minivit" / header
        original = copy.read_text()
        copy.write_text(changed)
        try:
            runs = (self.run_test(work, test, compiler) for compiler in self.ways for test in TESTS[header])
            return next((r for r in runs if r != "survived"), "survived")
        finally:
            copy.write_text(original)
            self.free.put(work)

    def run_test(self, work, test, compiler):
        program = work / "test"
        sources = [str(ROOT / "tests" / test), str(self.catch_main), str(self.fixtures)]
        if subprocess.run([*compiler, f"-I{work / 'include'}", f"-I{ROOT / 'tests'}", *sources, "-ljpeg", "-lpng", "-ltbb", "-o", str(program)],
                          capture_output=True).returncode != 0:
            return "does not compile"
        try:
            limit = "" if "-fsanitize=address,undefined" in compiler else "ulimit -v 8000000; "  # it reserves terabytes
            limited = ["bash", "-c", limit + "exec \"$0\" --abort", str(program)]
            return "survived" if subprocess.run(limited, capture_output=True, timeout=120, cwd=work).returncode == 0 else "caught"
        except subprocess.TimeoutExpired:
            return "caught"


def table(log):
    results = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    print(f"{'header':<30}{'caught':>8}{'survived':>10}{'not code':>10}")
    for header in [*TESTS, "all"]:
        some = [r["result"] for r in results if header in ("all", r["header"])]
        print(f"{header:<30}{some.count('caught'):>8}{some.count('survived'):>10}{some.count('does not compile'):>10}")
    for r in results:
        if r["result"] == "survived":
            print(f"{r['header']}:{r['line']}\n  - {r['old'].strip()}\n  + {r['new'].strip() or '(left out)'}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                      epilog="Example:\n  python3 tests/mutation/run.py --count 200 --seed 1 --log build/mutation.jsonl")
    options.add_argument("--count", type=int, default=200, help="faults that compile (200)")
    options.add_argument("--seed", type=int, default=1, help="which faults are taken (1)")
    options.add_argument("--log", type=Path, default=ROOT / "build" / "mutation.jsonl", help="results (build/mutation.jsonl)")
    options.add_argument("--compiler", default="g++", help="g++ or another that reads its precompiled headers (g++)")
    options.add_argument("--jobs", type=int, default=os.cpu_count(), help="faults tried at the same time (as many as processors)")
    options.add_argument("--table", action="store_true", help="only print what there is")
    o = options.parse_args()
    if o.table:
        return table(o.log)
    o.log.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["header"], r["line"], r["new"]): r["result"] for r in map(json.loads, o.log.read_text().splitlines())} if o.log.exists() else {}
    faults = [(header, number, new) for header in TESTS for number, new in faults_of(header)]
    random.Random(o.seed).shuffle(faults)
    faults = iter(faults)
    writing, counted, start, tried = threading.Lock(), 0, time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(o.jobs) as pool:
        bench = Bench(Path(folder), o.compiler, o.jobs)

        def result_of(fault):
            nonlocal counted, tried
            header, number, new = fault
            lines = (INCLUDE / header).read_text().splitlines()
            result = done.get((header, number + 1, new))
            known = result is not None
            old, lines[number] = lines[number], new
            if not known:
                result = bench.try_fault(header, "\n".join(lines) + "\n")
            with writing:
                counted += result != "does not compile"
                if known:
                    return
                tried += 1
                with o.log.open("a") as log:
                    log.write(json.dumps({"header": header, "line": number + 1, "old": old, "new": new, "result": result}) + "\n")
                left = (time.monotonic() - start) / tried * (o.count - counted) / 60
                print(f"{counted:>4}/{o.count}  {result:<18}{header}:{number + 1}  {left:.0f} min left", file=sys.stderr)

        while some := list(itertools.islice(faults, o.count - counted)):  # those that do not compile are made up for by the next
            list(pool.map(result_of, some))
    table(o.log)


if __name__ == "__main__":
    sys.exit(main())
