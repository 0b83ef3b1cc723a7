# SPDX-License-Identifier: MIT
"""PyTorch's side of compare.py: one process for one model, batch, thread count and mode. Reads a line, runs, answers with the
milliseconds of one call. Not meant to be started by hand."""
import os
import sys
import time

mode, model_name, batch, threads, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)

import torch  # noqa: E402: reads the variables above
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch_model import SIZES, DeiT  # noqa: E402

torch.set_num_threads(threads)
torch.manual_seed(0)

size = SIZES[model_name]
model, images = DeiT(*size), torch.randn(batch, 3, size[0], size[0])

if mode.startswith("train"):
    labels = torch.randint(0, size[5], (batch,))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)

    def run():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode == "train_bf16"):
            loss = F.cross_entropy(model(images).float(), labels)
        loss.backward()
        optimiser.step()
else:
    model.eval()
    if mode.startswith("bf16"):
        model, images = model.bfloat16(), images.bfloat16()
    if mode.startswith("int8"):
        torch.backends.quantized.engine = "onednn" if "onednn" in torch.backends.quantized.supported_engines else "fbgemm"
        model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    if mode.endswith("_jit"):
        with torch.no_grad():
            model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, images)))

    def run():
        with torch.inference_mode():
            model(images)


for _ in range(3):
    run()
print("ready", torch.__version__, flush=True)
for _ in sys.stdin:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(sorted(times)[len(times) // 2] * 1e3, flush=True)
