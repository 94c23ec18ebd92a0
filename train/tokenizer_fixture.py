"""Makes test/model/wordpiece.fixture.json: what `tokenizers` gives for the test's 10,000 strings.

Too many ids to keep, so it keeps hashes: one SHA-256 over every id, and the first 8 hex digits of
one for each block of 100 strings, which locate a mismatch. What is hashed for a string is its ids,
space-separated, and a newline.
"""

import argparse
import hashlib
import json
import subprocess
from pathlib import Path

from base import base_folder
from wordpiece import load_tokenizer

BLOCK = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("test/model/wordpiece.fixture.json"))
    parser.add_argument("--tokenizer", type=Path, default=None, help="a tokenizer.json")
    options = parser.parse_args()
    strings = json.loads(subprocess.check_output(["node", "test/model/wordpiece-strings.ts"]))
    tokenizer = load_tokenizer(options.tokenizer or base_folder() / "tokenizer.json")
    tokenizer.encode_special_tokens = True  # "[SEP]" in a text is text
    encoded = tokenizer.encode_batch(strings, add_special_tokens=False)
    lines = [" ".join(map(str, e.ids)) + "\n" for e in encoded]
    digest = lambda part: hashlib.sha256("".join(part).encode()).hexdigest()  # noqa: E731
    fixture = {
        "strings": len(strings),
        "tokens": sum(len(e.ids) for e in encoded),
        "unknown": sum(e.ids.count(100) for e in encoded),
        "sha256": digest(lines),
        "blocks": [digest(lines[at : at + BLOCK])[:8] for at in range(0, len(lines), BLOCK)],
    }
    options.out.write_text(json.dumps(fixture, indent=2) + "\n")
    print({key: value for key, value in fixture.items() if key != "blocks"})


if __name__ == "__main__":
    main()
