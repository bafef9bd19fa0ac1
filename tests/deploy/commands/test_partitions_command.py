from click.testing import CliRunner

from deploy.commands.instance.partitions import command
from streams.config import StreamsConfig


def test_it_asks_for_the_group_that_workers_form() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    assert f"[default: {StreamsConfig(bootstrap='', dsn='').group}]" in shown
