"""Writes test/model/quantize.fixture.json: blocks of f32 and what the package `gguf` makes of them.

    pip install gguf==0.19.0 && python train/quantize_fixture.py
"""

import base64
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants

rng = np.random.default_rng(20261124)
ramp = np.arange(32, dtype=np.float32)
blocks = np.stack(
    [
        np.zeros(32),
        ramp - 15.5,  # two numbers share the greatest magnitude
        15.5 - ramp,
        (ramp - 16) * 0.5,  # quotients that lie half way
        np.where(ramp == 3, -1, 1e-3),
        np.where(ramp == 30, 4e5, ramp),  # the scale is near the greatest half
        rng.normal(size=32) * 1e-6,  # and here below the normal halves
        rng.normal(size=32) * 1e-11,
        rng.uniform(-127, 127, size=32).round(),
        *rng.normal(size=(7, 32)) * 0.02,
        *rng.standard_t(2, size=(8, 32)) * 0.1,
    ]
).astype("<f4")


def encode(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def quantize(kind: GGMLQuantizationType) -> str:
    with np.errstate(over="ignore"):
        return encode(quants.quantize(blocks, kind))


fixture = {
    "source": "gguf 0.19.0, train/quantize_fixture.py",
    "blocks": len(blocks),
    "numbers": encode(blocks),
    "Q8_0": quantize(GGMLQuantizationType.Q8_0),
    "Q4_0": quantize(GGMLQuantizationType.Q4_0),
    "F16": encode(blocks[6:].astype("<f2")),
    "f16_from": 6,
}
out = Path(__file__).parent.parent / "test/model/quantize.fixture.json"
out.write_text(json.dumps(fixture, indent=2) + "\n")
