"""Compiled code is kept on disk, and made anew when what it calls has changed, in its own file or in another."""

import subprocess
import sys
from pathlib import Path

INNER = """
from analytics.compiled import compiled_plain

@compiled_plain
def inner(x):
    return x + {added}
"""
OUTER = """
from analytics.compiled import compiled
from compiled_inner import inner
from compiled_numbers import MORE

@compiled
def outer(x):
    return 2 * inner(x) + MORE
"""
ASK = "from compiled_outer import outer; print(outer(20), len(outer.stats.cache_hits))"


def ask(place: Path) -> tuple[int, int]:
    """What `outer(20)` is in a process of its own, and whether its code was kept."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(place)!r}); {ASK}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    value, hits = done.stdout.split()
    return int(value), int(hits)


def test_compiled_code_is_kept_until_what_it_calls_in_another_file_changes(tmp_path: Path) -> None:
    (tmp_path / "compiled_outer.py").write_text(OUTER)
    (tmp_path / "compiled_inner.py").write_text(INNER.format(added=1))
    (tmp_path / "compiled_numbers.py").write_text("MORE = 0")
    assert ask(tmp_path) == (42, 0)
    assert ask(tmp_path) == (42, 1)
    (tmp_path / "compiled_inner.py").write_text(INNER.format(added=100))
    assert ask(tmp_path) == (240, 0)


def test_compiled_code_is_kept_until_a_number_of_another_file_changes(tmp_path: Path) -> None:
    (tmp_path / "compiled_outer.py").write_text(OUTER)
    (tmp_path / "compiled_inner.py").write_text(INNER.format(added=1))
    (tmp_path / "compiled_numbers.py").write_text("MORE = 0")
    assert [ask(tmp_path), ask(tmp_path)] == [(42, 0), (42, 1)]
    (tmp_path / "compiled_numbers.py").write_text("MORE = 300")
    assert ask(tmp_path) == (342, 0)
