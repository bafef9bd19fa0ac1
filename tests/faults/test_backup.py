"""A backup made while all runs, put back into an older state and into an empty machine: the exact model proves it."""

import asyncio
import copy
import dataclasses
import shutil
import stat
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from deploy.cli import cli
from deploy.migrate import migrate
from deploy.operations.archive import BackupDamaged, Manifest, manifest_of
from deploy.operations.backup import back_up
from deploy.operations.restore import newest, put_back, too_old
from deploy.settings import DatabaseSettings, Settings, environment
from deploy.stack import Stack, StackError
from deploy.stack.places import Places
from tests.conftest import private_instance, private_settings
from tests.faults.harness import Arena, arena
from tests.faults.model import Traffic
from tests.streams.site import Site, load

pytestmark = pytest.mark.integration

SITE = Site(units=8, meters=12, interval_us=15 * 60_000_000)
TOPIC = "metering.readings"


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    """An instance that is backed up."""
    with private_instance() as settings:
        yield settings


@dataclass
class Made:
    """A backup on the way, one at rest, and what was sent in all."""

    path: Path
    at_rest: Path
    traffic: Traffic


@pytest.fixture(scope="module")
def made(own: Settings, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Backups of an instance whose worker stores while the first is made."""
    stack = Stack(own)
    stack.up(("postgresql", "kafka"))
    migrate(stack.dsn)
    asyncio.run(load(stack.dsn, SITE.ledger()))
    with arena(stack.access, stack.dsn, TOPIC, tmp_path_factory.mktemp("logs")) as place:
        worker = place.worker("a")
        live = place.live(Traffic(SITE), pause_s=0.02)
        place.wait(lambda: sum(place.fences().values()) > 200, 240)
        shares = []
        path, manifest = back_up(own, own.home / "backups", report=lambda read, total: shares.append((read, total)))
        fences = place.fences()
        place.wait(lambda: sum(place.fences().values()) > sum(fences.values()) + 200, 240)
        traffic = live.end()
        place.settle()
        assert worker.stop() == 0
        assert shares[-1][0] == shares[-1][1] > 10 << 20
        assert sum(manifest.fences[TOPIC].values()) < sum(place.ends().values())
        at_rest, _ = back_up(own, own.home / "at rest", report=lambda *_: None)
    return Made(path, at_rest, traffic)


def test_put_back_into_an_older_state_what_kafka_has_above_the_fence_is_stored_again_once(
    own: Settings, made: Made, tmp_path: Path
) -> None:
    path, traffic = made.path, copy.deepcopy(made.traffic)
    stack = Stack(own)
    with pytest.raises(StackError, match=r"nothing of the instance may run .* `meterwarden down` first"):
        put_back(own, path)
    stack.down()
    with pytest.raises(StackError, match=r"holds a database: add --replace"):
        put_back(own, path)
    done = put_back(own, path, replace=True)
    assert done.aside is not None
    assert (done.aside / "PG_VERSION").exists()
    assert done.settings == {}
    stack.up(("postgresql", "kafka"))
    place = Arena(stack.access, stack.dsn, TOPIC, 4, tmp_path)
    try:
        [(before,)] = place.query("select count(*) from reading_hot")
        assert 0 < before < traffic.accepted, "the backup is of an instant on the way"
        worker = place.worker("b")
        place.wait_until_stored()
        place.send(traffic.next(3))
        place.send(traffic.rest())
        place.settle()
        place.check(traffic)
        assert worker.stop() == 0
    finally:
        place.close()


def test_put_back_into_an_empty_machine_the_states_go_on(made: Made, instance: Settings, tmp_path: Path) -> None:
    traffic = copy.deepcopy(made.traffic)
    run = CliRunner(env=environment(instance)).invoke
    done = run(cli, ["restore", str(made.at_rest.parent)])
    assert done.exit_code == 0, done.output
    assert "put back to" in done.output
    assert "what lay there before" not in done.output
    again = run(cli, ["restore", str(made.at_rest)])
    assert again.exit_code == 2
    assert "add --replace to put it aside" in again.output
    stack = Stack(instance)
    stack.up(("postgresql", "kafka"))
    with arena(stack.access, stack.dsn, TOPIC, tmp_path) as place:
        worker = place.worker("b")
        place.send(traffic.next(12))
        place.send(traffic.rest())
        place.wait(lambda: place.incarnations() == 2, 240)
        place.settle()
        place.check(traffic)
        assert worker.stop() == 0


def test_a_database_of_somebody_else_is_copied_while_all_runs_and_goes_on_in_an_empty_one(
    stack: Stack, database: str, empty_database: str, topic_prefix: str, home: Path
) -> None:
    asyncio.run(load(database, SITE.ledger()))
    theirs = dataclasses.replace(stack.settings, home=home, database=DatabaseSettings(dsn=database))
    Places.of(theirs).make()
    shutil.copytree(stack.settings.home / "secrets", home / "secrets", dirs_exist_ok=True)
    with arena(stack.access, database, topic_prefix + "tables", home) as place:
        worker = place.worker("a", snapshot_s=1.0)
        live = place.live(Traffic(SITE), pause_s=0.02)
        place.wait(lambda: sum(place.fences().values()) > 200, 240)
        path, manifest = back_up(theirs, home / "backups", report=lambda *_: None)
        assert "public.reading_hot" in manifest.tables
        place.wait(lambda: sum(place.fences().values()) > sum(manifest.fences[place.topic].values()) + 200, 240)
        traffic = live.end()
        place.settle()
        assert worker.stop() == 0
        after, _ = back_up(theirs, home / "after", report=lambda *_: None)
        run = CliRunner(env=environment(theirs)).invoke
        full = run(cli, ["restore", str(path)])
        assert full.exit_code == 2
        assert "must hold nothing yet" in full.output
        done = run(cli, ["restore", str(path)], env={"METERWARDEN_DATABASE": empty_database})
        assert done.exit_code == 0, done.output
        assert "put back to the database of METERWARDEN_DATABASE" in done.output
        again = Arena(stack.access, empty_database, place.topic, 4, home)
        try:
            [(before,)] = again.query("select count(*) from reading_hot")
            assert 0 < before < traffic.accepted, "the backup is of an instant on the way"
            worker = again.worker("b")
            again.wait_until_stored()
            more = copy.deepcopy(traffic)
            again.send(more.next(3))
            again.send(more.rest())
            again.settle()
            again.check(more)
            assert worker.stop() == 0
        finally:
            again.close()
        place.delete_topic()
        time.sleep(1.0)
    with database_beside(empty_database) as third:
        put_back(dataclasses.replace(theirs, database=DatabaseSettings(dsn=third)), after)
        assert ages(third) == ages(database), "states are brought up by what was stored after them"
        with arena(stack.access, third, topic_prefix + "tables", home) as place:  # a topic made anew
            worker = place.worker("c")
            place.send(traffic.next(12))
            place.send(traffic.rest())
            place.wait(lambda: place.incarnations() == 2, 240)
            place.settle()
            place.check(traffic)
            assert worker.stop() == 0


@contextmanager
def database_beside(dsn: str) -> Iterator[str]:
    """One more empty database on the same server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    address = dsn.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
        try:
            with psycopg.connect(address, autocommit=True) as empty:
                empty.execute("create extension if not exists timescaledb")
            yield address
        finally:
            connection.execute(f"drop database {name} with (force)".encode())


def ages(dsn: str) -> list[tuple[int, int]]:
    """How many readings each partition's snapshot has not seen."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            "select s.partition, (select count(*) from reading_hot h where age(h.xmin) < age(s.xmin))"
            " from stream_snapshot s order by s.partition"
        )
        return [(int(partition), int(count)) for partition, count in found]


def test_a_backup_is_for_its_owner_alone_and_holds_what_belongs_to_it(made: Made) -> None:
    path = made.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert newest(path.parent) == path
    manifest = manifest_of(path)
    assert {"base.tar", "secrets/database_password"} <= set(manifest.sums)
    assert manifest.postgresql.startswith("17.")
    assert not [name for name in manifest.settings if "PASSWORD" in name or name.endswith(("_DATABASE", "_KAFKA"))]
    assert [file.name for file in path.parent.iterdir()] == [path.name], "nothing half-written stays"


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "swapped"])
def test_a_damaged_backup_is_refused_with_what_is_wrong_and_nothing_is_touched(
    made: Made, home: Path, damage: str
) -> None:
    path = made.path
    broken = home / path.name
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    broken.write_bytes(data[: {"cut": len(data) // 2, "empty": 0}.get(damage, len(data))])
    if damage == "swapped":
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(broken, "w") as other:
            for name in whole.namelist():
                other.writestr(name, b"guessed" if name == "secrets/database_password" else whole.read(name))
    settings = private_settings(home / "into")
    wrong = {"flipped": "base.tar in .* cannot be read: Bad CRC|checksum|unpacked|invalid", "cut": "end is missing"}
    wrong |= {"empty": "must be a whole backup", "swapped": "secrets/database_password in .* must have the checksum"}
    with pytest.raises(BackupDamaged, match=wrong[damage]):
        put_back(settings, broken)
    assert not (settings.home / "data" / "postgresql").exists()
    assert not list((settings.home / "data").glob("*restored*"))
    assert not (settings.home / "secrets").exists()


def test_the_commands_say_how_old_a_backup_may_be(own: Settings, made: Made, home: Path) -> None:
    run = CliRunner(env=environment(own)).invoke
    Stack(own).up(("postgresql", "kafka"))
    done = run(cli, ["backup", str(home / "more")])
    assert done.exit_code == 0, done.output
    assert "Kafka keeps readings for 7 days" in done.output
    assert "100 %" in done.output
    Stack(own).down(("postgresql",))
    failed = run(cli, ["backup", str(home / "more")])
    assert failed.exit_code == 2
    assert "the database must answer" in failed.output
    assert len(list((home / "more").iterdir())) == 1
    manifest = dataclasses.replace(manifest_of(made.path), kept_s=3600.0)
    assert too_old(manifest, manifest.made_at + timedelta(minutes=50)) is None
    assert too_old(manifest, manifest.made_at + timedelta(hours=3)) == timedelta(hours=2)
    foreign = run(cli, ["restore", str(made.path)], env={"METERWARDEN_DATABASE": "postgresql://u@127.0.0.1:1/d"})
    assert foreign.exit_code == 2
    assert "a backup of tables must go into a database of METERWARDEN_DATABASE" in foreign.output


def test_a_backup_of_a_newer_version_is_not_put_back(made: Made, home: Path) -> None:
    broken = home / made.path.name
    with zipfile.ZipFile(made.path) as whole, zipfile.ZipFile(broken, "w") as other:
        for name in whole.namelist():
            text = whole.read(name)
            newer = text.replace(b'"0001_ledger.sql"', b'"9999_future.sql"') if name == "manifest.json" else text
            other.writestr(name, newer)
    with pytest.raises(Exception, match=r"must not be of a newer version than this one \(it has 9999_future\.sql"):
        put_back(private_settings(home / "into"), broken)
    assert isinstance(manifest_of(broken), Manifest)
    assert manifest_of(broken).made_at < datetime.now(UTC)
