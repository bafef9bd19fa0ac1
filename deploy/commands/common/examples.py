"""Examples of commands, shown below their help: by the words that call them."""

from collections.abc import Mapping
from typing import Final

import click

__all__ = ["EXAMPLES", "with_examples"]

_UNIT: Final = "91320000000000001X"
_TEXT: Final = f"""
up
down
status --json
doctor
doctor --language zh
settings show --all
plan --units 200 --meters 100 --interval 15m
plan --units 17000 --meters 500 --interval 1m --copies 3 --language zh
machine
machine --ca system
regions login
regions join north here
regions join south 'postgresql://meterwarden_region:PASSWORD@south.example:15432/meterwarden?sslmode=verify-full'
regions list
regions leave south
settings template settings.toml
settings template settings.toml --language zh
settings show --all --language zh
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
partitions --json
upload plan upload.toml
upload run upload.toml --since 2026-11-01
dashboards apply --plan
migrate
backup /srv/backups
restore /srv/backups/20261130T020000Z.tar --replace
certificates add --unit {_UNIT} --meter M-E0 --number J-2026-118 --body 市计量测试院 --on 2026-11-20 \
--conclusion qualified --by 王工
certificates attach 12 证书.pdf --by 王工
certificates due --unit {_UNIT} --days 60
certificates due --days 30 --json
certificates list --unit {_UNIT} --meter M-E0
certificates load 证书.xlsx --by 王工
certificates plan --unit {_UNIT} --year 2027 --out 检定计划.xlsx --language zh
certificates scan 12 --out 证书.pdf
certificates withdraw 12 --reason 另一台的证书 --by 王工
review draw --count 5 --seed 20261130 --by 李工
review draw --verify 3
review plan --unit {_UNIT} --by 李工
review open 7 --leader 王审查员 --member 李审查员 --visit 2026-12-08 --by 李工
review papers 7 --received B.1 --received rules --by 李工
review sheet 7 --out 现场审查表.xlsx
review record 7 --file 现场审查表.xlsx --by 王审查员
review record 7 --item 12 --result fail --remark 台账未更新 --by 王审查员
review conclude 7 --by 王审查员
review corrected 7 --by 李工 --note 已整改
review recheck 7 --result passed --by 王审查员
review hand-over 7 --reason 逾期未改正 --out 移送书.docx --by 李工
review list --year 2026 --json
review show 7
review standing --out standing --by 李工
review summary --year 2026 --out 年度汇总.xlsx
self-check due --year 2026
self-check list --unit {_UNIT}
self-check open --unit {_UNIT} --by 王工
self-check sign 9 --by 王总
gaps list --unit {_UNIT}
gaps fill --unit {_UNIT} --point P-E0 --from 2026-11-20T08:00 --to 2026-11-20T11:00 --method like_days --by 王工
gaps approve 4 --by 李主任
gaps withdraw 4 --reason 找到了原始记录 --by 李主任
upload status upload.toml
upload status upload.toml --state refused --json
alerts channels
alerts check rules.toml
alerts load rules.toml
alerts outbox --failed
alerts outbox --resend
alerts renew-links
alerts rules --shipped
alerts set-aside
alerts statistics --json
cases open 17 --as li.na
people end li.na
people invite li.na
people list
people revoke li.na
people sign-out li.na
gateway scan gateway.toml meters --protocol dlt645-2007
gateway simulate gateway.toml --for 10m
gateway status gateway.toml --json
gateway token
gateways bind east --unit {_UNIT}
gateways end east
gateways kafka east
gateways list
gateways rotate east --overlap 24h
dashboards remove --plan
dashboards write boards --language zh
simulate --speed 60 --for 10m
demo --days 7 --units 3
"""


def _by_command() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    groups = {"ledger", "standard", "readings", "rejected", "differences", "alerts", "cases", "people", "gateway"}
    groups |= {
        "gateways",
        "upload",
        "dashboards",
        "settings",
        "certificates",
        "review",
        "self-check",
        "gaps",
        "regions",
    }
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
