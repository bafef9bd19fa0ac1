"""The embedded stack as its users meet it: started, killed, found again, stopped."""

import dataclasses
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from deploy.settings import DatabaseSettings, KafkaSettings, Settings, environment
from deploy.stack import SERVERS, PartStatus, Stack, StackError
from deploy.stack.errors import PartFailed
from deploy.stack.kafka_server import MESSAGE_BYTES
from deploy.stack.ports import free_ports
from deploy.stack.processes import until
from tests.conftest import kafka_settings

pytestmark = pytest.mark.integration


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def pids(stack: Stack) -> dict[str, tuple[int, ...]]:
    return {part.name: part.pids for part in stack.status() if part.name in SERVERS}


def part(stack: Stack, name: str) -> PartStatus:
    return next(status for status in stack.status() if status.name == name)


def leave_traces(stack: Stack) -> None:
    with psycopg.connect(stack.dsn) as connection:
        connection.execute("create table trace as select 42 as answer")
    admin = KafkaAdminClient(**stack.access.options())
    admin.create_topics([NewTopic(name="trace", num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(acks="all", **stack.access.options())
    producer.send("trace", b"42").get(30)
    producer.close()


def traces(stack: Stack) -> tuple[int, bytes]:
    with psycopg.connect(stack.dsn) as connection:
        row = connection.execute("select answer from trace").fetchone()
    consumer = KafkaConsumer(consumer_timeout_ms=30_000, auto_offset_reset="earliest", **stack.access.options())
    consumer.assign([TopicPartition("trace", 0)])
    message = next(consumer)
    consumer.close()
    assert row is not None
    return row[0], message.value


def test_what_was_stored_survives_kills_of_each_part_and_a_clean_stop(instance: Settings) -> None:
    assert " " in str(instance.home)
    stack = Stack(instance)
    assert stack.up(SERVERS) == list(SERVERS)
    first = pids(stack)
    assert all(part(stack, name).healthy for name in SERVERS)
    leave_traces(stack)

    assert stack.up(SERVERS) == []
    assert pids(stack) == first

    for killed in SERVERS:
        before = pids(stack)
        assert stack.kill(killed) == list(before[killed])
        assert not part(stack, killed).healthy
        assert stack.up(SERVERS) == [killed]
        after = pids(stack)
        assert after[killed] != before[killed]
        assert {name: pid for name, pid in after.items() if name != killed} == {
            name: pid for name, pid in before.items() if name != killed
        }
        assert traces(stack) == (42, b"42")

    assert stack.down() == ["kafka", "postgresql"]
    assert pids(stack) == {"postgresql": (), "kafka": ()}
    assert stack.down() == []

    assert stack.up(SERVERS) == list(SERVERS)
    assert traces(stack) == (42, b"42")


def test_a_second_instance_runs_beside_the_first_and_stops_alone(stack: Stack, instance: Settings) -> None:
    before = pids(stack)
    second = Stack(instance)
    second.up(SERVERS)
    assert not set(pids(second).values()) & set(before.values())
    assert second.dsn != stack.dsn
    second.down()
    assert pids(stack) == before
    assert all(part(stack, name).healthy for name in SERVERS)


def test_two_who_start_the_same_instance_at_once_start_it_once(instance: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: Stack(instance).up(["postgresql"]), range(2)))
    assert sorted(both) == [[], ["postgresql"]]


def test_a_server_is_found_again_when_its_record_is_lost(instance: Settings) -> None:
    stack = Stack(instance)
    stack.up(SERVERS)
    before = pids(stack)
    for record in (instance.home / "run").glob("*.json"):
        record.unlink()
    assert stack.up(SERVERS) == []
    assert pids(stack) == before
    assert stack.down() == ["kafka", "postgresql"]


def test_lock_files_that_name_a_stranger_stop_nobody(instance: Settings, stranger: subprocess.Popen[bytes]) -> None:
    stack = Stack(instance)
    stack.up(["postgresql"])
    stack.kill("postgresql")
    for name in ("postmaster.pid", f".s.PGSQL.{instance.database.port}.lock"):  # the socket has one too
        lock = instance.home / "data" / "postgresql" / name
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")

    assert stack.up(["postgresql"]) == ["postgresql"]
    assert part(stack, "postgresql").healthy
    assert stack.down() == ["postgresql"]
    assert stranger.poll() is None


def test_a_killed_server_whose_zombie_nobody_reaps_is_started_again(instance: Settings) -> None:
    stack = Stack(instance)
    program = (
        "import sys; from deploy.settings import load; from deploy.stack import Stack; Stack(load()).up(['postgresql'])"
    )
    waiting = "; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program + waiting],
        env=os.environ | environment(instance),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"\n"
        (pid,) = pids(stack)["postgresql"]
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", 30.0), "its parent lives on"
        assert stack.up(["postgresql"]) == ["postgresql"]
        assert part(stack, "postgresql").healthy
        parent.communicate(b"")


def test_a_data_folder_that_is_a_file_system_of_its_own_is_used(instance: Settings) -> None:
    folder = instance.home / "data" / "postgresql"
    (folder / "lost+found").mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, check=False)
    if mounted.returncode == 0:  # where nobody may mount, lost+found alone makes the case
        (folder / "lost+found").mkdir()
    stack = Stack(instance)
    try:
        assert stack.up(["postgresql"]) == ["postgresql"]
        stack.kill("postgresql")
        assert stack.up(["postgresql"]) == ["postgresql"]
        assert (folder / "cluster" / "PG_VERSION").exists()
        stack.down()
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True)
            with pytest.raises(PartFailed, match=r"must hold the database that was made .*mount its disk"):
                stack.up(["postgresql"])
    finally:
        stack.down()
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_data_folder_with_other_things_in_it_is_refused_in_a_sentence(instance: Settings) -> None:
    folder = instance.home / "data" / "postgresql"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").touch()
    with pytest.raises(PartFailed, match=r"must be empty or hold a cluster of PostgreSQL \(it holds holiday.jpg\)"):
        Stack(instance).up(["postgresql"])


def test_a_server_that_is_stopped_by_hand_for_good_is_killed_when_its_time_is_over(instance: Settings) -> None:
    settings = dataclasses.replace(instance, stop_timeout_s=2.0)
    stack = Stack(settings)
    stack.up(["kafka"])
    (pid,) = pids(stack)["kafka"]
    os.kill(pid, signal.SIGSTOP)
    assert until(lambda: not part(stack, "kafka").healthy, 30.0)
    assert stack.down() == ["kafka"]
    assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


def test_workers_start_into_a_ready_house_and_a_killed_one_is_started_again(instance: Settings) -> None:
    two = dataclasses.replace(instance.workers, count=2)
    stack = Stack(dataclasses.replace(instance, workers=two))
    assert stack.up() == ["postgresql", "kafka", "workers"]
    first = part(stack, "workers")
    assert first.healthy
    assert len(first.pids) == 2
    with psycopg.connect(stack.dsn) as connection:
        assert connection.execute("select to_regclass('schema_migration') is not null").fetchone() == (True,)

    os.kill(first.pids[0], signal.SIGKILL)
    assert until(lambda: not part(stack, "workers").healthy, 30.0)
    assert stack.up() == ["workers"]
    second = part(stack, "workers")
    assert second.healthy
    assert len(set(first.pids) & set(second.pids)) == 1

    fewer = Stack(dataclasses.replace(instance, workers=dataclasses.replace(two, count=1)))
    assert not part(fewer, "workers").healthy
    assert fewer.up() == []
    assert len(part(fewer, "workers").pids) == 1
    assert fewer.down() == ["workers", "kafka", "postgresql"]


def test_servers_that_exist_already_are_checked_and_left_alone(stack: Stack, instance: Settings) -> None:
    borrowed = dataclasses.replace(
        instance,
        kafka=kafka_settings(stack.access),
        database=DatabaseSettings(dsn=stack.dsn),
    )
    other = Stack(borrowed)
    assert other.up(SERVERS) == []
    assert [(status.name, status.healthy, status.external) for status in other.status()][:2] == [
        ("postgresql", True, True),
        ("kafka", True, True),
    ]
    assert other.down() == []
    assert other.kill("kafka") == []
    assert all(part(stack, name).healthy for name in SERVERS)


def test_a_server_that_is_said_to_exist_and_does_not_answer_is_named(instance: Settings) -> None:
    nowhere = instance.kafka.port  # nobody listens there
    with pytest.raises(PartFailed, match=rf"127\.0\.0\.1:{nowhere}.*METERWARDEN_KAFKA"):
        Stack(dataclasses.replace(instance, kafka=KafkaSettings(bootstrap=f"127.0.0.1:{nowhere}"))).up(["kafka"])
    dsn = f"postgresql://me:secret@127.0.0.1:{nowhere}/mine"
    with pytest.raises(PartFailed, match=rf"127\.0\.0\.1:{nowhere}/mine.*METERWARDEN_DATABASE") as caught:
        Stack(dataclasses.replace(instance, database=DatabaseSettings(dsn=dsn))).up(["postgresql"])
    assert "secret" not in str(caught.value)


def test_the_database_is_durable_private_and_has_the_extension(stack: Stack) -> None:
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "track_commit_timestamp": "on",
        "jit": "off",
        "listen_addresses": "127.0.0.1",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
        "server_encoding": "UTF8",
    }
    with psycopg.connect(stack.dsn) as connection:
        got = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in wanted}
        assert got == {name: (value,) for name, value in wanted.items()}
        assert connection.execute("select 1 from pg_extension where extname = 'timescaledb'").fetchone() == (1,)
        locale = "select datlocprovider, datlocale from pg_database where datname = current_database()"
        assert connection.execute(locale).fetchone() == ("b", "C.UTF-8")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(stack.dsn.replace(":", ":x", 2).replace(":x//", "://", 1))


def test_passwords_are_readable_by_their_owner_alone(stack: Stack) -> None:
    folder = stack.settings.home / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stack.dsn.split(":")[2].split("@")[0] not in repr(stack.settings)


def test_the_servers_do_not_run_as_root(stack: Stack) -> None:
    owners = {Path(f"/proc/{pid}").stat().st_uid for processes in pids(stack).values() for pid in processes}
    assert 0 not in owners


def test_a_message_of_50_mb_arrives(stack: Stack, fresh_topic: "object") -> None:
    assert callable(fresh_topic)
    topic = fresh_topic("large")
    value = bytes(50_000_000)
    producer = KafkaProducer(max_request_size=MESSAGE_BYTES, acks="all", **stack.access.options())
    assert producer.send(topic, value).get(60).offset == 0
    producer.close()


def test_a_topic_that_nobody_made_does_not_appear(stack: Stack, topic_prefix: str) -> None:
    consumer = KafkaConsumer(topic_prefix + "unknown", consumer_timeout_ms=1500, **stack.access.options())
    assert list(consumer) == []
    assert topic_prefix + "unknown" not in consumer.topics()
    consumer.close()


def test_unknown_parts_are_refused(instance: Settings) -> None:
    with pytest.raises(StackError, match=r"postgresql, kafka, workers, alerts, pages \(got redis\)"):
        Stack(instance).up(["redis"])


def test_beside_a_demo_the_parts_that_nobody_started_are_not_called_down(stack: Stack, database: str) -> None:
    pages = dataclasses.replace(stack.settings.pages, port=free_ports(1)[0])
    demo = Stack(dataclasses.replace(stack.settings, pages=pages))
    before = {one.name for one in demo.status()}
    assert {"workers", "pages"} <= before, "without one they are asked for"
    try:
        url = demo.show(database)
        found = {one.name: one for one in demo.status()}
        assert {"workers", "pages"}.isdisjoint(found)
        assert (found["pages-demo"].healthy, found["pages-demo"].detail) == (True, url)
        assert all(one.healthy for one in found.values())
    finally:
        demo.down(("pages",))
    assert {one.name for one in demo.status()} == before
