"""AdamW for a bfloat16 model: f32 master weights, layer-wise rates, a moving average of weights."""

import math

import torch
from torch import Tensor

from reader import Reader

LAYER_DECAY = 0.9  # each layer below the heads learns at this part of the rate of the one above
HEAD_RATE = 3.0
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
WARMUP = 0.06


def rate_of(name: str, layers: int) -> float:
    """A parameter's part of the learning rate."""
    if name.startswith("qa_"):
        return HEAD_RATE
    depth = int(name.split(".")[2]) + 1 if name.startswith("bert.layers.") else 0
    return LAYER_DECAY ** (layers - depth)


class MasterAdamW:
    """Steps f32 copies of a bfloat16 model's weights and writes them back, rounded.

    bfloat16 has 8 bits of precision: a step of 1e-4 on a weight of 1 would be lost in it.
    """

    def __init__(self, model: Reader, peak: float, steps: int, ema: float) -> None:
        self.params = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.masters = {n: p.detach().float().clone() for n, p in self.params.items()}
        self.average = {n: p.clone() for n, p in self.masters.items()}
        layers = model.bert.config.layers
        groups = [
            {
                "params": [master],
                "scale": rate_of(name, layers),
                "weight_decay": WEIGHT_DECAY if master.dim() == 2 else 0.0,
            }
            for name, master in self.masters.items()
        ]
        self.adam = torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.peak, self.steps, self.ema, self.done = peak, steps, ema, 0

    def load_masters(self, state: dict[str, Tensor]) -> None:
        """Sets the f32 weights, their average and the model's rounded copies."""
        for name, master in self.masters.items():
            master.copy_(state[name])
            self.average[name].copy_(state[name])
            self.params[name].data.copy_(master)

    def state(self) -> dict:
        """All that going on after a break takes."""
        weights = {"masters": self.masters, "average": self.average}
        return {**weights, "adam": self.adam.state_dict(), "done": self.done}

    def resume(self, state: dict) -> None:
        """Goes on from a `state`."""
        self.load_masters(state["masters"])
        for name, average in self.average.items():
            average.copy_(state["average"][name])
        self.adam.load_state_dict(state["adam"])
        self.done = state["done"]

    def rate(self) -> float:
        """Linear warmup, then a half cosine down to nothing; a part of the peak."""
        part = self.done / self.steps
        if part < WARMUP:
            return part / WARMUP
        return 0.5 * (1 + math.cos(math.pi * (part - WARMUP) / (1 - WARMUP)))

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients in the model, which it clears."""
        for name, param in self.params.items():
            self.masters[name].grad = param.grad.float() if param.grad is not None else None
            param.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters.values(), CLIP_NORM)
        rate = self.rate() * self.peak
        for group in self.adam.param_groups:
            group["lr"] = rate * group["scale"]
        self.adam.step()
        self.done += 1
        keep = min(self.ema, (1 + self.done) / (10 + self.done))
        for name, master in self.masters.items():
            self.params[name].copy_(master)
            self.average[name].lerp_(master, 1 - keep)
