"""Q8_0 with one scale per row: a valid Q8_0 tensor whose 32-wide blocks all bear the row's scale.

Any GGUF reader can use it; an engine that checks that the scales of a row are equal can compute
whole rows in integers and multiply once.
"""

import numpy as np

BLOCK = 32
QUANT_MAX = 127
# Clipping the largest weight a little buys finer steps for the rest. Below .7 it never pays.
SCALE_GRID = np.linspace(0.7, 1.0, 61)


def quantize_rows(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w f32 [rows, cols] -> quants i8 [rows, cols] in [-127, 127], scales f16 [rows].

    The scale of a row is the one of SCALE_GRID * absmax / 127 with the least squared error, after
    rounding to f16, since the file holds f16.
    """
    absmax = np.abs(w).max(axis=1)
    best_error = np.full(len(w), np.inf)
    best = np.zeros(len(w), np.float16)
    for part in SCALE_GRID:
        scale = (absmax * part / QUANT_MAX).astype(np.float16)
        divisor = np.where(scale == 0, 1, scale).astype(np.float32)[:, None]
        quants = np.clip(np.rint(w / divisor), -QUANT_MAX, QUANT_MAX)
        error = np.square(quants * divisor - w).sum(axis=1)
        better = error < best_error
        best[better], best_error[better] = scale[better], error[better]
    divisor = np.where(best == 0, 1, best).astype(np.float32)[:, None]
    quants = np.clip(np.rint(w / divisor), -QUANT_MAX, QUANT_MAX).astype(np.int8)
    return quants, best


def dequantize_rows(quants: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The weights the file stands for: f32 [rows, cols]."""
    return quants.astype(np.float32) * scales.astype(np.float32)[:, None]


def pack(quants: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """GGUF's bytes: u8 [rows, cols / 32 * 34]; a block is its f16 scale, then 32 quants."""
    rows, cols = quants.shape
    assert cols % BLOCK == 0, f"{cols} columns are not whole blocks of {BLOCK}"
    out = np.empty((rows, cols // BLOCK, 2 + BLOCK), np.uint8)
    out[:, :, :2] = np.repeat(scales[:, None], cols // BLOCK, axis=1)[..., None].view(np.uint8)
    out[:, :, 2:] = quants.reshape(rows, -1, BLOCK).view(np.uint8)
    return out.reshape(rows, -1)


def unpack(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of pack; refuses rows whose blocks differ in scale."""
    blocks = raw.reshape(raw.shape[0], -1, 2 + BLOCK)
    scales = np.ascontiguousarray(blocks[:, :, :2]).view(np.float16)[..., 0]
    assert (scales == scales[:, :1]).all(), "a row has more than one scale"
    quants = np.ascontiguousarray(blocks[:, :, 2:]).view(np.int8)
    return quants.reshape(raw.shape[0], -1), scales[:, 0].copy()
