"""Requirements of a platform as data: a shipped TOML file, or one of a province's own."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from analytics.domain.errors import ConfigurationError

__all__ = ["Profile", "platform_profiles", "read_platform_profile"]

Correction = Literal["resend", "report"]
_FIELDS: Final = frozenset(
    {"dataCode", "dataValue", "inputType", "statType", "statDate", "uploadDate", "scope", "valid"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A kind of platform.

    Attributes
    ----------
    register_path, version_path : str
        Behind the platform's address; other addresses come with its answer to the registration.
    success : sequence of str
        Values of `responseCode` that accept.
    encrypt : sequence of str
        Fields of each datum that are encrypted with SM4; none where the platform takes them plain.
    hyphens : bool
        Whether data codes have hyphens.
    valid, invalid : str, bool or int
        How a datum is marked.
    batch : int
        Most data of one request.
    correction : str
        What is done where a value that was accepted has changed: sent again, or only reported to people.
    dictionaries : sequence of int
        Indices (itemIndex) of the dictionaries that are downloaded.
    confidence, sources : str, sequence of str
        How certain the profile is.
    """

    id: str
    register_path: str = "register"
    version_path: str = "versionCheck"
    success: Sequence[str] = ("0",)
    encrypt: Sequence[str] = ()
    hyphens: bool = True
    valid: str | bool | int = True
    invalid: str | bool | int = False
    batch: int = 200
    correction: Correction = "report"
    dictionaries: Sequence[int] = ()
    stat_types: Sequence[int] = (0, 1, 2)
    decimals: int = 4
    confidence: str = ""
    sources: Sequence[str] = ()


def read_platform_profile(text: str, source: str) -> Profile:
    """Profile out of TOML; ConfigurationError naming every fault at once."""
    try:
        table: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML ({error})") from None
    known = {field.name for field in fields(Profile)}
    faults = [
        f"{name} is no setting of a platform; known are {', '.join(sorted(known))}"
        for name in table
        if name not in known
    ]
    if not isinstance(table.get("id"), str):
        faults.append("id must be a text")
    odd = sorted(set(table.get("encrypt", ())) - _FIELDS)
    if odd:
        faults.append(f"encrypt must be of {', '.join(sorted(_FIELDS))} (got {', '.join(odd)})")
    if table.get("correction", "report") not in ("resend", "report"):
        faults.append(f"correction must be resend or report (got {table['correction']!r})")
    if not isinstance(table.get("batch", 1), int) or table.get("batch", 1) < 1:
        faults.append(f"batch must be a whole number from 1 (got {table['batch']!r})")
    if faults:
        raise ConfigurationError(f"{source}: " + "; ".join(faults))
    return Profile(**table)


@cache
def platform_profiles() -> Mapping[str, Profile]:
    """Profiles that ship, by id."""
    found = {}
    for file in files("ingest.upload").joinpath("profiles").iterdir():
        if file.name.endswith(".toml"):
            profile = read_platform_profile(file.read_text(encoding="utf-8"), file.name)
            found[profile.id] = profile
    return found


def platform_profile(name: str, folder: Path) -> Profile:
    """Profile by its id, or of a file in a folder; ConfigurationError where there is none."""
    file = folder / f"{name}.toml"
    if file.is_file():
        return read_platform_profile(file.read_text(encoding="utf-8"), str(file))
    if name not in platform_profiles():
        raise ConfigurationError(
            f"profile must be one of {', '.join(sorted(platform_profiles()))}, or a file {file} (got {name!r})"
        )
    return platform_profiles()[name]
