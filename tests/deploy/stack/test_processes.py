import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.stack.processes import Process, find, launch, tail, works_in
from streams.logs import put_aside


def test_a_process_is_itself_until_it_ends_and_nobody_afterwards(tmp_path: Path) -> None:
    process = launch(["sleep", "600"], account=None, environ=os.environ, log=tmp_path / "log", where=tmp_path)
    assert process.alive()
    process.write(tmp_path / "record.json")
    assert Process.read(tmp_path / "record.json") == process
    assert process.signal(signal.SIGKILL)
    assert process.wait(10)
    assert not process.signal(signal.SIGKILL)
    assert Process.of(process.pid) != process


def test_a_process_runs_in_a_session_and_a_folder_of_its_own_and_its_output_is_kept(tmp_path: Path) -> None:
    script = "import os; print(os.getsid(0) == os.getpid(), os.getcwd(), sorted(os.environ), flush=True)"
    process = launch(
        [sys.executable, "-I", "-c", script], account=None, environ={"A": "1"}, log=tmp_path / "log", where=tmp_path
    )
    assert process.wait(30)
    session, where, *names = (tmp_path / "log").read_text().split()
    assert (session, where) == ("True", str(tmp_path))
    assert "['A'" in names[0]


def test_a_process_is_found_by_its_command_line(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    with subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE) as child:
        found = find(lambda _pid, command: mark in command)
        child.kill()
    assert [process.pid for process in found] == [child.pid]


def test_a_process_works_in_its_folder_and_in_none_that_is_only_called_the_same(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    with subprocess.Popen(["sleep", "600"], cwd=ours) as child:
        assert works_in(child.pid, ours)
        assert not works_in(child.pid, theirs)
        ours.rename(tmp_path / "gone")
        theirs.rename(ours)
        assert not works_in(child.pid, ours)
        assert not works_in(child.pid, tmp_path / "nowhere")
        child.kill()


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it ended, and is still in the table
        assert Path(f"/proc/{child.pid}").exists()
        assert Process.of(child.pid) is None


def test_five_old_logs_are_kept_the_newest_first(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    for number in range(8):
        put_aside(log)
        log.write_text(f"run {number}")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "part.log": "run 7",
        **{f"part.log.{age}": f"run {7 - age}" for age in range(1, 6)},
    }


def test_an_empty_log_pushes_no_older_one_out(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("said")
    put_aside(log)
    log.write_text("")
    put_aside(log)
    assert (tmp_path / "part.log.1").read_text() == "said"


def test_the_end_of_a_log_is_cut_at_lines(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999"
    assert tail(tmp_path / "none") == ""
