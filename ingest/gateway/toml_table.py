"""One table of a TOML file, read with every fault named: where, what is required, what came."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analytics.domain.errors import ConfigurationError

__all__ = ["DURATION", "SECONDS", "Table"]

DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)")
_BYTES: Final = {
    "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
}  # fmt: skip


class Table:
    """One table of the file, its faults named with the line it begins at; a key nobody asked for is a fault."""

    def __init__(self, place: str, folder: Path, values: Mapping[str, Any], faults: list[str]) -> None:
        self.place, self._folder, self._values, self._faults = place, folder, values, faults
        self._asked: set[str] = set()

    def fault(self, text: str) -> None:
        """Note what is wrong."""
        self._faults.append(f"{self.place} {text}")

    def raw(self, key: str) -> Any:
        """A value as it is, None where it is not there."""
        self._asked.add(key)
        return self._values.get(key)

    def get(self, key: str, kind: type, default: Any, what: str) -> Any:
        """A value of a kind; a fault and the default otherwise."""
        value = self.raw(key)
        if value is None:
            return default
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits:
            self.fault(f"{key} must be {what} (got {value!r})")
            return default
        return value

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """A text."""
        value = str(self.get(key, str, default, "a text"))
        if required and not value and not any(f" {key} must" in one for one in self._faults[-1:]):
            nothing = self.raw(key) is None
            self.fault(f"{key} must be a text (got nothing)" if nothing else f"{key} must not be empty (got '')")
        return value

    def choice(self, key: str, of: Sequence[str], default: str) -> str:
        """One of some texts."""
        value = self.text(key, default)
        if value not in of:
            self.fault(f"{key} must be one of {', '.join(of)} (got {value!r})")
            return default
        return value

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number."""
        value = int(self.get(key, int, default, f"a whole number from {low} to {high}"))
        if not low <= value <= high:
            self.fault(f"{key} must be a whole number from {low} to {high} (got {value})")
            return default
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where it is not there."""
        return bool(self.get(key, bool, False, "true or false"))

    def seconds(self, key: str, default: float) -> float:
        """A time. [s]"""
        return self._measured(key, default, DURATION, SECONDS, "a time such as 500ms, 15m or 180d")

    def bytes(self, key: str, default: int) -> int:
        """A size. [byte]"""
        return round(self._measured(key, default, _SIZE, _BYTES, "a size such as 500MiB or 20GiB"))

    def _measured(
        self, key: str, default: float, form: re.Pattern[str], scales: Mapping[str, float], what: str
    ) -> float:
        value = self.raw(key)
        if value is None:
            return default
        found = form.fullmatch(value) if isinstance(value, str) else None
        if found is None or float(found[1]) == 0:
            self.fault(f"{key} must be {what} (got {value!r})")
            return default
        return float(found[1]) * scales[found[2]]

    def path(self, key: str) -> Path | None:
        """A path, beside the file where it is relative."""
        value = self.text(key)
        return self._folder / value if value else None

    def existing(self, key: str) -> Path | None:
        """A path of a file that must be there."""
        path = self.path(key)
        if path is not None and not path.is_file():
            self.fault(f"{key} must be a file that is there (got {path})")
        return path

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, None where it is not there."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            self.fault(f"{key} must be a list of texts (got {value!r})")
            return None
        return tuple(value)

    def checked(self, key: str, make: Callable[[str], Any], value: str) -> Any:
        """What `make` makes of a text; None and a fault where it raises."""
        try:
            return make(value)
        except ConfigurationError as error:
            self.fault(f"{key}: {error}")
            return None

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """Tables inside this one."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.fault(f"{key} must be tables (got {value!r})")
            return []
        return value

    def done(self) -> None:
        """Every key that nobody asked for is a fault."""
        for key in self._values:
            if key not in self._asked:
                self.fault(f"{key} is no setting here; known are {', '.join(sorted(self._asked))}")
