"""Makes models/reader.gguf of a checkpoint: rounds it to int8, fits its confidence, writes both."""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch

import gguf_file
import gptq
from base import base_folder
from bert import load_base
from data import Question, squad
from eval_reader import evaluate, open_book
from reader import Reader, collate
from reader_file import HEADS, SHARED, load_reader, reader_from, write_reader
from sampling import Share, attach_negatives, draw
from squad_metric import f1
from wordpiece import load_tokenizer

SEED = 7
CALIBRATION_ROWS = 640
# Abstain where "no answer here" beats every span. The best F1 on SQuAD 2.0 would ask for more (2.5
# on the held-out articles), but then the reader keeps silent on a third of what it could answer;
# how far an answer can be trusted is the difficulty score's business.
NULL_THRESHOLD = 0.0


def full_precision(checkpoint: Path, shared: np.ndarray) -> Reader:
    """The reader as trained, f32."""
    model = Reader(load_base(base_folder() / "model.safetensors"))
    state = torch.load(checkpoint)
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert missing == [f"bert.{SHARED}"], missing
    model.bert.token_embd.weight.data = torch.from_numpy(shared)
    return model.eval()


def input_moments(model: Reader, questions: list[Question]) -> gptq.InputMoments:
    """What the linear layers see on rows like those of training."""
    attach_negatives(questions)
    rows = draw(questions, Share(1, 0.5), random.Random(SEED))
    rows = random.Random(SEED).sample(rows, CALIBRATION_ROWS)
    rows.sort(key=lambda row: len(row.ids))
    batches = [collate(rows[i : i + 16]) for i in range(0, len(rows), 16)]
    return gptq.observe(model.bert, batches)


def confidence(model: Reader, questions: list[Question]) -> tuple[float, float]:
    """(scale, bias): sigmoid(scale * margin + bias) is the chance that the open answer is right
    (F1 of at least .5), by logistic regression.
    """
    texts, margins = open_book(model, questions)
    right = [f1(t, q.answers) >= 0.5 for t, q in zip(texts, questions, strict=True)]
    x, y = torch.tensor(margins), torch.tensor(right).float()
    line = torch.tensor([0.3, 0.0], requires_grad=True)
    descent = torch.optim.LBFGS([line], max_iter=100)

    def closure() -> torch.Tensor:
        descent.zero_grad()
        logits = line[0] * x + line[1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
        loss.backward()
        return loss

    descent.step(closure)
    scale, bias = line.detach().tolist()
    return scale, bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path("models/encoder.gguf"))
    parser.add_argument("--out", type=Path, default=Path("models/reader.gguf"))
    options = parser.parse_args()
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    shared = gguf_file.tensor_arrays(options.encoder)[SHARED]
    full = full_precision(options.checkpoint, shared)
    dev = [squad(tokenizer, options.data, "dev", version) for version in ("1.1", "2.0")]

    moments = input_moments(full, squad(tokenizer, options.data, "train", "1.1"))
    tensors = {
        name: gguf_file.stored(name, value, moments.for_tensor(name))
        for name, value in gguf_file.named_tensors(full.bert)
        if name != SHARED
    }
    for head in HEADS:
        for part in ("weight", "bias"):
            value = getattr(getattr(full, head), part).detach().numpy()
            tensors[f"{head}.{part}"] = value
    arrays = {name: gguf_file.loaded(value) for name, value in tensors.items()}
    shipped = reader_from({**arrays, SHARED: shared})
    scale, bias = confidence(shipped, dev[0])
    numbers = {"null_threshold": NULL_THRESHOLD, "confidence_scale": scale, "confidence_bias": bias}
    write_reader(options.out, tensors, options.encoder, numbers)
    load_reader(options.out, options.encoder)  # refuses what it cannot read back
    print(f"{options.out}: {options.out.stat().st_size} bytes  {numbers}", flush=True)
    print("int8", json.dumps(evaluate(shipped, *dev, NULL_THRESHOLD)), flush=True)
    print("f32 ", json.dumps(evaluate(full, *dev, NULL_THRESHOLD)))


if __name__ == "__main__":
    main()
