# SPDX-License-Identifier: MIT
"""The plain ViTs of compare.py in PyTorch, with random weights."""
import torch
import torch.nn.functional as F
from torch import nn

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
