from pathlib import Path

import pytest

from analytics.domain.errors import ConfigurationError
from deploy.settings import FIELDS, PREFIX, Settings, environment, load
from deploy.settings_words import MEANINGS

HOME = {"METERWARDEN_HOME": "/srv/meters"}


def test_defaults_keep_clear_of_the_usual_ports() -> None:
    settings = load(HOME)
    assert settings.cache == Path("/srv/meters/cache")
    assert {settings.kafka.port, settings.kafka.controller_port, settings.database.port} & {9092, 9093, 5432} == set()


def test_every_default_of_the_table_is_the_default_of_the_tree() -> None:
    plain = {
        spec.name: spec.default
        for spec in FIELDS
        if spec.default and " " not in spec.default and "<" not in spec.default
    }
    assert load(HOME | plain) == load(HOME)


def test_all_bad_fields_are_reported_at_once() -> None:
    bad = {
        "METERWARDEN_HOME": "relative",
        "METERWARDEN_CACHE": "/with,comma",
        "METERWARDEN_KAFKA": "host",
        "METERWARDEN_KAFKA_PORT": "80",
        "METERWARDEN_WORKERS": "many",
        "METERWARDEN_DATABASE": "mysql://root:hunter2@db/x",
        "METERWARDEN_STOP_TIMEOUT_S": "nan",
        "METERWARDEN_PORT": "1",
    }
    with pytest.raises(ConfigurationError) as caught:
        load(bad)
    message = str(caught.value)
    assert all(name in message for name in bad)
    assert "must be a whole number from 1024 to 65535 (got '80')" in message
    assert "METERWARDEN_PORT is not a setting" in message


def test_a_password_is_shown_neither_in_a_report_nor_in_a_fault() -> None:
    assert "hunter2" not in repr(load(HOME | {"METERWARDEN_DATABASE": "postgresql://me:hunter2@db/x"}))
    with pytest.raises(ConfigurationError) as caught:
        load(HOME | {"METERWARDEN_DATABASE": "me:hunter2@db/x"})
    assert "hunter2" not in str(caught.value)


def test_the_environment_beats_the_file_and_the_file_the_default(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('kafka_port = 29092\nworkers = 3\nkafka = "a:1,b:2"\n')
    settings = load(HOME | {"METERWARDEN_SETTINGS": str(file), "METERWARDEN_WORKERS": "5"})
    assert (settings.kafka.port, settings.workers.count, settings.kafka.bootstrap) == (29092, 5, "a:1,b:2")
    assert settings.kafka.controller_port == load(HOME).kafka.controller_port


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kafka_prot = 1", "kafka_prot in .* is not a setting"),
        ("kafka_port = true", "kafka_port in .* must be a text or a number"),
        ("kafka_port = 'x'", "kafka_port in .* must be a whole number"),
        ("[kafka]\nport = 1", "kafka in .* must be a text or a number"),
        ("workers = ", "must name a readable TOML file"),
    ],
)
def test_a_bad_file_is_told_with_its_key(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        load(HOME | {"METERWARDEN_SETTINGS": str(file)})


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigurationError, match="METERWARDEN_SETTINGS must name a readable TOML file"):
        load(HOME | {"METERWARDEN_SETTINGS": "/nowhere.toml"})


def test_settings_can_be_handed_to_another_process() -> None:
    given = HOME | {
        "METERWARDEN_KAFKA": "a:1",
        "METERWARDEN_DATABASE": "postgresql://me:hunter2@db/x",
        "METERWARDEN_ZONE": "Europe/Berlin",
        "METERWARDEN_COLLECT_S": "0.5",
        "METERWARDEN_JAVA": "/opt/java",
    }
    assert load(environment(load(given))) == load(given)


@pytest.mark.parametrize("text", ["tea=2", "water", "water=0", "water=much"])
def test_a_band_in_service_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"METERWARDEN_IN_SERVICE must (name carriers|give water a factor)"):
        load(HOME | {"METERWARDEN_IN_SERVICE": text})


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load(HOME | {"METERWARDEN_KAFKA": ""}).kafka.bootstrap is None


def test_an_empty_home_of_the_user_is_no_obstacle() -> None:
    assert isinstance(load({"HOME": "", "XDG_DATA_HOME": "", "JAVA_HOME": ""}), Settings)


def test_every_setting_is_in_the_table_of_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "deploy" / "README.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in readme.splitlines() if line.startswith("| `METERWARDEN_")}
    assert set(rows) == {spec.name for spec in FIELDS} | {"METERWARDEN_SETTINGS"}
    for spec in FIELDS:
        assert spec.meaning in rows[spec.name]
        assert (spec.default or "none") in rows[spec.name]


def test_a_provider_of_sign_in_comes_whole_or_not_at_all() -> None:
    given = {
        "METERWARDEN_PAGES_OPENID": "https://login.example.org/",
        "METERWARDEN_PAGES_OPENID_CLIENT": "pages",
        "METERWARDEN_PAGES_OPENID_SECRET": "of these tests",
    }
    assert load(HOME | given).pages.openid_issuer == "https://login.example.org"
    assert "of these tests" not in repr(load(HOME | given))
    for name in given:
        with pytest.raises(ConfigurationError, match="must come together"):
            load(HOME | {other: text for other, text in given.items() if other != name})


def test_pages_for_others_have_a_certificate_with_its_key() -> None:
    tls = {"METERWARDEN_PAGES_CERTIFICATE": "/etc/a.pem", "METERWARDEN_PAGES_KEY": "/etc/a.key"}
    others = {"METERWARDEN_PAGES_HOST": "0.0.0.0"}
    assert load(HOME | tls | others).pages.certificate == Path("/etc/a.pem")
    for name, file in tls.items():
        with pytest.raises(ConfigurationError, match="must come together"):
            load(HOME | {name: file})
    with pytest.raises(ConfigurationError, match=r"must be 127\.0\.0\.1 without METERWARDEN_PAGES_CERTIFICATE"):
        load(HOME | others)
    assert load(HOME | {"METERWARDEN_PAGES_HOST": "localhost"}).pages.host == "localhost"


def test_every_setting_has_a_meaning_in_chinese() -> None:
    assert set(MEANINGS) == {one.name.removeprefix(PREFIX) for one in FIELDS}
    assert all(text.endswith(("。", "]")) for text in MEANINGS.values())


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "KAFKA_GATEWAY_PORT must come with METERWARDEN_KAFKA_GATEWAY_CERTIFICATE"),
        ({"GATEWAY_CONNECTIONS": "400"}, r"KAFKA_HEAP_MB must be at least 256 and .* 1 MiB \(got 512 with 400\)"),
        ({"HEAP_MB": "355"}, r"\(got 355 with 100\)"),
    ],
)
def test_a_port_for_gateways_needs_tls_and_room_for_what_they_may_hold(given: dict[str, str], fault: str) -> None:
    port = HOME | {"METERWARDEN_KAFKA_GATEWAY_PORT": "19094"}
    with pytest.raises(ConfigurationError, match=fault):
        load(port | {f"METERWARDEN_KAFKA_{name}": value for name, value in given.items()})
