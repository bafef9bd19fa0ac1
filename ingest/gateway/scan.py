"""Scan of a line for meters, by read requests to one address after the other."""

from collections.abc import Iterator, Sequence

from ingest.devices import cjt188, dlt645, dlt698, mbus
from ingest.devices.faults import BadFrame, DeviceFault, NoAnswer, Refused
from ingest.devices.modbus_frames import Framing, Request, registers_in
from ingest.gateway.drivers import Cjt188
from ingest.gateway.links import Link

__all__ = ["scan_link"]


def scan_link(link: Link, protocol: str, addresses: Sequence[int], *, timeout_s: float) -> Iterator[str]:
    """What answers, a line each.

    Parameters
    ----------
    protocol : str
        dlt645-2007, dlt698 and cjt188 find the one meter of a line (several answer at once, and nobody is understood),
        cjt188 one of each kind; modbus-rtu, modbus-tcp and mbus ask every address.
    timeout_s : float
        How long each may take. [s]
    """
    if protocol == "dlt645-2007":
        yield from _only_meter(link)
    elif protocol == "dlt698":
        yield from _only_698(link)
    elif protocol == "cjt188":
        yield from _only_188(link)
    elif protocol == "mbus":
        for address in addresses:
            if address <= 250:
                yield from _mbus(link, address, timeout_s)
    else:
        framing: Framing = "tcp" if protocol == "modbus-tcp" else "rtu"
        for address in addresses:
            yield from _modbus(link, address, framing, timeout_s)


def _only_meter(link: Link) -> Iterator[str]:
    request = dlt645.read_address()
    try:
        frame = link.exchange(
            dlt645.encode(request, wake_up=4), dlt645.FORMAT, lambda frame: bool(frame.control & dlt645.ANSWER)
        )
        data, _ = dlt645.data_of(frame, request)
    except BadFrame as fault:
        yield f"dlt645-2007: several meters answer, or noise; read them by their addresses ({fault.detail})"
    except DeviceFault:
        return
    else:
        yield f"dlt645-2007 address {data[::-1].hex() or frame.address}"


def _only_698(link: Link) -> Iterator[str]:
    request = dlt698.Frame(dlt698.ANY_METER, dlt698.REQUEST, dlt698.get_list([dlt698.ADDRESS], 1))
    try:
        frame = link.exchange(b"\xfe" * 4 + dlt698.encode(request), dlt698.FORMAT, dlt698.is_answer)
    except BadFrame as fault:
        yield f"dlt698: several meters answer, or noise; read them by their addresses ({fault.detail})"
    except DeviceFault:
        return
    else:
        yield f"dlt698 address {frame.address}"


def _only_188(link: Link) -> Iterator[str]:
    found: set[tuple[int, str]] = set()
    for kind, number in Cjt188.types.items():
        request = cjt188.read_request(number, cjt188.ANY_METER, sequence=0)
        try:
            frame = link.exchange(
                cjt188.encode(request, wake_up=2), cjt188.FORMAT, lambda frame: bool(frame.control & cjt188.ANSWER)
            )
        except BadFrame as fault:
            yield f"cjt188 {kind}: several meters answer, or noise; read them by their addresses ({fault.detail})"
        except DeviceFault:
            continue
        else:
            if (frame.type, frame.address) not in found:
                found.add((frame.type, frame.address))
                yield f"cjt188 type {frame.type:02x} address {frame.address}"


def _mbus(link: Link, address: int, timeout_s: float) -> Iterator[str]:
    try:
        frame = link.exchange(
            mbus.status_request(address), mbus.FORMAT, lambda frame: frame != b"\xe5", timeout_s=timeout_s
        )
        answer = mbus.decode(frame)
    except NoAnswer:
        return
    except DeviceFault as fault:
        yield f"mbus address {address}: {fault.detail}"
    else:
        medium = mbus.MEDIA.get(answer.medium, "other medium")
        yield f"mbus address {address}: {answer.manufacturer} {answer.id}, {medium}, {len(answer.records)} records"


def _modbus(link: Link, address: int, framing: Framing, timeout_s: float) -> Iterator[str]:
    request = Request(unit=address, function=3, address=0, count=1, framing=framing, transaction=address)
    try:
        registers_in(link.exchange(request.encode(), request.form, request.accept, timeout_s=timeout_s))
    except NoAnswer:
        return
    except Refused as fault:
        if "did not answer" not in fault.detail and "path unavailable" not in fault.detail:
            yield f"modbus slave {address}: there (register 0: {fault.detail})"
    except DeviceFault as fault:
        yield f"modbus slave {address}: {fault.detail}"
    else:
        yield f"modbus slave {address}: there"
