"""The 1,000 texts on which the encoder is compared with its original."""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer

ODD = [
    "a", "I", ".", "?", "0", "42", "3.14159", "the", "edge", "WASM", "Brink", "é", "ñandú",
    "naïve café", "ﬁne ligatures ﬂow", "Ⅷ ① ½", "中文", "東京都は日本の首都です。", "한국어 문장", "Привет, мир!",
    "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "😀",
    "🇩🇪 👩‍👩‍👧‍👦 🏳️‍🌈", "e\u0301 combining a\u0308", "zero\u200bwidth",
    "tab\tnew\nline", "ΑΒΓ αβγ Ω", "İstanbul ıspanak", "straße STRASSE", "x = y² + √z ≤ ∞",
    "C++ / C# / F#", "user@example.org", "https://example.org/a?b=c&d=%20e",
    "[CLS] is not special here", "¿Qué? ¡Sí!", "supercalifragilisticexpialidocious",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1,234,567.89 €",
    "\u00a0non\u2009breaking\u3000spaces", "…—–“”‘’", "if (a < b) { return c[d]; }", "NULL",
    "ß", "Ǆ ǆ ǅ", "�", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝓶𝓪𝓽𝓱", "q w e r t y u i o p",
]  # fmt: skip
COUNT = 1000
SEED = 20261123


def sources(data: Path) -> tuple[list[str], list[str], list[str]]:
    """SQuAD's training contexts and questions, and SciFact's documents."""
    squad = json.loads((data / "squad/squad-v1.1-train.json").read_text())["data"]
    paragraphs = [p for article in squad for p in article["paragraphs"]]
    contexts = [p["context"] for p in paragraphs]
    questions = [q["question"] for p in paragraphs for q in p["qas"]]
    corpus = (data / "scifact/corpus.jsonl").read_text().splitlines()
    abstracts = ["{title} {text}".format(**json.loads(line)) for line in corpus]
    return contexts, questions, abstracts


def thousand_texts(data: Path) -> list[str]:
    """ODD, then equal shares of SQuAD contexts, questions, fragments of a few words and SciFact
    documents from the folder `data`; always the same ones.
    """
    chance = random.Random(SEED)
    contexts, questions, abstracts = sources(data)
    fragments: list[str] = []
    for context in chance.sample(contexts, 400):
        words = context.split()
        start = chance.randrange(len(words))
        fragments.append(" ".join(words[start : start + chance.randint(1, 6)]))
    share = (COUNT - len(ODD)) // 4 + 1
    picked = [chance.sample(pool, share) for pool in (contexts, questions, fragments, abstracts)]
    return (ODD + [text for group in zip(*picked, strict=True) for text in group])[:COUNT]


def calibration_texts(data: Path, tokenizer: Tokenizer) -> list[str]:
    """What the encoder's rounding is fitted to: 1,000 words of the vocabulary alone, and 600
    questions, contexts and abstracts. None is one of the thousand but for single words and marks.
    """
    chance = random.Random(SEED + 1)
    held_out = set(thousand_texts(data))
    words = [w for w in sorted(tokenizer.get_vocab()) if not w.startswith(("[", "##"))]
    contexts, questions, abstracts = sources(data)
    texts = chance.sample(words, 1000)
    for pool in (questions, contexts, abstracts):
        texts += chance.sample([text for text in pool if text not in held_out], 200)
    return texts
