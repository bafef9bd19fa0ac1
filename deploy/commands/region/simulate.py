"""`meterwarden simulate`."""

from datetime import UTC, datetime

import click

from deploy.commands.common.parameters import Duration
from deploy.region import DEFAULT_SEED
from deploy.settings import load
from deploy.simulate import Progress, simulate
from deploy.terminal import end_over, say, say_over

__all__ = ["command"]


@click.command()
@click.option(
    "--speed",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.01, 100_000.0),
    help="Simulated seconds a second; 60 is an hour a minute, from the past until the clock is reached.",
)
@click.option("--for", "for_s", type=Duration(), help="How long, such as 90s, 10m or 2h; until Ctrl-C without it.")
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Another seed makes another region.")
@click.option("--units", default=12, show_default=True, type=click.IntRange(1, 200), help="Energy-using units.")
def command(speed: float, for_s: float | None, seed: int, units: int) -> None:
    """Keep pushing the readings of a made-up region into the running stack."""

    def aside(line: str) -> None:
        say(line, err=True)

    def tell(progress: Progress) -> None:
        at, due = (datetime.fromtimestamp(us / 1e6, UTC) for us in (progress.simulated_us, progress.due_us))
        say_over(f"{at:%Y-%m-%d %H:%M:%S} UTC  {progress.readings:,} readings sent, the next at {due:%H:%M:%S} ")

    progress = simulate(load(), speed=speed, for_s=for_s, seed=seed, units=units, say=aside, report=tell)
    end_over()
    until = datetime.fromtimestamp(progress.simulated_us / 1e6, UTC)
    say(f"simulate: sent={progress.readings} messages={progress.messages} until={until:%Y-%m-%dT%H:%M:%SZ}")
