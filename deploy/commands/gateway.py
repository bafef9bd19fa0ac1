"""`meterwarden gateway`."""

import json
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from analytics.domain.errors import ConfigurationError
from deploy.gateway import keep_running
from deploy.settings import load
from deploy.stack import Stack, StackError
from deploy.terminal import say
from ingest.devices.faults import DeviceFault
from ingest.devices.values import hex_of
from ingest.gateway.access import digest_of, new_token
from ingest.gateway.config import GatewayConfig, load_config
from ingest.gateway.drivers import DeviceConfig, Outcome, driver_of
from ingest.gateway.links import Link, LinkConfig
from ingest.gateway.rounds import DeviceState, readings_of
from ingest.gateway.scan import scan_link
from ingest.gateway.simulate import SimulatedLink
from ingest.gateway.status import faults_of, read_status
from ingest.ledgers import read_ledger
from streams.logs import log_to

__all__ = ["command"]

FAILED: Final = 1
"""Exit code where a device gave no value, or a check found a fault."""

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")


@click.group()
def command() -> None:
    """Read meters on lines and sockets, take in HTTP and MQTT, and lose nothing on the way to Kafka."""


@command.command()
@_FILE
@click.option("--ledger", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Ledger, .xlsx or .csv.")
@click.pass_context
def check(context: click.Context, file: Path, ledger: Path | None) -> None:
    """Check a gateway's file, and its devices against a ledger."""
    config = load_config(file)
    unknown = _unknown(config, ledger) if ledger is not None else []
    for line in unknown:
        say(line, err=True)
    say(
        f"gateway check: links={len(config.links)} devices={len(config.devices)} mqtt={len(config.mqtt)} "
        f"http={'yes' if config.http else 'no'} unknown={len(unknown)}"
    )
    context.exit(FAILED if unknown else 0)


def _unknown(config: GatewayConfig, path: Path) -> list[str]:
    report = read_ledger(path, zone=config.zone)
    if report.faults:
        raise ConfigurationError(f"{path} must be a ledger without faults (`meterwarden ledger check` lists them)")
    ledger = report.ledger
    known = {
        (ledger.unit_codes[unit], number) for unit, number in zip(ledger.meter_unit, ledger.meter_nos, strict=True)
    }
    return [
        f"{device.place} meter_no must be a meter of unit {device.unit_code} in {path.name} (got {device.meter_no!r})"
        for device in config.devices
        if (device.unit_code, device.meter_no) not in known
    ]


@command.command()
@_FILE
@click.argument("meter")
@click.pass_context
def read(context: click.Context, file: Path, meter: str) -> None:
    """Read one device once, by its meter number or address: bytes, values, units, where the table comes from."""
    config = load_config(file)
    device = _device(config, meter)
    link = Link(_link(config, device.link), trace=lambda way, data: say(f"{way} {hex_of(data)}"))
    try:
        outcome = driver_of(device, config.profiles).read(link)
    except DeviceFault as fault:
        say(f"{fault.code}: {fault.detail}", err=True)
        context.exit(FAILED)
    finally:
        link.close()
    _show(config, device, outcome)
    context.exit(FAILED if outcome.faults and not outcome.values else 0)


def _show(config: GatewayConfig, device: DeviceConfig, outcome: Outcome) -> None:
    state = DeviceState(device, driver_of(device, config.profiles))
    now_s = time.time()
    readings = readings_of(state, outcome, now_s, config.zone, max_clock_error_s=config.max_clock_error_s)
    # a register may be there twice: running, and as it was frozen
    raw = {
        (device.registers.get(value.point, value.register), float(value.value)): (value.point, value.raw)
        for value in outcome.values
    }
    for one in readings:
        point, data = raw.get((one.register, one.value), ("", b""))
        at = datetime.fromtimestamp(one.measured_us / 1e6, config.zone)
        say(f"{one.register:24} {one.value:>18.15g} {one.unit:6} {at:%Y-%m-%d %H:%M:%S}  {point} [{hex_of(data)}]")
    for fault in outcome.faults:
        say(f"{fault.code}: {fault.detail}", err=True)
    say(f"table: {outcome.source}")


@command.command()
@_FILE
@click.argument("link")
@click.option(
    "--protocol",
    type=click.Choice(["cjt188", "dlt645-2007", "dlt698", "modbus-rtu", "modbus-tcp", "mbus"]),
    required=True,
)
@click.option("--first", default=1, show_default=True, help="First address (Modbus, M-Bus).")
@click.option("--last", default=247, show_default=True, help="Last address.")
@click.option("--timeout", "timeout_s", default=0.3, show_default=True, help="How long each may take. [s]")
def scan(file: Path, link: str, protocol: str, first: int, last: int, timeout_s: float) -> None:
    """Look who answers on a link: slow, and it only reads."""
    config = load_config(file)
    line = Link(_link(config, link))
    found = 0
    try:
        for one in scan_link(line, protocol, range(first, last + 1), timeout_s=timeout_s):
            found += 1
            say(one)
    finally:
        line.close()
    say(f"gateway scan: found={found}")


@command.command()
@_FILE
@click.option("--dry-run", is_flag=True, help="Read devices and show the values; keep and send nothing.")
def run(file: Path, *, dry_run: bool) -> None:
    """Run the gateway of a file until it is stopped; SIGHUP or a changed file reloads it."""
    log_to(sys.stderr)
    settings = load()
    config = load_config(file)
    if dry_run:
        keep_running(file, kafka=None, settings=settings, dry=True, told=_tell)
    elif config.kafka.bootstrap:
        keep_running(file, kafka=None, settings=settings, dsn=settings.database.dsn)
    else:
        stack = Stack(settings)
        keep_running(file, kafka=stack.sending, settings=settings, dsn=_beside(stack))


def _beside(stack: Stack) -> str | None:
    """The database of the instance, as its workers reach it; None before the first `up`."""
    try:
        return stack.address("worker")
    except StackError:
        return None


def _tell(state: DeviceState, outcome: Outcome | None) -> None:
    said = ", ".join(f"{value.register} {value.value} {value.unit}" for value in outcome.values) if outcome else ""
    say(f"{datetime.now(UTC):%H:%M:%S}Z {state.config.meter_no}: {state.status} {said or state.detail}")


@command.command()
@_FILE
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_context
def status(context: click.Context, file: Path, *, as_json: bool) -> None:
    """Show the state of the gateway that runs by a file on this machine: spool, Kafka, brokers, devices."""
    config = load_config(file)
    found, now_s = read_status(config), time.time()
    faults = faults_of(found, now_s=now_s)
    if as_json:
        say(json.dumps({**found, "faults": faults}, indent=2, ensure_ascii=False))
        context.exit(FAILED if faults else 0)
    spool = found.get("spool", {})
    devices = found.get("devices", ())
    well = sum(one["status"] == "ok" for one in devices)
    say(
        f"gateway status: waiting={spool.get('readings', 0)} oldest={spool.get('oldest_s', 0.0):.0f}s "
        f"bytes={spool.get('bytes', 0)} of={spool.get('max_bytes', 0)} dropped={spool.get('dropped_readings', 0)} "
        f"sent={found.get('kafka', {}).get('sent_readings', 0)} delivered={_ago(found, now_s)} "
        f"devices={len(devices)} ok={well}"
    )
    for fault in faults:
        say(fault, err=True)
    context.exit(FAILED if faults else 0)


def _ago(found: Mapping[str, Any], now_s: float) -> str:
    """How long ago Kafka took readings."""
    sent_s = found.get("kafka", {}).get("sent_at")
    return "never" if sent_s is None else f"{max(0.0, now_s - sent_s):.0f}s"


@command.command()
@_FILE
@click.option("--for", "for_s", type=float, help="How long; until Ctrl-C without it. [s]")
def simulate(file: Path, for_s: float | None) -> None:
    """Answer in place of the devices of a file, on its ports of this machine; a serial line that is missing is made."""
    config = load_config(file)
    links: list[SimulatedLink] = []
    try:
        for link in config.links:
            far = SimulatedLink(link, config.devices_of(link.name), config.zone, profiles=config.profiles)
            links.append(far.start())
            here = "" if link.where == far.where else f" (to read it, write this instead of {link.where})"
            say(f"gateway simulate: {link.name} answers on {far.where}{here}", err=True)
        say(f"gateway simulate: links={len(links)} devices={len(config.devices)}", err=True)
        threading.Event().wait(for_s)
    except KeyboardInterrupt:
        pass
    finally:
        for far in links:
            far.close()


@command.command()
def token() -> None:
    """Make a token for a sender of the file's own; where there is a database: `meterwarden gateways add`."""
    made = new_token()
    say(f"token (shown once, for the sender): {made}")
    say(f'token_sha256 = ["{digest_of(made).hex()}"]')


def _device(config: GatewayConfig, meter: str) -> DeviceConfig:
    found = [device for device in config.devices if meter in (device.meter_no, device.address)]
    if len(found) != 1:
        known = ", ".join(device.meter_no for device in config.devices[:10])
        raise ConfigurationError(f"device must be one meter number or address of the file, as {known} (got {meter!r})")
    return found[0]


def _link(config: GatewayConfig, name: str) -> LinkConfig:
    for link in config.links:
        if link.name == name:
            return link
    raise ConfigurationError(f"link must be one of {', '.join(one.name for one in config.links)} (got {name!r})")
