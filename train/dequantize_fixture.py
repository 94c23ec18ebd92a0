"""Makes test/model/dequantize.fixture.json: random blocks of every tensor type and what the
package `gguf` dequantizes them to. Scales are finite halves of any magnitude, zero and subnormal
ones included; all other bytes are uniform.
"""

import argparse
import base64
import json
from pathlib import Path

import gguf
import numpy as np

# The type's name, blocks in the fixture, and where in a block its halves lie.
TYPES = {
    "F16": (64, [0]),
    "BF16": (64, []),
    "Q8_0": (6, [0]),
    "Q4_0": (6, [0]),
    "Q4_1": (6, [0, 2]),
    "Q5_0": (6, [0]),
    "Q5_1": (6, [0, 2]),
    "Q4_K": (3, [0, 2]),
    "Q5_K": (3, [0, 2]),
    "Q6_K": (3, [208]),
}


def random_blocks(rng: np.random.Generator, name: str, count: int, halves: list[int]) -> np.ndarray:
    size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]][1]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in halves:
        bits = rng.integers(0, 1 << 16, count, dtype=np.uint16)
        bits[(bits >> 10) & 31 == 31] &= 0x83FF  # infinities and NaN become subnormals
        blocks[:, at : at + 2] = bits.astype("<u2").view(np.uint8).reshape(count, 2)
    if name == "BF16":
        blocks[:, 1] &= 0xBF  # a bit of the exponent: no infinities and no NaN
    return blocks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test/model/dequantize.fixture.json"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    encode = lambda array: base64.b64encode(array.tobytes()).decode()  # noqa: E731
    fixture = {}
    for name, (count, halves) in TYPES.items():
        blocks = random_blocks(rng, name, count, halves)
        values = gguf.quants.dequantize(blocks.reshape(1, -1), gguf.GGMLQuantizationType[name])
        fixture[name] = {"blocks": encode(blocks), "values": encode(values.astype("<f4"))}
    options.out.write_text(json.dumps(fixture, indent=2) + "\n")


if __name__ == "__main__":
    main()
