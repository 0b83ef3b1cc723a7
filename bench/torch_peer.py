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

torch.set_num_threads(threads)
torch.manual_seed(0)

#        image, patch, width, layers, heads, classes
SIZES = {
    "deit_tiny_patch16_224": (224, 16, 192, 12, 3, 1000),
    "deit_small_patch16_224": (224, 16, 384, 12, 6, 1000),
    "deit_base_patch16_224": (224, 16, 768, 12, 12, 1000),
    "vit_tiny_patch4_32": (32, 4, 192, 12, 3, 10),
}


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        images, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(images, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attention = torch.matmul(q * self.scale, k.transpose(2, 3)).softmax(dim=3)
        x = x + self.proj(torch.matmul(attention, v).transpose(1, 2).reshape(images, tokens, width))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class DeiT(nn.Module):
    def __init__(self, image, patch, width, layers, heads, classes):
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, (image // patch) ** 2 + 1, width) * 0.02)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1) + self.position
        return self.head(self.norm(self.layers(x))[:, 0])


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
