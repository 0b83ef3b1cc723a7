# SPDX-License-Identifier: MIT
"""bench/compare.py: medians and ratios of a recorded run, its table, and --help. Measures nothing."""
import subprocess
import sys
from pathlib import Path

bench = Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, str(bench))
import compare  # noqa: E402: the path comes from the command line

case = {"mode": "infer", "model": "deit_tiny_patch16_224", "batch": 1, "threads": 1}


def recorded(f32, bf16, torch, traced, torch_bf16):
    return {("minivit", "f32"): f32, ("minivit", "bf16"): bf16, ("torch f32", "f32"): torch, ("torch f32_jit", "f32"): traced,
            ("torch bf16", "bf16"): torch_bf16, "share f32": 0.8, "share bf16": 0.7}


# the second round is ten times slower for everybody: its ratios count as much as those of the others
rows = compare.summarise(case, [recorded(20, 10, 40, 30, 50), recorded(200, 100, 400, 300, 500), recorded(20, 10, 44, 42, 35)])
f32, bf16 = rows
assert [r["precision"] for r in rows] == ["f32", "bf16"]
assert f32["minivit_ms"] == 20 and f32["peer_ms"] == 42, f32
assert f32["ratio"] == 1.5, f32               # 1.5, 1.5 and 2.1, against the faster of the two forms
assert f32["ratio_any"] == 1.5, f32           # 1.5, 1.5 and 1.75
assert bf16["ratio"] == 5 and bf16["ratio_any"] == 3, bf16
assert f32["peer"] == "torch f32_jit" and bf16["peer"] == "torch bf16"
assert bf16["share_of_peak"] == 0.7, bf16

# without a peer in a precision there is nothing to divide by
alone = compare.summarise(case, [{("minivit", "f32"): 20.0, "share f32": 0.8}])
assert alone[0]["ratio"] is None and "n/a" in compare.table(alone)

lines = compare.table(rows).splitlines()
assert len(lines) == 4 and lines[2].startswith("| infer | deit_tiny_patch16_224 | 1 | 1 | f32 | 20.00 | 42.00 | torch f32_jit | 1.50 |"), lines[2]
help_text = subprocess.run([sys.executable, str(bench / "compare.py"), "--help"], capture_output=True, text=True, check=True).stdout
assert "Examples:" in help_text and "--rounds" in help_text
wrong = subprocess.run([sys.executable, str(bench / "compare.py"), "--only", "no such row"], capture_output=True, text=True)
assert wrong.returncode == 2 and "names no row" in wrong.stderr, wrong.stderr
