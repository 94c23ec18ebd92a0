"""Fine-tunes the reader from the encoder; writes a checkpoint that make_reader.py exports."""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import gguf_file
from base import base_folder
from bert import load_base
from data import Question, articles, load_questions, squad
from eval_reader import gold, mean_scores
from optimizer import MasterAdamW
from reader import Pair, Reader, collate
from sampling import Share, attach_negatives, draw
from wordpiece import load_tokenizer

SEED = 20261123
ROWS_PER_STEP = 32
TOKENS_PER_BATCH = 3072  # a step is split into batches this large, which stay in the cache
ANSWERABLE_WEIGHT = 0.3
EMA = 0.998
DROPOUT = 0.1


@dataclass(frozen=True)
class Epoch:
    """What an epoch draws from each source; see sampling.Share."""

    squad: Share
    impossible: float
    qamr: Share
    policy: Share
    covid: Share


@dataclass(frozen=True)
class Stage:
    """A run with one warmup and one decay; `steps` ends it before its plan does."""

    peak: float
    epochs: tuple[Epoch, ...]
    steps: int | None = None


NONE = Share(0)
BROAD = Epoch(Share(1, 0.3, 0.1), 0.5, Share(0.35, 0.03), Share(0.1, 0.02), NONE)
FULL = Epoch(Share(1, 0.5, 0.15), 1.0, Share(0.4, 0.05), Share(0.15, 0.03), Share(0.7, 0.3))
NARROW = Epoch(Share(1, 0.5, 0.15), 1.0, Share(0.1, 0.02), NONE, NONE)
LIGHT = Epoch(Share(1, 0.3, 0.1), 0.6, Share(0.1, 0.02), NONE, NONE)
STAGES = {
    "first": Stage(2e-4, (BROAD,)),
    # Cut for want of time; what it would have decayed to is unknown. The third stage decays.
    "second": Stage(2e-4, (FULL, NARROW, NARROW), steps=350),
    "third": Stage(2e-4, (LIGHT, LIGHT)),
}


def load_sources(data: Path) -> dict[str, list[Question]]:
    """Every training question by source, with passages that look right and are not."""
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    sources = {"squad": squad(tokenizer, data, "train", "1.1")}
    known = {q.id for q in sources["squad"]}
    second = squad(tokenizer, data, "train", "2.0")
    sources["squad"] += [q for q in second if q.spans and q.id not in known]
    sources["impossible"] = [q for q in second if not q.spans]
    for name, files in (
        ("qamr", ["qamr"]),
        ("policy", ["policyqa-1", "policyqa-2"]),
        ("covid", ["covidqa"]),
    ):
        found = [a for file in files for a in articles(data / f"qa-extra/{file}.json")]
        sources[name] = load_questions(tokenizer, found)
    for name in ("squad", "qamr", "policy", "covid"):
        attach_negatives(sources[name])
    return sources


def epoch_rows(epoch: Epoch, sources: dict[str, list[Question]], seed: int) -> list[Pair]:
    """One epoch's rows, unordered."""
    chance = random.Random(seed)
    rows = draw(sources["impossible"], Share(epoch.impossible), chance)
    for name in ("squad", "qamr", "policy", "covid"):
        rows += draw(sources[name], getattr(epoch, name), chance)
    return rows


def steps_of(rows: list[Pair], seed: int) -> list[list[Pair]]:
    """Groups of ROWS_PER_STEP rows of like length, in random order: little is wasted on padding."""
    chance = random.Random(seed)
    rows = sorted(rows, key=lambda row: len(row.ids) + chance.uniform(0, 24))
    groups = [rows[i : i + ROWS_PER_STEP] for i in range(0, len(rows), ROWS_PER_STEP)]
    chance.shuffle(groups)
    return groups


def batches_of(rows: list[Pair]) -> list[list[Pair]]:
    """Splits a step's rows so that none of the padded batches exceeds TOKENS_PER_BATCH."""
    size = max(1, TOKENS_PER_BATCH // max(len(row.ids) for row in rows))
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def loss_of(model: Reader, batch: dict[str, Tensor]) -> Tensor:
    """Summed over the rows: cross entropy of both ends over [CLS] and passage, and of the
    answerability head.
    """
    ends, answerable = model(batch["ids"], batch["types"], batch["mask"])
    ends = ends.masked_fill(~batch["allowed"][:, :, None], -1e4)
    start = F.cross_entropy(ends[:, :, 0], batch["start"], reduction="sum")
    end = F.cross_entropy(ends[:, :, 1], batch["end"], reduction="sum")
    wanted = (batch["start"] > 0).float()
    known = F.binary_cross_entropy_with_logits(answerable, wanted, reduction="sum")
    return (start + end) / 2 + ANSWERABLE_WEIGHT * known


def train(
    model: Reader,
    stage: Stage,
    sources: dict[str, list[Question]],
    init: Path | None,
    out: Path,
) -> dict[str, Tensor]:
    """Runs a stage; returns the averaged weights, f32, by name, which `out` holds all along. What
    a run that breaks off goes on from lies beside it.
    """
    plan = [
        group
        for i, epoch in enumerate(stage.epochs)
        for group in steps_of(epoch_rows(epoch, sources, SEED + i), SEED + i)
    ]
    tuner = MasterAdamW(model, stage.peak, len(plan), EMA)
    state = out.with_suffix(".state.pt")
    if state.exists():
        tuner.resume(torch.load(state))
        print(f"going on after step {tuner.done}", flush=True)
    elif init:
        tuner.load_masters(torch.load(init))
    started, total, tokens = time.time(), 0.0, 0
    model.train()
    for number, group in enumerate(plan[tuner.done : stage.steps], tuner.done + 1):
        for rows in batches_of(group):
            batch = collate(rows, multiple=8)
            loss = loss_of(model, batch) / len(group)
            loss.backward()
            total, tokens = total + float(loss.detach()), tokens + batch["ids"].numel()
        tuner.step()
        if number % 50 == 0 or number == len(plan):
            speed = tokens / (time.time() - started)
            print(
                f"step {number}/{len(plan)}  loss {total / 50:.3f}  {speed:.0f} tokens/s  "
                f"{time.time() - started:.0f} s",
                flush=True,
            )
            total = 0.0
            torch.save(tuner.average, out)
            save_whole(tuner.state(), state)
    state.unlink(missing_ok=True)
    return tuner.average


def save_whole(value: dict, path: Path) -> None:
    """Never leaves half a file in the place of a whole one."""
    part = path.with_suffix(".part")
    torch.save(value, part)
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path("models/encoder.gguf"))
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--init", type=Path, help="a checkpoint to go on from")
    parser.add_argument("--out", type=Path, required=True)
    opts = parser.parse_args()
    torch.manual_seed(SEED)
    sources = load_sources(opts.data)
    print({name: len(found) for name, found in sources.items()}, flush=True)
    bert = load_base(base_folder() / "model.safetensors", DROPOUT)
    shared = gguf_file.tensor_arrays(opts.encoder)["token_embd.weight"]
    bert.token_embd.weight.data.copy_(torch.from_numpy(shared))
    bert.token_embd.weight.requires_grad_(False)
    model = Reader(bert).bfloat16()
    opts.out.parent.mkdir(parents=True, exist_ok=True)
    weights = train(model, STAGES[opts.stage], sources, opts.init, opts.out)
    model.float().load_state_dict(weights, strict=False)
    bert.token_embd.weight.data.copy_(torch.from_numpy(shared))
    tokenizer = load_tokenizer(base_folder() / "tokenizer.json")
    for version in ("1.1", "2.0"):
        dev = squad(tokenizer, opts.data, "dev", version)
        print(f"v{version} dev, never abstaining", mean_scores(gold(model, dev)[0], dev))


if __name__ == "__main__":
    main()
