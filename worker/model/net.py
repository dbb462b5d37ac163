"""The Llama architecture in plain PyTorch: RMSNorm, interleaved RoPE, grouped attention, SwiGLU, tied embeddings."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    vocabulary: int = 3072
    dim: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 3
    hidden: int = 512
    context: int = 512
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.dim // self.heads


def rope(config: Config) -> tuple[Tensor, Tensor]:
    frequency = config.rope_base ** (-torch.arange(0, config.head, 2).float() / config.head)
    angle = torch.outer(torch.arange(config.context).float(), frequency)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Neighbouring pairs turn together, as llama.cpp's llama architecture has it. x: batch, heads, time, head."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, dim: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Block(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        kv = config.kv_heads * config.head
        self.attention_norm = RMSNorm(config.dim, config.epsilon)
        self.q = nn.Linear(config.dim, config.dim, bias=False)
        self.k = nn.Linear(config.dim, kv, bias=False)
        self.v = nn.Linear(config.dim, kv, bias=False)
        self.o = nn.Linear(config.dim, config.dim, bias=False)
        self.ffn_norm = RMSNorm(config.dim, config.epsilon)
        self.gate = nn.Linear(config.dim, config.hidden, bias=False)
        self.up = nn.Linear(config.dim, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.dim, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        c = self.config
        batch, time, _ = x.shape
        y = self.attention_norm(x)
        q = rotate(self.q(y).view(batch, time, c.heads, c.head).transpose(1, 2), cos, sin)
        k = rotate(self.k(y).view(batch, time, c.kv_heads, c.head).transpose(1, 2), cos, sin)
        v = self.v(y).view(batch, time, c.kv_heads, c.head).transpose(1, 2)
        group = c.heads // c.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = q @ k.transpose(-1, -2) * c.head**-0.5 + mask
        x = x + self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, time, c.dim))
        y = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.dim, config.epsilon)
        cos, sin = rope(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # Projections back into the stream start smaller, so that depth does not blow it up
                depth = (2 * config.layers) ** -0.5 if name.endswith(("o.weight", "down.weight")) else 1.0
                scale = 0.05 if name.startswith("embedding") else config.dim**-0.5
                nn.init.normal_(weight, std=scale * depth)

    def hidden(self, tokens: Tensor) -> Tensor:
        time = tokens.shape[1]
        mask = torch.full((time, time), float("-inf")).triu(1)
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos[:time], self.sin[:time], mask)
        return self.norm(x)

    def loss(self, tokens: Tensor, weights: Tensor) -> Tensor:
        """Cross entropy of the next token, weighted; only positions with a weight pay for the vocabulary."""
        x = self.hidden(tokens[:, :-1])
        weight = weights[:, 1:].reshape(-1)
        chosen = weight.nonzero().squeeze(1)
        logits = x.reshape(-1, x.shape[-1])[chosen] @ self.embedding.weight.T
        each = F.cross_entropy(logits, tokens[:, 1:].reshape(-1)[chosen], reduction="none")
        return (each * weight[chosen]).sum() / weight[chosen].sum()
