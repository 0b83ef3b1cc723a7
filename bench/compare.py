#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares minivit with PyTorch and ONNX Runtime on this machine in one interleaved run and prints times and ratios.

Every round measures every engine once (the median of a few calls, warmed up before), so what the machine's neighbours do
touches all engines alike; the ratios are medians over the rounds of the ratio inside a round. PyTorch runs in each form it
offers (eager, and traced with optimize_for_inference), ONNX Runtime in float32 and with its dynamic quantisation, and the
fastest one is the peer. Needs `minivit bench` of a release build, Debian's python3-torch and libopenblas0-openmp, and for ONNX
Runtime Debian's python3-onnx and a folder where `npm install onnxruntime-node` was run. What is missing is left out.
"""
import argparse
import datetime
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INFERENCE = [("deit_tiny_patch16_224", 1), ("deit_tiny_patch16_224", 8), ("deit_small_patch16_224", 1),
             ("deit_small_patch16_224", 8), ("deit_base_patch16_224", 1)]
TRAINING = [("deit_tiny_patch16_224", 16), ("vit_tiny_patch4_32", 128)]
PRECISIONS = ("f32", "bf16", "int8")
TORCH_MODES = {"f32": ("f32", "f32_jit"), "bf16": ("bf16", "bf16_jit"), "int8": ("int8",)}
ORT_FILES = {"f32": "", "int8": "_int8"}  # its CPU kernels have no bf16


class Minivit:
    """One `minivit bench` process for each round."""

    def __init__(self, program, case, precision, calls):
        self.command = [program, "bench", "--json", "--model", case["model"], "--batch", str(case["batch"]), "--threads",
                        str(case["threads"]), "--precision", precision, "--mode", case["mode"], "--repeats", str(calls)]
        self.measure()  # a precision that it refuses fails here

    def measure(self):
        done = subprocess.run(self.command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "minivit failed")
        self.last = json.loads(done.stdout)
        return self.last["median_ms"]

    def close(self):
        pass


class Peer:
    """A process that stays alive, says `ready VERSION`, and answers a line for each round."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        greeting = self.process.stdout.readline().split()
        if not greeting:
            self.process.wait()
            raise RuntimeError("cannot run this")
        self.version = greeting[1]

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_peer(options, case, mode):
    return Peer([options.python, str(HERE / "torch_peer.py"), mode, case["model"], str(case["batch"]), str(case["threads"]), str(options.calls)])


def ort_peer(options, case, suffix):
    """Writes the ONNX files first, if they are not there yet."""
    if not options.ort:
        raise RuntimeError("no --ort FOLDER")
    file = Path(options.ort) / f"{case['model']}_b{case['batch']}{suffix}.onnx"
    if not file.exists():
        subprocess.run([options.python, str(HERE / "onnx_export.py"), options.ort, case["model"], str(case["batch"])],
                       check=True, capture_output=True)
    return Peer(["node", str(HERE / "ort_peer.mjs"), options.ort, str(file), str(case["batch"]), "224", str(case["threads"]), str(options.calls)])


def run_case(case, options, versions):
    """Rounds over all engines of one model, batch and thread count."""
    engines = {}

    def start(name, make):
        try:
            engines[name] = make()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            print(f"  left out: {name}: {error}", file=sys.stderr)

    training = case["mode"] == "train"
    for precision in PRECISIONS:
        start(("minivit", precision), lambda: Minivit(options.minivit, case, precision, options.calls))
        modes = {"f32": ("train",), "bf16": ("train_bf16",)}.get(precision, ()) if training else TORCH_MODES[precision]
        for mode in modes:
            start(("torch " + mode, precision), lambda: torch_peer(options, case, mode))
        if not training and precision in ORT_FILES:
            start(("ort " + precision, precision), lambda: ort_peer(options, case, ORT_FILES[precision]))
    rounds = []
    for number in range(options.rounds):
        row = {}
        for name, engine in engines.items():
            row[name] = engine.measure()
            if name[0] == "minivit":
                row["share " + name[1]] = engine.last["share_of_peak"]
        rounds.append(row)
        print(f"\r  {case['mode']} {case['model']} x {case['batch']}, {case['threads']} thread(s): round {number + 1}/{options.rounds} ",
              end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for name, engine in engines.items():
        if hasattr(engine, "version"):
            versions[name[0].split()[0]] = engine.version
        elif name[1] == "f32":
            versions["minivit"] = f"{engine.last['compiler']}, {engine.last['instruction_set']}"
        engine.close()
    return rounds


def summarise(case, rounds):
    """Medians of times and of ratios inside a round, one row for each precision of minivit."""
    names = [name for name in rounds[0] if isinstance(name, tuple)]
    peers = [name for name in names if name[0] != "minivit"]

    def fastest(row, allowed):
        return min(row[name] for name in allowed)

    def median_ratio(allowed, precision):
        ratios = [fastest(row, allowed) / row[("minivit", precision)] for row in rounds] if allowed else []
        return statistics.median(ratios) if ratios else None

    rows = []
    for precision in PRECISIONS:
        if ("minivit", precision) not in names:
            continue
        same = [name for name in peers if name[1] == precision]
        medians = {name[0]: statistics.median(row[name] for row in rounds) for name in same}
        rows.append({**case, "precision": precision, "minivit_ms": statistics.median(row[("minivit", precision)] for row in rounds),
                     "peer": min(medians, key=medians.get) if same else None,
                     "peer_ms": statistics.median(fastest(row, same) for row in rounds) if same else None,
                     "ratio": median_ratio(same, precision), "ratio_any": median_ratio(peers, precision),
                     "share_of_peak": statistics.median(row["share " + precision] for row in rounds)})
    return rows


def table(rows):
    """Markdown, which also reads well in a terminal."""
    def number(value, digits):
        return "n/a" if value is None else f"{value:.{digits}f}"

    lines = ["| what | model | images | threads | precision | minivit, ms | fastest peer, ms | which | times faster | than any peer | share of peak |",
             "|---|---|---:|---:|---|---:|---:|---|---:|---:|---:|"]
    for r in rows:
        lines.append(f"| {r['mode']} | {r['model']} | {r['batch']} | {r['threads']} | {r['precision']} | {number(r['minivit_ms'], 2)} | "
                     f"{number(r['peer_ms'], 2)} | {r['peer'] or 'n/a'} | {number(r['ratio'], 2)} | {number(r['ratio_any'], 2)} | {number(r['share_of_peak'], 2)} |")
    return "\n".join(lines)


def cpu_name():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def write_result(options, rows, raw, versions):
    result = {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "system": platform.platform(), "versions": versions,
              "rounds": options.rounds, "calls": options.calls, "rows": rows, "raw": raw}
    Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog="""Examples:
  bench/compare.py                                all rows, one thread, 20 rounds (about 20 minutes)
  bench/compare.py --quick --only tiny            a first look
  bench/compare.py --threads 2 --only small --json result.json
  mkdir -p build/ort && npm install --prefix build/ort onnxruntime-node --ignore-scripts && bench/compare.py --ort build/ort""")
    parser.add_argument("--minivit", default=str(HERE.parent / "build/release/bin/minivit"), help="the program (default: that of the release preset)")
    parser.add_argument("--python", default="/usr/bin/python3", help="an interpreter that has torch (default: %(default)s)")
    parser.add_argument("--ort", metavar="FOLDER", help="where onnxruntime-node is installed; ONNX files are written there too")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=3, help="timed calls of an engine in a round (default: %(default)s)")
    parser.add_argument("--only", default="", help="rows whose name contains this, such as tiny, base or train")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 2 calls")
    parser.add_argument("--json", metavar="FILE", help="everything measured, round by round")
    parser.add_argument("--table", metavar="FILE", help="print the table of such a file and stop")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(Path(options.table).read_text())["rows"]))
        return 0
    if options.quick:
        options.rounds, options.calls = 3, 2
    cases = [{"mode": mode, "model": model, "batch": batch, "threads": threads}
             for threads in options.threads for mode, which in (("infer", INFERENCE), ("train", TRAINING)) for model, batch in which]
    cases = [case for case in cases if options.only in f"{case['mode']} {case['model']} x{case['batch']}"]
    if not cases:
        parser.error(f"--only {options.only} names no row")
    if not Path(options.minivit).exists():
        parser.error(f"{options.minivit} is not there: cmake --preset release && cmake --build --preset release")
    rows, raw, versions = [], [], {}
    for case in cases:
        rounds = run_case(case, options, versions)
        if rounds and ("minivit", "f32") in rounds[0]:
            rows += summarise(case, rounds)
            raw.append({**case, "rounds": [{name if isinstance(name, str) else " ".join(name): value for name, value in row.items()}
                                           for row in rounds]})
        if options.json:  # after every row, so that a run that is stopped keeps what it measured
            write_result(options, rows, raw, versions)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
