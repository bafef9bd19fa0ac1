"""The same as files for Grafana's own file provisioning: data sources, boards and rules of one organization."""

import json
from pathlib import Path
from typing import Any, Final

from dashboards.alert_rules import RULE_GROUP
from dashboards.render import text_of
from deploy.grafana.wanted import FOLDER_UID, Wanted

__all__ = ["write"]

Json = dict[str, Any]

_BOARDS: Final = "boards"


def write(folder: Path, want: Wanted, *, org_id: int, password: str | None) -> list[Path]:
    """Write ``provisioning/`` (for Grafana's ``paths.provisioning``) and the boards it names; the files.

    Parameters
    ----------
    org_id
        The organization in Grafana that this is for; file provisioning makes none.
    password
        Of the data source; None lets Grafana take it from its environment variable
        ``METERWARDEN_DATASOURCE_PASSWORD``.
    """
    boards = folder / _BOARDS
    texts = {boards / f"{uid}.json": text_of(board) for uid, board in want.boards.items()}
    provisioning = folder / "provisioning"
    texts[provisioning / "datasources" / "meterwarden.yaml"] = _yaml(_datasources(want, org_id, password))
    texts[provisioning / "dashboards" / "meterwarden.yaml"] = _yaml(_providers(want, org_id, boards))
    if want.rules:
        texts[provisioning / "alerting" / "meterwarden.yaml"] = _yaml(_rules(want, org_id))
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if "datasources" in path.parts:
            path.touch(mode=0o600)  # before there is a password in it
        path.write_text(text, encoding="utf-8")
    return list(texts)


def _yaml(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"  # JSON is YAML


def _datasources(want: Wanted, org_id: int, password: str | None) -> Json:
    known = want.datasource.get("secureJsonData", {})
    secret = "$METERWARDEN_DATASOURCE_PASSWORD" if password is None else password.replace("$", "$$")
    return {
        "apiVersion": 1,
        "datasources": [{**want.datasource, "orgId": org_id, "secureJsonData": {**known, "password": secret}}],
    }


def _providers(want: Wanted, org_id: int, boards: Path) -> Json:
    provider = {
        "allowUiUpdates": False,
        "disableDeletion": False,
        "folder": want.folder,
        "folderUid": FOLDER_UID,
        "name": "meterwarden",
        "options": {"path": str(boards.resolve())},
        "orgId": org_id,
        "type": "file",
    }
    return {"apiVersion": 1, "providers": [provider]}


def _rules(want: Wanted, org_id: int) -> Json:
    rules = [
        {key: value for key, value in rule.items() if key not in {"folderUID", "orgID", "ruleGroup"}}
        for rule in want.rules.values()
    ]
    group = {"folder": want.folder, "interval": "1m", "name": RULE_GROUP, "orgId": org_id, "rules": rules}
    return {"apiVersion": 1, "groups": [group]}
