"""Makes src/model/unicode-classes.ts: how BERT's normalizer treats each code point.

The classes are frozen rather than asked of the engine's Unicode tables: a token id must not depend
on the release of V8 that computed it. They are read off the `tokenizers` package, code point by
code point, so that Brink's ids are those the models were trained on.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HEADER = '''\
/** How BERT's normalizer treats each code point, as ranges in hex; everything else is a letter.
 *  Frozen from the Python package `tokenizers` by train/tokenizer_tables.py: an id must not depend
 *  on the Unicode release of the engine that computes it. */
'''


def ranges(points: Iterable[int]) -> list[str]:
    """Sorted code points as hex ranges, ends included."""
    found: list[list[int]] = []
    for point in points:
        if found and found[-1][1] + 1 == point:
            found[-1][1] = point
        else:
            found.append([point, point])
    return [f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in found]


def constant(name: str, doc: str, points: Iterable[int]) -> str:
    """One exported TypeScript string of ranges, in lines of at most 100 columns."""
    lines, line = [], ""
    for item in ranges(points):
        if len(line) + len(item) + 1 > 90:
            lines.append(line)
            line = ""
        line += item + " "
    lines.append(line.rstrip())
    if len(lines) == 1:
        return f'\n/** {doc} */\nexport const {name} = "{lines[0]}";\n'
    body = " +\n".join(f'  "{text}"' for text in lines)
    return f"\n/** {doc} */\nexport const {name} =\n{body};\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("src/model/unicode-classes.ts"))
    out: Path = parser.parse_args().out
    normalizer, splitter = BertNormalizer(), BertPreTokenizer()
    dropped, spaces, punctuation = [], [], []
    for point in (p for p in range(0x110000) if not 0xD800 <= p < 0xE000):
        text = normalizer.normalize_str(f"a{chr(point)}b")[1:-1]
        if text == "":
            dropped.append(point)
        elif text == " ":
            spaces.append(point)
        elif len(text) == 1 and len(splitter.pre_tokenize_str(f"a{chr(point)}b")) == 3:
            punctuation.append(point)
    out.write_text(
        HEADER
        + constant("DROPPED", "Controls, formats, private use, nonspacing marks.", dropped)
        + constant("SPACES", "Every one becomes a space.", spaces)
        + constant("PUNCTUATION", "Each is a word of its own.", punctuation)
    )


if __name__ == "__main__":
    main()
