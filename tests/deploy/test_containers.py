"""Image and manifests: what they call and set is there. Engines and clusters are not on this machine."""

import re
import subprocess
from pathlib import Path

from deploy.settings import FIELDS

ROOT = Path(__file__).parents[2]
CONTAINER, KUBERNETES = ROOT / "deploy" / "container", ROOT / "deploy" / "kubernetes"
SETTING = re.compile(r"\bMETERWARDEN_[A-Z_]+\b")


def test_every_setting_that_image_and_manifests_name_exists() -> None:
    files = [*CONTAINER.iterdir(), *KUBERNETES.iterdir(), *(ROOT / "deploy" / "systemd").iterdir()]
    named = {(file.name, name) for file in files for name in SETTING.findall(file.read_text(encoding="utf-8"))}
    known = {field.name for field in FIELDS} | {"METERWARDEN_SETTINGS"}
    assert named
    assert {(file, name) for file, name in named if name not in known} == set()


def test_the_entry_point_starts_what_there_is() -> None:
    script = (CONTAINER / "start.sh").read_text(encoding="utf-8")
    modules = re.findall(r"python -m (deploy\.\w+)", script)
    assert modules == ["deploy.worker", "deploy.sender", "deploy.serve", "deploy.pages"]
    assert all((ROOT / (module.replace(".", "/") + ".py")).exists() for module in modules)
    subprocess.run(["sh", "-n", str(CONTAINER / "start.sh")], check=True)


def test_every_container_is_closed() -> None:
    for file in KUBERNETES.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        pods = len(re.findall(r"^      containers:$", text, re.MULTILINE))
        images = len(re.findall(r"^          image: meterwarden$", text, re.MULTILINE))
        for closed, count in (("runAsNonRoot: true", pods), ("type: RuntimeDefault", pods), ("drop: [ALL]", images)):
            assert text.count(closed) == count, (file.name, closed)


def test_probes_ask_the_pages_that_there_are() -> None:
    for file in KUBERNETES.glob("*.yaml"):
        assert set(re.findall(r"path: (/\S+?)[,\s]", file.read_text(encoding="utf-8"))) <= {
            "/healthz",
            "/readyz",
            "/metrics",
        }
