"""Texts to embeddings with a torch encoder, in batches of like length."""

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from bert import Bert, embed
from gguf_file import CONTEXT_LENGTH
from wordpiece import PAD, SEP

BATCH = 32
# The published model cuts texts here, though it has CONTEXT_LENGTH positions.
TOKENS_MAX = 256


def token_ids(tokenizer: Tokenizer, text: str, tokens_max: int = CONTEXT_LENGTH) -> list[int]:
    """[CLS] text [SEP]; a text too long loses its end, never its [SEP]."""
    ids = tokenizer.encode(text).ids
    return ids if len(ids) <= tokens_max else ids[: tokens_max - 1] + [SEP]


def batches(
    tokenizer: Tokenizer, texts: list[str], tokens_max: int = CONTEXT_LENGTH
) -> list[dict[str, Tensor]]:
    """ids, types i64 and mask bool, each [b, t]; `rows` says which texts they are."""
    every = [token_ids(tokenizer, text, tokens_max) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(every[i]))
    out = []
    for at in range(0, len(order), BATCH):
        rows = order[at : at + BATCH]
        width = max(len(every[i]) for i in rows)
        ids = torch.tensor([every[i] + [PAD] * (width - len(every[i])) for i in rows])
        mask = torch.arange(width) < torch.tensor([[len(every[i])] for i in rows])
        row_numbers = torch.tensor(rows)
        out.append(
            {"ids": ids, "types": torch.zeros_like(ids), "mask": mask, "rows": row_numbers}
        )
    return out


@torch.inference_mode()
def embed_texts(model: Bert, tokenizer: Tokenizer, texts: list[str]) -> np.ndarray:
    """f32 [texts, 384], each row of length 1, in the order given; cut as the published model is."""
    model.eval()
    out = np.empty((len(texts), model.config.dim), np.float32)
    for batch in batches(tokenizer, texts, TOKENS_MAX):
        out[batch["rows"].numpy()] = embed(model, batch["ids"], batch["mask"]).numpy()
    return out
