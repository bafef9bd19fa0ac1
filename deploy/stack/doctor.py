"""What keeps an instance from running, or soon will: each thing looked at by itself, nothing changed."""

import contextlib
import ctypes
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from analytics.domain.errors import MeterwardenError
from analytics.domain.words import Phrase
from deploy.kafka_access import environment_of
from deploy.migrate import pending
from deploy.settings import FIELDS, PREFIX, SECRET_PATHS, Settings, environment
from deploy.stack.errors import StackError
from deploy.stack.jars import complete as jars_complete
from deploy.stack.jars import java
from deploy.stack.places import Places
from deploy.stack.ports import owner
from deploy.stack.postgres_server import ASIDE, PostgresServer
from deploy.stack.prefix import Prefix
from deploy.stack.processes import Process
from deploy.stack.stack import Stack
from streams.store.postgres.connections import connected_blocking

__all__ = ["Check", "examine"]

_CLOCK_APART_S: Final = 2.0
_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
_OF_KAFKA: Final = ("", "_SECURITY", "_MECHANISM", "_USER", "_CA", "_CERTIFICATE", "_KEY")
_BY_UP: Final = frozenset({PREFIX + "DATABASE", PREFIX + "GRAFANA_PASSWORD", PREFIX + "KAFKA_PASSWORD_FILE"})
"""What `up` fills in for a worker, or what nobody is to see."""
_KAFKA_BY_UP: Final = frozenset(f"{PREFIX}KAFKA{of}" for of in _OF_KAFKA)
"""What `up` fills in for a worker, where it cannot be told here by what."""


_NOTHING: Final = Phrase(en="", zh="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        For programs.
    what : Phrase
        For people.
    state : str
        ``good``, ``warning`` or ``bad``.
    found : Phrase
    todo : Phrase
        Empty where nothing is to be done.
    """

    name: str
    what: Phrase
    state: str
    found: Phrase
    todo: Phrase = _NOTHING


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything, in the order in which it is needed."""
    yield _versions()
    yield _java(settings)
    yield _programs(settings)
    yield _folder(settings)
    yield from _disk(settings)
    yield from _ports(settings)
    yield _system_clock()
    stack = Stack(settings)
    yield _kafka(stack)
    yield from _database(stack)
    yield from _put_aside(stack)
    yield _differing(settings)


def _versions() -> Check:
    text = f"Python {platform.python_version()}, {platform.platform(terse=True)}"
    return Check(name="python", what=Phrase(en="program", zh="程序"), state="good", found=Phrase(en=text, zh=text))


def _java(settings: Settings) -> Check:
    what = Phrase(en="Java", zh="Java")
    if settings.kafka.bootstrap is not None:
        text = Phrase(en="not needed: Kafka exists already", zh="无需：使用已有的 Kafka")
        return Check(name="java", what=what, state="good", found=text)
    try:
        program = java(settings.java)
    except MeterwardenError as error:
        todo = Phrase(en="install Java 17 or later", zh="请安装 Java 17 或更高版本")
        return _bad("java", what, str(error), todo, zh=f"{settings.java} 不可用或低于 Java 17")
    return Check(name="java", what=what, state="good", found=Phrase(en=program, zh=program))


def _programs(settings: Settings) -> Check:
    lacking = []
    if settings.kafka.bootstrap is None and not jars_complete(settings.cache):
        lacking.append("Kafka")
    if settings.database.dsn is None and not Prefix.of(settings.cache).complete:
        lacking.append("PostgreSQL")
    what = Phrase(en="servers' programs", zh="服务器程序")
    if not lacking:
        found = Phrase(en=f"complete in {settings.cache}", zh=f"完整，位于 {settings.cache}")
        return Check(name="programs", what=what, state="good", found=found)
    names = ", ".join(lacking)
    return Check(
        name="programs",
        what=what,
        state="warning",
        found=Phrase(en=f"not fetched yet: {names}", zh=f"尚未下载：{names}"),
        todo=Phrase(en="`meterwarden up` fetches them", zh="运行 `meterwarden up` 时会下载"),
    )


def _folder(settings: Settings) -> Check:
    what = Phrase(en="folder of the instance", zh="实例目录")
    place = next(one for one in (settings.home, *settings.home.parents) if one.exists())
    if os.access(place, os.W_OK):
        state = "there" if settings.home.exists() else "not made yet"
        zh = "已存在" if settings.home.exists() else "尚未建立"
        return Check(
            name="home", what=what, state="good",
            found=Phrase(en=f"{settings.home}, {state}", zh=f"{settings.home}，{zh}"),
        )  # fmt: skip
    todo = Phrase(
        en="run it as the instance's owner, or set METERWARDEN_HOME to a folder of your own",
        zh="请以实例所有者身份运行，或将 METERWARDEN_HOME 设为本人可写的目录",
    )
    return _bad("home", what, f"{place} may not be written by this user", todo, zh=f"本用户无权写入 {place}")


def _disk(settings: Settings) -> Iterator[Check]:
    seen: set[int] = set()
    for folder in (settings.home, settings.cache):
        place = next(one for one in (folder, *folder.parents) if one.exists())
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free_mb = shutil.disk_usage(place).free >> 20
        enough = free_mb >= settings.disk_free_mb
        yield Check(
            name="disk",
            what=Phrase(en="disk", zh="磁盘"),
            state="good" if enough else "bad",
            found=Phrase(
                en=f"{free_mb:,} MiB free under {place}, at least {settings.disk_free_mb:,} wanted",
                zh=f"{place} 下剩余 {free_mb:,} MiB，要求不少于 {settings.disk_free_mb:,} MiB",
            ),
            todo=_NOTHING
            if enough
            else Phrase(en="make room, or set METERWARDEN_HOME elsewhere", zh="请清理空间，或改设 METERWARDEN_HOME"),
        )


def _ports(settings: Settings) -> Iterator[Check]:
    own = _own_pids(Places.of(settings))
    for setting, port in _wanted_ports(settings):
        what = Phrase(en=f"port {port}", zh=f"端口 {port}")
        holder = owner(port)
        taken = holder is None and _connects("127.0.0.1", port)
        if holder is None and not taken:
            yield Check(name="port", what=what, state="good", found=Phrase(en="free", zh="空闲"))
        elif holder is not None and holder[0] in own:
            yield Check(name="port", what=what, state="good", found=Phrase(en="this instance's", zh="由本实例使用"))
        else:
            by = f"process {holder[0]} ({holder[1]})" if holder else "a process of another user"
            zh = f"进程 {holder[0]}（{holder[1]}）" if holder else "其他用户的进程"
            yield Check(
                name="port",
                what=what,
                state="bad",
                found=Phrase(en=f"taken by {by}", zh=f"被{zh}占用"),
                todo=Phrase(en=f"free it, or set {setting} to another port", zh=f"请释放该端口，或改设 {setting}"),
            )


def _wanted_ports(settings: Settings) -> Iterator[tuple[str, int]]:
    if settings.kafka.bootstrap is None:
        yield PREFIX + "KAFKA_PORT", settings.kafka.port
        yield PREFIX + "KAFKA_CONTROLLER_PORT", settings.kafka.controller_port
        if settings.kafka.gateway_port:
            yield PREFIX + "KAFKA_GATEWAY_PORT", settings.kafka.gateway_port
        if settings.machines.host is not None:
            yield PREFIX + "MACHINES_KAFKA_PORT", settings.machines.kafka_port
    if settings.database.dsn is None:
        yield PREFIX + "DATABASE_PORT", settings.database.port
    if settings.workers.metrics_port:
        for number in range(settings.workers.count):
            yield PREFIX + "METRICS_PORT", settings.workers.metrics_port + number
    if settings.alerts.api_port:
        yield PREFIX + "API_PORT", settings.alerts.api_port
    if settings.pages.port:
        yield PREFIX + "PAGES_PORT", settings.pages.port


def _own_pids(places: Places) -> set[int]:
    records = places.run.glob("*.json") if places.run.is_dir() else ()
    found = (Process.read(record) for record in records)
    return {process.pid for process in found if process is not None and process.alive()}


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _system_clock() -> Check:
    what = Phrase(en="clock", zh="时钟")
    held = _synchronised()
    if held is None:
        return Check(
            name="clock", what=what, state="good",
            found=Phrase(en="whether it is synchronised cannot be seen here", zh="无法判断是否已同步"),
        )  # fmt: skip
    if held:
        return Check(name="clock", what=what, state="good", found=Phrase(en="synchronised", zh="已与时间服务器同步"))
    return Check(
        name="clock",
        what=what,
        state="warning",
        found=Phrase(en="not synchronised with a time server", zh="未与时间服务器同步"),
        todo=Phrase(
            en="let chrony or systemd-timesyncd run: silence and delays are judged by this clock",
            zh="请启用 chrony 或 systemd-timesyncd：无上报与延迟均按本机时钟判断",
        ),
    )


def _synchronised() -> bool | None:
    """Whether the kernel holds its clock to be right; None where it does not say."""
    timex = (ctypes.c_byte * 512)()  # modes = 0 in its first word: nothing is set
    with contextlib.suppress(OSError, AttributeError):
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
        return None if state < 0 else state != _UNSYNCHRONISED
    return None


def _kafka(stack: Stack) -> Check:
    what = Phrase(en="Kafka", zh="Kafka")
    part = next(one for one in stack.status() if one.name == "kafka")
    if part.healthy:
        found = Phrase(en=f"answers at {stack.bootstrap}", zh=f"{stack.bootstrap} 有应答")
        return Check(name="kafka", what=what, state="good", found=found)
    if stack.settings.kafka.bootstrap is None:
        todo = Phrase(en="`meterwarden up` starts it", zh="运行 `meterwarden up` 启动")
    else:
        todo = Phrase(
            en="is the address of METERWARDEN_KAFKA right, is it reached from here, and is it up?",
            zh="请检查 METERWARDEN_KAFKA 的地址、网络与服务器是否运行",
        )
    detail = f" ({part.detail})" if part.detail and part.detail != stack.bootstrap else ""
    found_en, found_zh = f"no answer at {stack.bootstrap}{detail}", f"{stack.bootstrap} 无应答"
    return _bad("kafka", what, found_en, todo, zh=found_zh)


def _database(stack: Stack) -> Iterator[Check]:
    what = Phrase(en="database", zh="数据库")
    try:
        dsn = stack.dsn
        began = time.time()
        with connected_blocking(dsn, "doctor", timeout_s=3) as connection:
            row = connection.execute(
                "select current_setting('server_version'), "
                "(select extversion from pg_extension where extname = 'timescaledb'), clock_timestamp()"
            ).fetchone()
        taken = time.time() - began
        waiting = pending(dsn)
    except MeterwardenError as error:
        todo = Phrase(
            en="`meterwarden up` starts ours; of one that exists, check METERWARDEN_DATABASE",
            zh="运行 `meterwarden up` 启动内置数据库；使用已有数据库时请检查 METERWARDEN_DATABASE",
        )
        said = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
        unread = isinstance(error, StackError)
        zh = "尚未建立，或本用户无权读取其密码" if unread else f"无应答或无法登录（程序报告：{said}）"
        yield _bad("database", what, said, todo, zh=zh)
        return
    assert row is not None, "a select without a table has a row"
    if row[1] is None:
        todo = Phrase(en="create extension timescaledb", zh="请在该数据库执行 create extension timescaledb")
        yield _bad(
            "database",
            what,
            f"PostgreSQL {row[0]} without TimescaleDB",
            todo,
            zh=f"PostgreSQL {row[0]}，未安装 TimescaleDB",
        )
        return
    version = f"PostgreSQL {row[0]}, TimescaleDB {row[1]}"
    yield Check(name="database", what=what, state="good", found=Phrase(en=version, zh=version))
    yield _schema(waiting)
    yield _clocks(row[2], began, taken)


def _put_aside(stack: Stack) -> Iterator[Check]:
    """Databases that `restore --replace` put aside and nobody has removed since."""
    cluster = PostgresServer(stack.settings, Places.of(stack.settings)).cluster
    for folder in sorted(cluster.parent.glob(f"{cluster.name}{ASIDE}*")):
        mib = _size(folder) >> 20
        yield Check(
            name="put_aside",
            what=Phrase(en="database put aside", zh="恢复前的旧数据库"),
            state="warning",
            found=Phrase(
                en=f"{folder} takes {mib:,} MiB, left by `meterwarden restore --replace`",
                zh=f"{folder} 占用 {mib:,} MiB，由 `meterwarden restore --replace` 留下",
            ),
            todo=Phrase(
                en="once the restored database is in order, this folder may be removed",
                zh="确认恢复后的数据库无误后，可删除该目录",
            ),
        )


def _size(folder: Path) -> int:
    """What the files of a folder take, as far as this user may look. [byte]"""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


def _schema(waiting: list[str]) -> Check:
    what = Phrase(en="schema", zh="数据库结构")
    if not waiting:
        return Check(name="schema", what=what, state="good", found=Phrase(en="of this version", zh="与程序版本一致"))
    return Check(
        name="schema",
        what=what,
        state="warning",
        found=Phrase(
            en=f"{len(waiting)} migrations wait, the first is {waiting[0]}",
            zh=f"有 {len(waiting)} 个迁移待执行，首个为 {waiting[0]}",
        ),
        todo=Phrase(
            en="`meterwarden migrate` or `up` brings it up", zh="请运行 `meterwarden migrate` 或 `meterwarden up`"
        ),
    )


def _clocks(of_database: datetime, began: float, taken: float) -> Check:
    apart = of_database.astimezone(UTC).timestamp() - (began + taken)
    far = abs(apart) > _CLOCK_APART_S + taken
    apart = round(apart, 1) + 0.0  # no -0.0
    return Check(
        name="database_clock",
        what=Phrase(en="database's clock", zh="数据库时钟"),
        state="bad" if far else "good",
        found=Phrase(en=f"{apart:+.1f} s from this machine's", zh=f"与本机相差 {apart:+.1f} s"),
        todo=Phrase(en="synchronise both machines", zh="请校准两台机器的时钟") if far else _NOTHING,
    )


def _differing(settings: Settings) -> Check:
    what = Phrase(en="settings", zh="设置")
    running = _running_settings(Places.of(settings))
    if running is None:
        found = Phrase(en="no worker of this instance runs", zh="本实例没有运行中的工作进程")
        return Check(name="settings", what=what, state="good", found=found)
    wanted, by_up = environment(settings), _BY_UP | _KAFKA_BY_UP
    with contextlib.suppress(MeterwardenError):  # a password that cannot be read: Kafka's line tells
        wanted, by_up = wanted | environment_of(Stack(settings).kafka_access("worker")), _BY_UP
    names = [spec.name for spec in FIELDS if spec.name not in by_up and spec.path not in SECRET_PATHS]
    other = [name for name in names if wanted.get(name, "") != running.get(name, "")]
    if not other:
        found = Phrase(en="those that the worker runs by", zh="与运行中的工作进程一致")
        return Check(name="settings", what=what, state="good", found=found)
    shown = "; ".join(f"{name} is {wanted.get(name, '–')} here and {running.get(name, '–')} there" for name in other)
    zh = "；".join(f"{name} 此处为 {wanted.get(name, '–')}，运行中为 {running.get(name, '–')}" for name in other)
    return Check(
        name="settings",
        what=what,
        state="warning",
        found=Phrase(en=f"differ from the running worker's: {shown}", zh=f"与运行中的工作进程不同：{zh}"),
        todo=Phrase(
            en="`meterwarden down`, then `up` with the settings that you want",
            zh="请先 `meterwarden down`，再以所需设置运行 `meterwarden up`",
        ),
    )


def _running_settings(places: Places) -> dict[str, str] | None:
    """What the first worker that runs was started with; None where none runs, or this user may not look."""
    for record in sorted(places.run.glob("worker-*.json")) if places.run.is_dir() else ():
        process = Process.read(record)
        if process is None or not process.alive():
            continue
        with contextlib.suppress(OSError):
            raw = Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace")
            pairs = (entry.partition("=") for entry in raw.split("\0") if entry.startswith(PREFIX))
            return {name: value for name, _, value in pairs}
    return None


def _bad(name: str, what: Phrase, found: str, todo: Phrase, *, zh: str) -> Check:
    return Check(name=name, what=what, state="bad", found=Phrase(en=found, zh=zh), todo=todo)
