#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts faults into the readers of foreign bytes, one at a time, and sees whether their tests notice.

Each fault is one small change of one header: a comparison, an operator, a number, a negation, or a check left out. The tests of
that header are compiled against the changed copy and run. A fault is caught when a test fails, crashes or takes too long; one that
does not compile does not count. Which faults are taken depends on --seed only. Results are appended to --log, one JSON line each, and
a fault that has its line is not tried again: stop it with Ctrl-C and go on with the same command. --table prints what there is.
"""
import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "minivit"
# Headers that read foreign bytes, and the tests that stand for them.
TESTS = {
    "io/checked.hpp": ["io/file_test.cpp", "io/safetensors_header_test.cpp"],
    "io/json_strict.hpp": ["io/safetensors_header_test.cpp", "io/json_value_test.cpp"],
    "io/json_value.hpp": ["io/json_value_test.cpp", "io/checkpoint_test.cpp"],
    "io/safetensors_header.hpp": ["io/safetensors_header_test.cpp"],
    "io/safetensors_reader.hpp": ["io/safetensors_test.cpp"],
    "io/dtype.hpp": ["io/safetensors_test.cpp", "io/torch_file_test.cpp"],
    "io/pickle_reader.hpp": ["io/pickle_reader_test.cpp"],
    "io/pickle.hpp": ["io/pickle_reader_test.cpp"],
    "io/zip_directory.hpp": ["io/zip_directory_test.cpp"],
    "io/torch_container.hpp": ["io/torch_file_test.cpp"],
    "io/torch_tensor.hpp": ["io/torch_file_test.cpp"],
    "io/torch_file.hpp": ["io/torch_file_test.cpp"],
    "io/config_fields.hpp": ["io/checkpoint_test.cpp", "io/swin_checkpoint_test.cpp"],
    "io/config_json.hpp": ["io/checkpoint_test.cpp", "io/swin_checkpoint_test.cpp"],
    "data/image_check.hpp": ["data/image_test.cpp", "data/decode_test.cpp"],
    "data/image_check_jpeg.hpp": ["data/image_test.cpp", "data/decode_test.cpp"],
    "data/bmp.hpp": ["data/decode_test.cpp", "data/image_test.cpp"],
    "data/exif.hpp": ["data/decode_test.cpp"],
    "data/csv.hpp": ["data/csv_test.cpp"],
    "data/cifar.hpp": ["data/dataset_test.cpp"],
}
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


def compile_and_run(work, header, changed, main, compiler):
    copy = work / "include" / "minivit" / header
    original = copy.read_text()
    copy.write_text(changed)
    try:
        for test in TESTS[header]:
            program = work / "test"
            built = subprocess.run([*compiler, f"-I{work / 'include'}", f"-I{ROOT / 'tests'}", str(ROOT / "tests" / test), str(main), "-ljpeg", "-lpng", "-ltbb",
                                    "-o", str(program)], capture_output=True)
            if built.returncode != 0:
                return "does not compile"
            try:
                limit = "ulimit -v 8000000; exec \"$0\" --abort"
                if subprocess.run(["bash", "-c", limit, str(program)], capture_output=True, timeout=120, cwd=work).returncode != 0:
                    return "caught"
            except subprocess.TimeoutExpired:
                return "caught"
        return "survived"
    finally:
        copy.write_text(original)


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
    options.add_argument("--compiler", default="g++", help="g++ or clang++")
    options.add_argument("--table", action="store_true", help="only print what there is")
    o = options.parse_args()
    if o.table:
        return table(o.log)
    o.log.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["header"], r["line"], r["new"]): r["result"] for r in map(json.loads, o.log.read_text().splitlines())} if o.log.exists() else {}
    faults = [(header, number, new) for header in TESTS for number, new in faults_of(header)]
    random.Random(o.seed).shuffle(faults)
    compiler = [o.compiler, "-std=c++20", "-O0", "-w", "-march=x86-64-v3", "-DMINIVIT_WITH_LIBJPEG", "-DMINIVIT_WITH_LIBPNG",
                f'-DMINIVIT_TEST_FIXTURES="{ROOT / "tests" / "fixtures"}"']
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(ROOT / "include", work / "include")
        catch_main = work / "main.o"
        subprocess.run([*compiler, "-c", str(ROOT / "tests" / "catch_main.cpp"), "-o", str(catch_main)], check=True)
        counted = 0
        for header, number, new in faults:
            if counted == o.count:
                break
            lines = (INCLUDE / header).read_text().splitlines()
            result = done.get((header, number + 1, new))
            if result is None:
                old, lines[number] = lines[number], new
                result = compile_and_run(work, header, "\n".join(lines) + "\n", catch_main, compiler)
                with o.log.open("a") as log:
                    log.write(json.dumps({"header": header, "line": number + 1, "old": old, "new": new, "result": result}) + "\n")
                print(f"{counted + (result != 'does not compile'):>4}/{o.count}  {result:<18}{header}:{number + 1}", file=sys.stderr)
            counted += result != "does not compile"
    table(o.log)


if __name__ == "__main__":
    sys.exit(main())
