"""Rounds weights so that the layer's outputs, not the weights, stay close: GPTQ.

After a column of W is rounded, the columns still to come are moved to make up for its error on the
inputs that the layer really gets. A few hidden units of MiniLM are a hundred times larger than the
others on very short texts; plain rounding lets the cosine of '.' fall to .995.
Source: Frantar et al., "GPTQ", ICLR 2023 (arXiv 2210.17323), algorithm 1.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import q8_0
from bert import Bert

DAMPING = 0.01
BLOCK = 64  # columns between two updates of all later ones


class InputMoments:
    """Sums weight * x x^T over the inputs x of every linear module of a model."""

    def __init__(self, model: Bert) -> None:
        self.moments: dict[str, np.ndarray] = {}
        self.weight: Tensor | None = None  # [b, t], 0 on padding
        self.hooks = [
            module.register_forward_hook(self._hook(name))
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear)
        ]

    def _hook(self, name: str) -> Callable[..., None]:
        def add(_module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
            assert self.weight is not None
            x = (inputs[0] * self.weight.sqrt()[:, :, None]).flatten(0, 1)
            moment = (x.T @ x).double().numpy()
            self.moments[name] = self.moments.get(name, 0) + moment

        return add

    def for_tensor(self, name: str) -> np.ndarray | None:
        """The moment [cols, cols] of the inputs of a tensor by its name in GGUF, if it has one."""
        parts = name.split(".")
        if parts[0] != "blk":
            return None
        module = "qkv" if parts[2] in ("attn_q", "attn_k", "attn_v") else parts[2]
        return self.moments.get(f"layers.{parts[1]}.{module}")


def quantize(w: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w f32 [rows, cols], moment f64 [cols, cols] -> quants i8 [rows, cols], scales f16 [rows].

    Columns go in order of falling energy, so that the ones that matter are rounded while there is
    still room to make up for them. O(rows cols^2).
    """
    _, scales = q8_0.quantize_rows(w)
    order = np.argsort(-np.diag(moment), kind="stable")
    h = moment[np.ix_(order, order)]
    h = h + DAMPING * np.mean(np.diag(h)) * np.eye(len(h))
    # The upper Cholesky factor of the inverse holds each step's shares for the later columns.
    upper = np.linalg.cholesky(np.linalg.inv(h)).T
    left = w[:, order].astype(np.float64)
    divisor = np.where(scales == 0, 1, scales).astype(np.float64)
    quants = np.empty(w.shape, np.int8)
    for at in range(0, len(order), BLOCK):
        end = min(at + BLOCK, len(order))
        errors = np.empty((len(w), end - at))
        for j in range(at, end):
            rounded = np.clip(np.rint(left[:, j] / divisor), -q8_0.QUANT_MAX, q8_0.QUANT_MAX)
            quants[:, order[j]] = rounded
            error = (left[:, j] - rounded * divisor) / upper[j, j]
            left[:, j + 1 : end] -= error[:, None] * upper[j, j + 1 : end]
            errors[:, j - at] = error
        left[:, end:] -= errors @ upper[at:end, end:]
    return quants, scales


@torch.inference_mode()
def observe(model: Bert, batches: list[dict[str, Tensor]]) -> InputMoments:
    """Runs batches of ids, types and mask through a model; each row counts alike, however long."""
    moments = InputMoments(model)
    model.eval()
    for batch in batches:
        mask = batch["mask"].float()
        moments.weight = mask / mask.sum(1, keepdim=True)
        model(batch["ids"], batch["types"], batch["mask"])
    for hook in moments.hooks:
        hook.remove()
    return moments
