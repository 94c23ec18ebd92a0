"""The vocabulary of all-MiniLM-L6-v2, with character offsets and without truncation."""

from pathlib import Path

from tokenizers import Tokenizer

PAD, UNK, CLS, SEP, MASK = 0, 100, 101, 102, 103


def load_tokenizer(path: Path) -> Tokenizer:
    """A published tokenizer.json, freed of the truncation and the padding that it asks for. A
    special token's name in a text is text: it could forge the border of a passage otherwise.
    """
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def vocabulary(tokenizer: Tokenizer) -> list[str]:
    """The pieces, by id."""
    by_piece = tokenizer.get_vocab()
    return sorted(by_piece, key=by_piece.__getitem__)
