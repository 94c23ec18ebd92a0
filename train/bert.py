"""BERT's encoder in plain torch: the one model both the encoder and the reader are made of.

Shapes: b sequences, t tokens, d = 384 dimensions, h = 12 heads, f = 1536 inner dimensions.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn


@dataclass(frozen=True)
class BertConfig:
    """The sizes of all-MiniLM-L6-v2; nothing here makes another model."""

    vocab: int = 30522
    positions: int = 512
    types: int = 2
    dim: int = 384
    heads: int = 12
    ffn: int = 1536
    layers: int = 6
    norm_eps: float = 1e-12


class SharedDropout(nn.Module):
    """Dropout with one mask for all tokens of a sequence: drawing one per token costs a tenth of
    a training step on a CPU.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """x [b, t, d] -> [b, t, d]."""
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(x.shape[0], 1, x.shape[2]) >= self.rate
        return x * (keep / (1 - self.rate)).to(x.dtype)


class Layer(nn.Module):
    """One post-norm transformer layer. Query, key and value are one matrix, which is faster."""

    def __init__(self, c: BertConfig, dropout: float) -> None:
        super().__init__()
        self.heads = c.heads
        self.qkv = nn.Linear(c.dim, 3 * c.dim)
        self.attn_output = nn.Linear(c.dim, c.dim)
        self.attn_output_norm = nn.LayerNorm(c.dim, c.norm_eps)
        self.ffn_up = nn.Linear(c.dim, c.ffn)
        self.ffn_down = nn.Linear(c.ffn, c.dim)
        self.layer_output_norm = nn.LayerNorm(c.dim, c.norm_eps)
        self.dropout = SharedDropout(dropout)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """x [b, t, d], bias [b, 1, 1, t] added to attention scores -> [b, t, d]."""
        b, t, d = x.shape
        split = (b, t, self.heads, d // self.heads)
        q, k, v = (part.view(split).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        # Written out: on a CPU the fused kernel's backward pass takes up to four times as long.
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
        mixed = (scores if bias is None else scores + bias).softmax(dim=-1) @ v
        mixed = self.attn_output(mixed.transpose(1, 2).reshape(b, t, d))
        x = self.attn_output_norm(x + self.dropout(mixed))
        return self.layer_output_norm(x + self.dropout(self.ffn_down(F.gelu(self.ffn_up(x)))))


class Bert(nn.Module):
    """Token ids to one vector per token."""

    def __init__(self, c: BertConfig | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = c = c or BertConfig()
        self.token_embd = nn.Embedding(c.vocab, c.dim)
        self.token_types = nn.Embedding(c.types, c.dim)
        self.position_embd = nn.Embedding(c.positions, c.dim)
        self.token_embd_norm = nn.LayerNorm(c.dim, c.norm_eps)
        self.layers = nn.ModuleList(Layer(c, dropout) for _ in range(c.layers))
        self.dropout = SharedDropout(dropout)

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor | None = None) -> Tensor:
        """ids, types i64 [b, t]; mask bool [b, t], true on real tokens (None: all) -> [b, t, d]."""
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.token_embd(ids) + self.token_types(types) + self.position_embd(places)
        x = self.dropout(self.token_embd_norm(x))
        bias = None
        if mask is not None:
            bias = torch.zeros(mask.shape, dtype=x.dtype).masked_fill(~mask, -1e9)
            bias = bias[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias)
        return x


def embed(model: Bert, ids: Tensor, mask: Tensor) -> Tensor:
    """Sentence embedding: the mean over real tokens, normalized. -> f32 [b, d]."""
    hidden = model(ids, torch.zeros_like(ids), mask)
    weight = mask[:, :, None].to(hidden.dtype)
    return F.normalize((hidden * weight).sum(1) / weight.sum(1), dim=-1)


def load_base(path: Path, dropout: float = 0.0) -> Bert:
    """The model in a safetensors file with Hugging Face's names, f32."""
    source = load_file(path)
    state: dict[str, Tensor] = {}

    def linear(ours: str, *theirs: str) -> None:
        for part in ("weight", "bias"):
            state[f"{ours}.{part}"] = torch.cat([source[f"{name}.{part}"] for name in theirs])

    for ours, theirs in (
        ("token_embd", "word_embeddings"),
        ("token_types", "token_type_embeddings"),
        ("position_embd", "position_embeddings"),
    ):
        state[f"{ours}.weight"] = source[f"embeddings.{theirs}.weight"]
    linear("token_embd_norm", "embeddings.LayerNorm")
    for i in range(BertConfig.layers):
        at, to = f"encoder.layer.{i}", f"layers.{i}"
        linear(f"{to}.qkv", *(f"{at}.attention.self.{n}" for n in ("query", "key", "value")))
        linear(f"{to}.attn_output", f"{at}.attention.output.dense")
        linear(f"{to}.attn_output_norm", f"{at}.attention.output.LayerNorm")
        linear(f"{to}.ffn_up", f"{at}.intermediate.dense")
        linear(f"{to}.ffn_down", f"{at}.output.dense")
        linear(f"{to}.layer_output_norm", f"{at}.output.LayerNorm")
    model = Bert(dropout=dropout)
    model.load_state_dict(state)
    return model
