#!/usr/bin/env python3
"""How far the reported median moves from run to run: (largest - smallest) / median over RUNS runs of `assay bench`, each a
process of its own, beside torch.utils.benchmark's for the same kernels, timed in between. The card is warmed up for 20 s before:
at its power limit a cool one is faster, by 0.7 % of the time of a kernel on an H100. Needs PyTorch, g++ and the CUDA runtime; not
part of ctest.
usage: spread.py ASSAY LIBFLASHATTENTION.A [RUNS [SECONDS [FOLDER]]]
The result files, with the raw samples, are kept in FOLDER.
Exit code 1 when a case of 100 us and more moves by 1 % or more."""
import ctypes
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time

import torch
from torch.utils import benchmark

CASES = [
    "attention/f16/d64/h16:16/b1/s8192:8192/full/bshd/normal",
    "attention/bf16/d64/h16:16/b1/s8192:8192/causal/bshd/normal",
    "attention/f16/d128/h16:16/b1/s8192:8192/full/bshd/normal",
]


def load(archive, folder):
    library = os.path.join(folder, "run_mha.so")
    cuda = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    subprocess.run(["g++", "-shared", "-o", library, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", f"-L{cuda}/lib64",
                    f"-Wl,-rpath,{cuda}/lib64", "-lcudart"], check=True)
    run_mha = ctypes.CDLL(library, mode=os.RTLD_LAZY | os.RTLD_LOCAL).run_mha
    pointer, word, integer, real = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_float
    # kernels/attention.c: run_mha_092
    run_mha.argtypes = [pointer] * 8 + [word] * 18 + [real] + [word] * 4 + [integer] * 5 + [real]
    run_mha.restype = None
    return run_mha


def call_of(run_mha, name):
    dtype, d, h, s, mask = re.match(r"attention/(\w+)/d(\d+)/h(\d+):\d+/b1/s(\d+):\d+/(\w+)/", name).groups()
    d, h, s, causal = int(d), int(h), int(s), mask == "causal"
    kind = {"f16": torch.float16, "bf16": torch.bfloat16}[dtype]
    q, k, v, o = (torch.randn(1, s, h, d, device="cuda", dtype=kind) for _ in range(4))
    lse = torch.empty(1, h, s, device="cuda")
    row = [s * h * d] * 4 + [0] + [h * d] * 4 + [d] * 4
    rounded = (s + 127) // 128 * 128
    window = (s, 0) if causal else (-1, -1)

    def call():
        run_mha(q.data_ptr(), k.data_ptr(), v.data_ptr(), o.data_ptr(), lse.data_ptr(), None, None, None, *row, 1, h, h, d,
                (d + 31) // 32 * 32, 1 / math.sqrt(d), s, s, rounded, rounded, int(dtype == "bf16"), int(causal), 0, *window, 0.0)
    return call


def assay_medians(assay, archive, seconds, folder, result):
    path = os.path.join(folder, "bench.json")
    filters = [word for name in CASES for word in ("--filter", name)]
    subprocess.run([assay, "bench", archive, "--device", "cuda:0", "--no-baseline", "--repeats", "0", "--quiet",
                    "--dataset", "bench.spec", "--bench-seconds", str(seconds), "--benchmark-json", path, "--out", result,
                    *filters],
                   check=True, stdout=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as file:
        benchmarks = json.load(file)["benchmarks"]
    return {one["name"].split("/iterations:")[0].split("/manual_time")[0]: one["real_time"] for one in benchmarks}


def torch_medians(calls, seconds):
    medians = {}
    for name, call in calls.items():
        timer = benchmark.Timer("call()", globals={"call": call})
        medians[name] = timer.blocked_autorange(min_run_time=seconds).median * 1e6
    return medians


def warm_up(calls, seconds):
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        for call in calls.values():
            for _ in range(100):
                call()
            torch.cuda.synchronize()


def spread(values):
    values = sorted(values)
    return (values[-1] - values[0]) / values[len(values) // 2]


def main():
    assay, archive = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 3.0
    ours, theirs = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        kept = sys.argv[5] if len(sys.argv) > 5 else folder
        os.makedirs(kept, exist_ok=True)
        run_mha = load(archive, folder)
        calls = {name: call_of(run_mha, name) for name in CASES}
        warm_up(calls, 20)
        for run in range(runs):
            for name, value in assay_medians(assay, archive, seconds, folder, os.path.join(kept, f"run{run + 1}.h5")).items():
                ours.setdefault(name, []).append(value)
            for name, value in torch_medians(calls, seconds / 3).items():
                theirs.setdefault(name, []).append(value)
            print(f"run {run + 1}: " + ", ".join(f"{ours[name][-1]:.1f} {theirs[name][-1]:.1f}" for name in ours), file=sys.stderr)
    failed = len(ours) < len(CASES)
    print(f"{'case':62} {'assay us':>10} {'spread':>8} {'torch us':>10} {'spread':>8}   over {runs} runs")
    for name in CASES:
        if name not in ours:
            print(f"{name:62} was not timed (there: {', '.join(ours) or 'nothing'})")
            continue
        mine, other = sorted(ours[name]), sorted(theirs[name])
        failed |= mine[len(mine) // 2] >= 100 and not spread(mine) < 0.01
        print(f"{name:62} {mine[len(mine) // 2]:10.2f} {100 * spread(mine):7.2f}%"
              f" {other[len(other) // 2]:10.2f} {100 * spread(other):7.2f}%")
    sys.exit(int(failed))


main()
