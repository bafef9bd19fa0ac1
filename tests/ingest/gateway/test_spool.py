import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.domain.errors import ConfigurationError, MeterwardenError
from ingest.gateway.commit import GroupCommit
from ingest.gateway.spool import BLOCK, JSON, Entry, Spool, SpoolFull

DAY_US = 86_400_000_000


def entry(number: int, *, size: int = 20, key: str = "U1", at: int | None = None) -> Entry:
    payload = f"{number}:".encode().ljust(size, b".")
    return Entry(key, BLOCK, payload, 3, 1_000_000 + number if at is None else at)


def numbers(spool: Spool, max_bytes: int = 10**9) -> list[int]:
    return [int(stored.entry.payload.split(b":")[0]) for stored in spool.read(max_bytes)]


def test_what_was_kept_comes_out_in_order_and_again_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.append([entry(i) for i in range(5)])
    spool.append([Entry("企业", JSON, b"{}", 1, 7)])
    first = spool.read(10**6)
    assert [stored.seq for stored in first] == [1, 2, 3, 4, 5, 6]
    assert first[-1].entry == Entry("企业", JSON, b"{}", 1, 7)
    assert spool.read() == []
    spool.acknowledge(2)
    assert (spool.stats().records, spool.stats().oldest_us) == (4, 1_000_000)
    spool.close()
    again = Spool(tmp_path / "s")
    assert [stored.seq for stored in again.read()] == [3, 4, 5, 6]
    assert (again.stats().records, again.stats().readings) == (4, 10)
    again.rewind()
    assert numbers(again, 1) == [2]
    again.close()


@given(st.lists(st.tuples(st.sampled_from("arkow"), st.integers(1, 40)), max_size=60))
@example([("a", 4), ("r", 1), ("k", 1), ("w", 1), ("r", 1)])
@settings(max_examples=60)
def test_any_course_of_events_gives_everything_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, segment_bytes=400)
    kept = acked = read = 0
    for kind, n in events:
        if kind == "a":
            spool.append([entry(kept + i, size=n) for i in range(n % 4 + 1)])
            kept += n % 4 + 1
        elif kind == "r":
            found = [stored.seq for stored in spool.read(n)]
            assert found == list(range(read + 1, read + len(found) + 1))
            assert found or read == kept
            read += len(found)
        elif kind == "k":
            acked = max(acked, read)
            spool.acknowledge(read)
        elif kind == "w":
            spool.rewind()
            read = acked
        else:
            spool.close()
            spool = Spool(folder, segment_bytes=400)
            read = acked
        stats = spool.stats()
        assert (stats.records, stats.readings) == (kept - acked, 3 * (kept - acked)), (kind, n)
    assert len(numbers(spool)) == kept - read
    spool.acknowledge(kept)
    spool.close()
    assert len(list(folder.glob("*.seg"))) <= 1


def test_delivered_files_are_deleted_and_the_size_stays_flat(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=10_000)
    for i in range(300):
        spool.append([entry(i, size=1000)])
        spool.acknowledge(spool.read()[-1].seq)
    assert spool.stats().bytes < 25_000
    spool.close()


def test_torn_end_is_cut_off_and_nothing_else(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([entry(i) for i in range(4)])
    spool.close()
    (file,) = tmp_path.glob("*.seg")
    whole = file.read_bytes()
    for cut in range(len(whole) // 4 * 3 + 1, len(whole)):
        file.write_bytes(whole[:cut])
        torn = Spool(tmp_path)
        assert numbers(torn) == [0, 1, 2]
        torn.append([entry(9)])
        torn.rewind()
        assert [stored.seq for stored in torn.read()] == [1, 2, 3, 4]
        torn.close()
        for other in tmp_path.glob("*.seg"):
            other.unlink()


def test_damage_in_the_middle_loses_only_what_is_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path, segment_bytes=600)
    for i in range(20):
        spool.append([entry(i, size=60)])
    spool.close()
    files = sorted(tmp_path.glob("*.seg"))
    assert len(files) > 2
    for file in (files[0], files[-1]):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0x40
        file.write_bytes(data)
    again = Spool(tmp_path, segment_bytes=600)
    found = numbers(again)
    assert len(found) in (17, 18)
    assert found == sorted(set(found))
    assert again.stats().damaged_bytes > 0
    assert "damaged" in caplog.text
    again.close()


def test_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=10_000, segment_bytes=2000)
    kept = 0
    while spool.stats().bytes + 200 <= 10_000:
        spool.append([entry(kept, size=100)])
        kept += 1
    with pytest.raises(SpoolFull, match="must have room"):
        spool.append([entry(kept, size=400)])
    assert numbers(spool) == list(range(kept))
    spool.acknowledge(kept)
    spool.append([entry(5000)])
    assert numbers(spool) == [5000]
    spool.close()


def test_only_what_is_older_than_it_must_be_kept_makes_room_and_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, max_bytes=10_000, segment_bytes=2000, keep_us=180 * DAY_US)
    day = 0
    while spool.stats().bytes + 200 <= 10_000:
        spool.append([entry(day, size=100, at=day * DAY_US)])
        day += 1
    assert day < 90
    with pytest.raises(SpoolFull):
        spool.append([entry(day, size=400, at=day * DAY_US)])
    before = spool.stats()
    assert not caplog.text
    spool.append([entry(500, size=100, at=500 * DAY_US)])
    after = spool.stats()
    assert after.dropped_readings > 0
    assert before.readings + 3 - after.readings == after.dropped_readings
    assert "dropped" in caplog.text
    assert numbers(spool)[-1] == 500
    spool.close()


def test_disk_that_is_full_is_told_and_what_was_kept_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append([entry(0)])
    real = os.pwrite
    left = [30]

    def short(file: int, data: bytes, at: int) -> int:
        if len(data) < 64 and at < 128:  # the cursor
            return real(file, data, at)
        if left[0] <= 0:
            raise OSError(28, "No space left on device")
        written = real(file, bytes(data[: left[0]]), at)
        left[0] = 0
        return written

    monkeypatch.setattr(os, "pwrite", short)
    with pytest.raises(SpoolFull, match="must have room"):
        spool.append([entry(1, size=500)])
    monkeypatch.setattr(os, "pwrite", real)
    spool.append([entry(2)])
    assert numbers(spool) == [0, 2]
    spool.close()
    again = Spool(tmp_path)
    assert numbers(again) == [0, 2]
    again.close()


def test_failed_flush_is_never_taken_for_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append([entry(0)])

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(MeterwardenError, match="must be written"):
            spool.append([entry(1)])
    spool.append([entry(2)])
    assert numbers(spool) == [0, 2]
    spool.close()


def test_free_room_of_the_disk_is_left_to_others(tmp_path: Path) -> None:
    spool = Spool(tmp_path, reserve_bytes=2**60)
    with pytest.raises(SpoolFull, match="bytes free"):
        spool.append([entry(0)])
    spool.close()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ConfigurationError, match="used by one process"):
        Spool(tmp_path)
    spool.close()
    with pytest.raises(ConfigurationError, match="can be written"):
        Spool(Path("/dev/null/spool"))


def test_group_commit_keeps_all_and_tells_each(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    commit = GroupCommit(spool)
    futures = [commit.submit([entry(i)]) for i in range(500)]
    for future in futures:
        future.result(10)
    commit.close()
    assert numbers(spool) == list(range(500))
    assert isinstance(commit.submit([entry(1)]).exception(), SpoolFull)
    spool.close()


def test_group_commit_takes_what_fits_and_refuses_the_rest(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=3000, segment_bytes=3000)
    commit = GroupCommit(spool)
    futures = [commit.submit([entry(i, size=400)]) for i in range(20)]
    refused = [i for i, future in enumerate(futures) if isinstance(future.exception(10), SpoolFull)]
    commit.close()
    assert 0 < len(refused) < 20
    assert numbers(spool) == [i for i in range(20) if i not in refused]
    spool.close()


def test_group_commit_does_not_take_more_than_may_wait(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    commit = GroupCommit(spool, max_waiting_bytes=100)
    assert isinstance(commit.submit([entry(0, size=101)]).exception(), SpoolFull)
    commit.close()
    spool.close()


_WRITER = """
import sys
from pathlib import Path
from ingest.gateway.spool import Entry, Spool, BLOCK
spool = Spool(Path(sys.argv[1]), segment_bytes=20_000)
number = int(sys.argv[2])
while True:
    spool.append([Entry("U", BLOCK, f"{number + i}:".encode().ljust(700, b"."), 1, number + i + 1) for i in range(3)])
    number += 3
    print(number, flush=True)
"""


def test_kill_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    chance = random.Random(7)
    number = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), str(number)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(chance.randrange(2, 60)):
            number = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        number = max([number, *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
        spool = Spool(tmp_path, segment_bytes=20_000)
        found = numbers(spool)
        assert found[:number] == list(range(number))
        assert len(found) <= number + 3  # written, and killed before it was told
        number = len(found)
        spool.close()


def test_what_comes_after_something_that_found_no_room_waits_with_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=0)
    commit = GroupCommit(spool)
    first = commit.submit([entry(0)])
    assert isinstance(first.exception(timeout=60), SpoolFull)
    spool._max_bytes = 10**6
    second = commit.submit([entry(1)], after=first)
    assert isinstance(second.exception(timeout=60), SpoolFull)
    first = commit.submit([entry(0)])
    second = commit.submit([entry(1)], after=first)
    third = commit.submit([entry(2)])
    assert [one.result(timeout=60) for one in (first, second, third)] == [None] * 3
    commit.close()
    assert numbers(spool) == [0, 1, 2]
    spool.close()
