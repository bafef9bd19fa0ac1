"""The collected frames, one dictionary each."""

import tomllib
from pathlib import Path
from typing import Any

VECTORS: dict[str, Any] = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "protocol_vectors.toml").read_text(encoding="utf-8")
)


def frame(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["frame"].replace(" ", ""))


def name(vector: dict[str, Any]) -> str:
    return str(vector.get("name", vector.get("id")))
