"""`meterwarden settings`: what is set and whence, and a file to set it by."""

import json
from operator import attrgetter
from pathlib import Path
from typing import Final

import click

from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.tables import table
from deploy.settings import FIELDS, PREFIX, SECRET_PATHS, Field, Settings, load, origins
from deploy.settings_words import MEANINGS, NO_DEFAULT
from deploy.terminal import say

__all__ = ["command"]

_HEAD: Final = (
    "# Settings of Meterwarden: name this file in METERWARDEN_SETTINGS. The environment beats it, it beats the",
    "# defaults; `meterwarden settings show` shows what is in force. It may hold passwords: keep it to yourself.",
)
_HEAD_ZH: Final = (
    "# Meterwarden 的设置：在环境变量 METERWARDEN_SETTINGS 中指明本文件。环境变量优先于本文件，本文件优先于默认值；",
    "# “meterwarden settings show” 显示当前生效的值。本文件可能含有口令，请勿外传。",
)
_HIDDEN: Final = "(set, not shown)"


@click.group()
def command() -> None:
    """Show what is set and where it was set, and write a commented file of settings."""


@command.command()
@click.option("--all", "everything", is_flag=True, help="Also what is as it ships.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
@LANGUAGE
def show(*, everything: bool, as_json: bool, language: str) -> None:
    """Show the settings in force: the environment beats the file, the file beats the default."""
    settings, given = load(), origins()
    rows = [
        {
            "setting": spec.name,
            "value": _value(spec, settings),
            "from": given.get(spec.name, "default"),
            "meaning": _meaning(spec, language),
        }
        for spec in FIELDS
        if everything or as_json or spec.name in given
    ]
    if as_json:
        say(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        say(table(rows))
    else:
        say(
            "未设置任何项，均为默认值（--all 显示全部）"
            if language == "zh"
            else "nothing is set: everything is as it ships (--all shows it)"
        )


@command.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@LANGUAGE
def template(file: Path, *, language: str) -> None:
    """Write a commented file of all settings, each as it is now; what is as it ships is commented out."""
    if file.exists():
        raise click.ClickException(f"{file} must not exist yet: what was set by hand is not replaced")
    settings, given = load(), origins()
    zh = language == "zh"
    lines = list(_HEAD_ZH if zh else _HEAD)
    for spec in FIELDS:
        default = spec.default or (NO_DEFAULT if zh else "none")
        lines += ["", f"# {_meaning(spec, language)}"]
        lines.append(f"# {spec.name}，默认：{default}" if zh else f"# {spec.name}, default: {default}")
        hold = spec.name in given and spec.path not in SECRET_PATHS
        value = _text(attrgetter(spec.path)(settings)) if hold else _text(_plain(spec.default))
        lines.append(f"{'' if hold else '# '}{spec.key} = {value}")
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    say(f"{file}: export {PREFIX}SETTINGS={file.resolve()}")


def _meaning(spec: Field, language: str) -> str:
    return MEANINGS[spec.name.removeprefix(PREFIX)] if language == "zh" else spec.meaning


def _value(spec: Field, settings: Settings) -> str:
    value = attrgetter(spec.path)(settings)
    if value is None or value == "":
        return ""
    return _HIDDEN if spec.path in SECRET_PATHS else str(value)


def _plain(default: str) -> str:
    """A default that is a value; nothing where it is a sentence."""
    return default if " " not in default and "<" not in default else ""


def _text(value: object) -> str:
    """A value in the syntax of TOML."""
    text = "" if value is None else str(value)
    return text if text.replace(".", "", 1).isdigit() else json.dumps(text, ensure_ascii=False)
