"""Examples of commands, shown below their help: by the words that call them."""

from collections.abc import Mapping
from typing import Final

import click

__all__ = ["EXAMPLES", "with_examples"]

_UNIT: Final = "91320583735312345X"
_TEXT: Final = f"""
up
down
status --json
doctor
doctor --language zh
settings show --all
settings template settings.toml
completion bash >> ~/.bashrc
ledger template form.xlsx --example
ledger check 台账.xlsx --language zh
ledger check 台账.xlsx --accept-headers --save-profile plant.toml --completed 台账-补全.xlsx
ledger check 台账.xlsx --marked 台账-标注.xlsx --language zh
ledger load 台账.xlsx --profile plant.toml --dry-run
ledger load 台账.xlsx --profile plant.toml --yes
ledger history --limit 5
ledger restore 12 --dry-run
ledger restore 12 --yes
standard template factors factors.toml
standard check factors.toml
standard load factors.toml --language zh
standard list
comply --unit {_UNIT}
comply --unit {_UNIT} --as-of 2026-10-31 --json
paper order --unit {_UNIT} --out order.docx --number 〔2026〕第1号 --due 2026-12-31
report --unit {_UNIT} --month 2026-10 --out reports
report --unit {_UNIT} --from 2026-01 --to 2026-06 --out reports
report --region --month 2026-10 --out reports --language en
ingest 导出.xlsx --check --language zh
ingest export.csv --dates day-first --save-profile scada.toml
ingest july.csv august.csv --profile scada.toml
readings export --unit {_UNIT} --from 2026-10-01 --to 2026-11-01 --out october.csv.gz
readings export --unit {_UNIT} --meter M-E0 --from 2026-11-20 --to 2026-11-21 --out -
readings strange
recompute --unit {_UNIT} --from 2026-10-01 --reason 核对十月数据 --dry-run
recompute --unit {_UNIT} --point P-E0 --from 2026-10-01 --reason 核对十月数据 --yes
rejected list --reason bad_time --unit {_UNIT} --since 2026-11-20
rejected list --pending --json
rejected replay --unit {_UNIT} --dry-run
rejected replay --unit {_UNIT}
rejected clear --replayed
rejected clear --reason bad_time --unit {_UNIT} --until 2026-11-01
backfill --ledger ledger.xlsx --readings readings.csv --out results
backfill --ledger ledger.xlsx --out results july.csv august.csv --factors factors.toml
differences list
differences count {_UNIT} M-E0 --at 2026-11-20T08:15:00 --by 王强 --reason 现场核对示值
differences leave {_UNIT} M-E0 --at 2026-11-20T08:15:00 --by 王强 --reason 换模块后示值错误
differences undo {_UNIT} M-E0 --at 2026-11-20T08:15:00 --by 王强 --reason 判定有误
alerts list --all --json
alerts ack 17 --as li.na --note 已派人
alerts test --channel mail --to li.na@example.org
alerts silence --unit {_UNIT} --to 2026-12-01T18:00 --reason 停产检修 --as wang
alerts dry-run --since 2026-11-01
cases list
cases show C000002
cases step C000002 verdict --verdict faulty --as li.na --note 表停走
cases attach C000002 photo.jpg --as li.na
people add li.na --name 李娜 --role inspector --channel mail --address li.na@example.org
people token li.na --days 90
gateway check gateway.toml --ledger ledger.xlsx
gateway read gateway.toml M-E0
gateway run gateway.toml
gateways add east --unit {_UNIT}
partitions
partitions 16
upload plan upload.toml
upload run upload.toml --since 2026-11-01
dashboards apply --plan
simulate --speed 60 --for 10m
demo --days 7 --units 3
"""


def _by_command() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    groups = {"ledger", "standard", "readings", "rejected", "differences", "alerts", "cases", "people", "gateway"}
    groups |= {"gateways", "upload", "dashboards", "settings"}
    for line in _TEXT.strip().splitlines():
        words = line.split()
        path = " ".join(words[:2]) if words[0] in groups else words[0]
        found[path] = (*found.get(path, ()), line)
    return found


EXAMPLES: Final = _by_command()


def with_examples(command: click.Command, path: str) -> click.Command:
    """The command and those below it, each with its examples under its help; of a group the first of each."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            with_examples(below, f"{path} {name}")
        shown = [EXAMPLES[f"{path} {name}"][0] for name in command.commands if f"{path} {name}" in EXAMPLES]
    else:
        shown = list(EXAMPLES.get(path, ()))
    if shown:
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  meterwarden {line}" for line in shown)
    return command
