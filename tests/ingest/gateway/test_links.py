"""Lines as they are: noise, echo, half frames, two masters, slow slaves, slaves that answer for another."""

import os
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from ingest.devices import dlt645
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, OtherAnswer, Refused
from ingest.gateway.drivers import DeviceConfig, Dlt645, Modbus, Outcome
from ingest.gateway.links import Link, LinkConfig, Transport

METER: Final = "201709320072"
ANSWER: Final = dlt645.encode(dlt645.answer_frame(METER, "00010000", bytes.fromhex("78563412")), wake_up=4)
OTHER: Final = dlt645.encode(dlt645.answer_frame("000000000009", "00010000", bytes(4)), wake_up=4)
POWER: Final = dlt645.encode(dlt645.answer_frame(METER, "02030000", bytes.fromhex("120000")))

LONG_S: Final = 120.0
"""For whom answers: a busy machine may take its time."""
Step = bytes | float
"""Bytes that the far end sends, or seconds that it waits."""


def device(**changes: object) -> DeviceConfig:
    given: dict[str, object] = {
        "link": "a", "protocol": "dlt645-2007", "address": METER, "meter_no": "M1", "unit_code": "U1",
        "points": ("energy_forward",),
    } | changes  # fmt: skip
    return DeviceConfig(**given)  # type: ignore[arg-type]  # a test's


@contextmanager
def line(respond: Callable[[bytes], Sequence[Step]], *, timeout_s: float) -> Iterator[Link]:
    """A serial line (a pty) with somebody at the other end."""
    far, near = os.openpty()
    tty.setraw(far)
    tty.setraw(near)
    closing = threading.Event()

    def serve() -> None:
        os.set_blocking(far, False)
        while not closing.is_set():
            try:
                request = os.read(far, 4096)
            except (BlockingIOError, OSError):
                time.sleep(0.002)
                continue
            for step in respond(request):
                if isinstance(step, bytes):
                    os.write(far, step)
                else:
                    time.sleep(step)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    link = Link(LinkConfig(name="a", kind="serial", port=os.ttyname(near), timeout_s=timeout_s, gap_s=0.01))
    try:
        yield link
    finally:
        link.close()
        closing.set()
        thread.join()
        os.close(far)
        os.close(near)


def read(respond: Callable[[bytes], Sequence[Step]], *, timeout_s: float, **config: object) -> Outcome:
    driver = Dlt645(device(**config))
    driver._has_clock = False
    with line(respond, timeout_s=timeout_s) as link:
        return driver.read(link)


@pytest.mark.parametrize(
    "respond",
    [
        lambda _: [ANSWER],
        lambda request: [request, ANSWER],
        lambda _: [b"\xff\x00\x68\x99", ANSWER],
        lambda _: [ANSWER[:9], 0.1, ANSWER[9:]],
        lambda _: [bytes([byte]) for byte in ANSWER],
        lambda _: [0.3, ANSWER],
        lambda _: [ANSWER[:11], ANSWER],
        lambda _: [OTHER, ANSWER],
        lambda _: [dlt645.encode(dlt645.read_request("000000000009", "00010000")), ANSWER],
    ],
    ids=["plain", "echo", "noise", "in two", "byte by byte", "slow", "half before", "another first", "two masters"],
)
def test_value_is_found_whatever_is_around_it(respond: Callable[[bytes], Sequence[Step]]) -> None:
    assert [value.value for value in read(respond, timeout_s=LONG_S).values] == [Decimal("123456.78")]


@pytest.mark.parametrize(
    ("respond", "fault", "text"),
    [
        (lambda _: [], NoAnswer, "nothing in time"),
        (lambda request: [request], NoAnswer, "nothing in time"),
        (lambda _: [ANSWER[:-3]], BadFrame, "cut off"),
        (lambda _: [ANSWER[:-2] + b"\x00\x16"], BadFrame, "checksum"),
        (lambda _: [b"\x01\x02\x03"], BadFrame, "a frame is required"),
        (lambda _: [OTHER], OtherAnswer, "000000000009"),
        (lambda _: [dlt645.encode(dlt645.refusal_frame(METER, 0x11))], Refused, "no such data"),
    ],
    ids=["silent", "only echo", "half", "checksum", "noise", "another meter", "refusal"],
)
def test_failure_has_its_name(respond: Callable[[bytes], Sequence[Step]], fault: type[DeviceFault], text: str) -> None:
    # what nobody completes is waited for to the end, and what comes must come before it, on a busy machine too
    timeout_s = {NoAnswer: 0.4, Refused: LONG_S}.get(fault, 3.0)
    with pytest.raises(fault, match=text):
        read(respond, timeout_s=timeout_s)


def test_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    asked, late = [0], threading.Event()

    def respond(_: bytes) -> Sequence[Step]:
        asked[0] += 1
        if asked[0] == 1:
            late.wait(60)
            return [POWER]
        return [0.2, ANSWER]

    driver = Dlt645(device())
    driver._has_clock = False
    with line(respond, timeout_s=0.4) as link:
        with pytest.raises(NoAnswer):
            driver.read(link)
        late.set()
        link.config = replace(link.config, timeout_s=LONG_S)
        assert driver.read(link).values[0].value == Decimal("123456.78")


def test_line_that_is_bad_after_the_first_point_costs_one_time_out() -> None:
    asked: list[bytes] = []

    def respond(request: bytes) -> Sequence[Step]:
        asked.append(dlt645.decode(request).data)
        return [ANSWER] if asked[-1] == bytes.fromhex("00000100") else []

    outcome = read(respond, timeout_s=3.0, points=("energy_forward", "power", "power_l1", "power_l2", "power_l3"))
    assert len(outcome.values) == len(outcome.faults) == 1
    assert len(asked) == 2, "the others are not asked for"


def test_line_that_is_gone_is_told_and_tried_again_later() -> None:
    tries: list[LinkConfig] = []

    def opened(config: LinkConfig) -> Transport:
        tries.append(config)
        raise ConnectionRefusedError("refused")

    now = [0.0]
    link = Link(LinkConfig(name="a", kind="tcp", host="127.0.0.1", tcp_port=1), opened=opened, clock=lambda: now[0])
    driver = Modbus(device(protocol="modbus-tcp", address="1", profile="acrel-adw300", points=None), framing="tcp")
    with pytest.raises(NoAnswer, match="must be opened"):
        driver.read(link)
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1: refused"):
        driver.read(link)
    assert len(tries) == 1, "not tried for every device"
    now[0] = 1.5
    with pytest.raises(NoAnswer, match="must be opened"):
        driver.read(link)
    assert len(tries) == 2
    link.close()
