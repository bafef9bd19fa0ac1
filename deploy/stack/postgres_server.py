"""PostgreSQL with TimescaleDB as a local server, on 127.0.0.1 and a socket in its own folder."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from analytics.domain.errors import MeterwardenError
from deploy.settings import Settings
from deploy.stack.daemon import Daemon, plain_environment
from deploy.stack.errors import PartFailed, StackError
from deploy.stack.machines import check as check_machines
from deploy.stack.machines import database_door, database_rules
from deploy.stack.part import PartStatus
from deploy.stack.places import Places, require_disk
from deploy.stack.ports import require_free
from deploy.stack.prefix import Prefix, prefix
from deploy.stack.processes import Process, find, identity, until, works_in
from streams.store.postgres.connections import connected_blocking, trouble

__all__ = ["ASIDE", "DATABASE", "ExternalDatabase", "PostgresServer"]

ASIDE: Final = ".before-"
"""Stands between the name of the database's folder and a time, where a restore put it aside."""
DATABASE: Final = "meterwarden"
_USER: Final = "meterwarden"
_SECRET: Final = "database_password"  # noqa: S105 - the name of the file
_SOCKET_PATH_BYTES: Final = 107  # sun_path less its closing zero
_LOGS: Final = 6
_ORPHANS_S: Final = 30.0


class PostgresServer:
    """Our own PostgreSQL."""

    name = "postgresql"

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        self._data = _cluster(places.data(self.name))
        self._daemon = Daemon(self.name, places, where=self._data, belongs=self._belongs)

    @property
    def dsn(self) -> str:
        """How clients connect; it carries the password."""
        password = self._places.known_secret(_SECRET)
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self._settings.database.port}/{DATABASE}"

    @property
    def cluster(self) -> Path:
        """Where its files lie."""
        return self._data

    def check(self) -> None:
        """Refuse a taken port and a short disk."""
        if self._daemon.process() is None:
            port = self._settings.database.port
            require_free(port, part=self.name, setting="METERWARDEN_DATABASE_PORT")
            check_machines(self._settings.machines, port=port, setting="METERWARDEN_MACHINES_HOST")
            require_disk(self._settings.home, self._settings.disk_free_mb)

    def start(self) -> bool:
        """Start it when it does not run."""
        if self._daemon.process() is not None:
            return False
        programs = prefix(self._places.cache, mirror=self._settings.apt_mirror)
        self._places.secret(_SECRET)
        self._places.make_own(self._places.own_logs(self.name))
        self._initialise(programs)
        self._clear_lock_file()
        self.trim_logs()
        configuration = self._places.write_conf("postgresql.conf", self._configuration())
        self._daemon.start(
            [str(programs.bin / "postgres"), "-D", str(self._data), "-c", f"config_file={configuration}"],
            environ=plain_environment(self._places),
        )
        return True

    def ready(self) -> None:
        """Wait until it answers; make the database and its extension when they are not there."""
        self._daemon.ready(
            lambda: not trouble(self._dsn_of("postgres"), "up", timeout_s=5),
            self._settings.start_timeout_s,
            more=self._newest_log(),
        )
        with connected_blocking(self._dsn_of("postgres"), "up") as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
            for name in ("postgres", "template1", DATABASE):  # whoever may connect is let in by name
                connection.execute(
                    sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name))
                )
        with connected_blocking(self.dsn, "up") as connection:
            connection.execute("create extension if not exists timescaledb")

    def stop(self) -> bool:
        """Stop it: sessions are ended, everything is written ("fast shutdown")."""
        return self._daemon.stop(signal.SIGINT, self._settings.stop_timeout_s, last=signal.SIGQUIT)

    def kill(self) -> list[int]:
        """Kill it at once."""
        return self._daemon.kill()

    def trim_logs(self) -> None:
        """Remove the oldest of its own logs while all together are over their bound; the newest stays."""
        left = self._settings.database.log_mb << 20
        for log in sorted(self._places.own_logs(self.name).glob("*.log"), key=lambda log: log.stat().st_mtime)[::-1]:
            left -= log.stat().st_size
            if left < 0 and log != self._newest_log():
                log.unlink(missing_ok=True)

    def status(self) -> PartStatus:
        """How it is now."""
        process = self._daemon.process()
        port = self._settings.database.port
        if process is None:
            return PartStatus(name=self.name, healthy=False, ports=(port,), detail="does not run")
        try:
            version, fault = _look(self.dsn)
        except StackError as error:  # the password is not ours to read
            version, fault = "", str(error)
        return PartStatus(
            name=self.name,
            healthy=not fault,
            pids=(process.pid,),
            ports=(port,),
            version=version,
            detail=fault or f"127.0.0.1:{port}/{DATABASE}",
        )

    def _dsn_of(self, database: str) -> str:
        return self.dsn.rpartition("/")[0] + f"/{database}"

    def _belongs(self, pid: int, command: tuple[str, ...]) -> bool:
        """Whether a process of our data folder is its postmaster: the one that the lock file names."""
        ours = pid == _locked_by(self._data / "postmaster.pid")
        return ours and any(part.endswith("postgres") for part in command[:6])

    def _clear_lock_file(self) -> None:
        """Remove lock files whose pid a stranger (or nobody but a zombie) has by now, which PostgreSQL would obey.

        There are two, the cluster's and its socket's. Any other PostgreSQL judges best itself. Processes of a killed
        server that still finish must be gone before: they write into the same files.
        """
        if not until(lambda: not self._leftovers(), _ORPHANS_S):
            pids = ", ".join(str(process.pid) for process in self._leftovers())
            raise PartFailed(f"processes of a killed {self.name} still work in {self._data}: {pids}; end them first")
        for lock in (self._data / "postmaster.pid", self._data / f".s.PGSQL.{self._settings.database.port}.lock"):
            pid = _locked_by(lock)
            if pid is not None and Path(f"/proc/{pid}").exists():
                lock.unlink()

    def _leftovers(self) -> list[Process]:
        return find(lambda pid, _command: works_in(pid, self._data))

    def _newest_log(self) -> Path | None:
        logs = list(self._places.own_logs(self.name).glob("*.log"))
        return max(logs, key=lambda log: log.stat().st_mtime) if logs else None

    def _initialise(self, programs: Prefix) -> None:
        """Make the cluster at the first start, aside, so that one that was cut short never counts."""
        if (self._data / "PG_VERSION").exists():
            return
        if self._data.is_dir() and any(self._data.iterdir()):
            names = ", ".join(sorted(path.name for path in self._data.iterdir())[:5])
            raise PartFailed(f"{self._data} must be empty or hold a cluster of PostgreSQL (it holds {names})")
        if (self._places.conf / "postgresql.conf").exists():
            raise PartFailed(
                f"{self._data} must hold the database that was made there before (it holds none): mount its disk, or "
                f"restore a backup, or remove {self._places.conf / 'postgresql.conf'} to begin with an empty one"
            )
        if self._data.parent != self._places.home / "data":
            self._places.make_own(self._data.parent)  # a file system of its own, which its server has to reach
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        self._places.make_own(draft)
        with tempfile.NamedTemporaryFile("w", prefix="meterwarden-", encoding="utf-8") as password:
            password.write(self._places.known_secret(_SECRET) + "\n")
            password.flush()
            if self._places.account is not None:
                os.chown(password.name, self._places.account.uid, -1)  # readable by it alone, gone in a second
            result = subprocess.run(
                [
                    str(programs.bin / "initdb"),
                    f"--pgdata={draft}",
                    f"--username={_USER}",
                    f"--pwfile={password.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--data-checksums",
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                cwd=draft,
                env=plain_environment(self._places),
                **identity(self._places.account),
            )
        if result.returncode != 0:
            raise PartFailed(
                f"the database cluster could not be made: {(result.stdout + result.stderr).strip()[-1500:]}"
            )
        draft.rename(self._data)

    def _configuration(self) -> str:
        database = self._settings.database
        socket = self._data if len(f"{self._data}/.s.PGSQL.{database.port}".encode()) <= _SOCKET_PATH_BYTES else ""
        machines = self._settings.machines
        rules = database_rules(machines, self._data / "pg_hba.conf", DATABASE)
        values: dict[str, object] = {
            "hba_file": self._places.write_conf("pg_hba.conf", rules),
            "ident_file": self._data / "pg_ident.conf",
            **database_door(machines, self._places),
            "port": database.port,
            "unix_socket_directories": f'"{socket}"' if socket else "",
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": 100,
            "shared_preload_libraries": "timescaledb",
            "timescaledb.max_background_workers": 4,
            "max_worker_processes": 16,
            "max_locks_per_transaction": 256,  # a query over many chunks locks each
            "track_commit_timestamp": "on",  # when a reading was stored
            "jit": "off",  # LLVM is not in the prefix
            # durable: what is committed survives a power cut
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": f"{database.buffers_mb}MB",
            "maintenance_work_mem": "128MB",
            "work_mem": "32MB",
            "effective_cache_size": f"{database.buffers_mb * 4}MB",
            "wal_buffers": "16MB",
            "wal_compression": "lz4",
            "min_wal_size": f"{min(1024, database.wal_mb)}MB",
            "max_wal_size": f"{database.wal_mb}MB",
            "checkpoint_timeout": "15min",
            "random_page_cost": 1.1,
            "default_toast_compression": "lz4",
            "datestyle": "iso, ymd",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": self._places.own_logs(self.name),
            "log_filename": "%Y%m%dT%H%M%S.log",  # what there are too many of `trim_logs` removes
            "log_rotation_age": "1d",
            "log_rotation_size": f"{max(database.log_mb // _LOGS, 1)}MB",
            "log_line_prefix": "%m [%p] %u@%d ",
        }
        text = "".join(f"{name} = '{value}'\n" for name, value in values.items())
        return (
            "# written at every start from the settings; ALTER SYSTEM goes to postgresql.auto.conf and stays\n" + text
        )


def _cluster(folder: Path) -> Path:
    """Where the cluster lies: in its folder, or in one below where that is a file system of its own.

    Such a folder cannot be replaced, and is not empty (`lost+found`), which PostgreSQL asks for.
    """
    own = os.path.ismount(folder) or os.path.exists(folder / "lost+found")  # noqa: PTH110 - pathlib raises for others
    own = own and not os.path.exists(folder / "PG_VERSION")  # noqa: PTH110 - as above
    return folder / "cluster" if own else folder


def _locked_by(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


class ExternalDatabase:
    """Somebody else's TimescaleDB: checked, never started or stopped."""

    name = "postgresql"

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def check(self) -> None:
        """Nothing to refuse."""

    def start(self) -> bool:
        """Nothing to start."""
        return False

    def ready(self) -> None:
        """Check that it answers and has the extension, or can have it."""
        fault = trouble(self.dsn, "up", timeout_s=5)
        if fault:
            raise PartFailed(f"the database at {_where(self.dsn)} (METERWARDEN_DATABASE) does not answer: {fault}")

    def stop(self) -> bool:
        """Nothing to stop."""
        return False

    def kill(self) -> list[int]:
        """Nothing to kill."""
        return []

    def status(self) -> PartStatus:
        """Whether it answers."""
        version, fault = _look(self.dsn)
        detail = fault or _where(self.dsn)
        return PartStatus(name=self.name, healthy=not fault, external=True, version=version, detail=detail)


def _where(dsn: str) -> str:
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        return "an address that cannot be read"
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def _look(dsn: str) -> tuple[str, str]:
    """Versions of a database and its extension, and what is wrong with it (empty: nothing)."""
    try:
        with connected_blocking(dsn, "status", timeout_s=5) as connection:
            server = connection.execute("show server_version").fetchone()
            extension = connection.execute(
                "select extversion from pg_extension where extname = 'timescaledb'"
            ).fetchone()
    except MeterwardenError as error:
        return "", str(error)
    version = str(server[0]).split()[0] if server else ""
    if extension is None:
        return version, "the extension timescaledb is not in the database"
    return f"{version}, TimescaleDB {extension[0]}", ""
