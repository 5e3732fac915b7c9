"""Loading freshkb.yaml: the values that hold, overrides by the environment, and every way to be wrong."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from pydantic import SecretStr

from connectors.base import ConnectorSettings
from connectors.files import FilesSettings
from index.config import Config, FreshnessPolicy, Rule, SourceConfig, load, schema, template
from index.config.blocks import Settings
from index.config.load import variables
from index.errors import ConfigError

# It has no type stubs.
jsonschema: Any = import_module("jsonschema")

EXAMPLE = """\
version: 1
state_dir: .freshkb
ledger: sqlite
index: {store: qdrant, url: http://localhost:6333, api_key: "${QDRANT_API_KEY}"}
embedding: {model: sentence-transformers/all-MiniLM-L6-v2, dtype: auto}
defaults:
  owner: group:knowledge
  freshness: {warn_after: 90d, stale_after: {count: 26, period: week}, field: [last_reviewed, modified_at]}
  delete: {max_fraction: 0.2, max_count: 10}
  limits: {max_size: 50mb, parse_timeout: 60s}
sources:
  - id: handbook
    type: files
    root: ./handbook
    include: ["**/*"]
    exclude: ["**/~$*"]
    hidden: false
    watch: {debounce: 1s, max_wait: 15s, sweep: 15m}
    rules:
      - {match: "policies/**", owner: user:anna, freshness: {warn_after: 30d, stale_after: 60d}}
      - {match: "archive/**", freshness: exempt}
  - id: notes
    type: files
    root: /srv/notes
    hidden: true
    owner: user:bo
    freshness: {warn_after: 10d}
    delete: {max_count: 3}
    limits: {max_size: 1kib}
    rules:
      - {match: "drafts/**", freshness: {stale_after: 20d}}
schedules: {sync: "*/15 * * * *", audit: "0 7 * * 1", verify: "0 3 * * 0"}
"""

MINIMAL = "version: 1\nsources:\n  - {id: docs, type: files, root: docs}\n"

ENVIRON = {"QDRANT_API_KEY": "geheim"}


def config_of(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    (folder / "freshkb.yaml").write_text(text)
    return load(None, environ or {}, folder)


def refusal(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the error, without the closing one."""
    with pytest.raises(ConfigError) as caught:
        config_of(folder, text, environ)
    assert caught.value.exit_code == 2
    *lines, last = str(caught.value).splitlines()
    assert last.startswith(f"{len(lines)} error")
    return lines


# ── What holds ────────────────────────────────────────────────────────────────────────────────────────


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    config = config_of(tmp_path, EXAMPLE, ENVIRON)
    assert config.path == tmp_path / "freshkb.yaml"
    assert config.state_dir == tmp_path / ".freshkb"
    assert config.reports == tmp_path / ".freshkb" / "reports"
    assert config.index.url == "http://localhost:6333"
    assert config.index.api_key is not None and config.index.api_key.get_secret_value() == "geheim"
    assert config.schedules.audit == "0 7 * * 1"

    handbook = config.source("handbook")
    assert (handbook.owner, handbook.owner_source) == ("group:knowledge", "default")
    assert handbook.connector == FilesSettings(root="./handbook")
    fields = ("last_reviewed", "modified_at")
    assert handbook.freshness == FreshnessPolicy(timedelta(days=90), timedelta(days=182), fields)
    assert handbook.limits.max_size == 50_000_000
    assert handbook.watch.sweep == timedelta(minutes=15)
    assert handbook.rules == (
        Rule("policies/**", "user:anna", FreshnessPolicy(timedelta(days=30), timedelta(days=60), fields)),
        Rule("archive/**", None, "exempt"),
    )


def test_a_source_overrides_only_what_it_names(tmp_path: Path) -> None:
    notes = config_of(tmp_path, EXAMPLE, ENVIRON).source("notes")
    fields = ("last_reviewed", "modified_at")
    assert (notes.owner, notes.owner_source) == ("user:bo", "source")
    assert notes.freshness == FreshnessPolicy(timedelta(days=10), timedelta(days=182), fields)
    assert (notes.delete.max_fraction, notes.delete.max_count) == (0.2, 3)
    assert (notes.limits.max_size, notes.limits.parse_timeout) == (1024, timedelta(seconds=60))
    assert notes.rules[0].freshness == FreshnessPolicy(timedelta(days=10), timedelta(days=20), fields)


def test_a_minimal_file_has_every_default(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL)
    source = config.source("docs")
    assert (config.ledger, config.index.store, config.index.collection) == ("sqlite", "edge", "kb")
    assert (source.owner, source.owner_source, source.freshness) == ("", "default", FreshnessPolicy())
    assert source.connector.exclude == ("**/~$*",)
    assert config.schedules.sync is None


def test_a_key_without_a_value_counts_as_left_out(tmp_path: Path) -> None:
    text = MINIMAL.replace("root: docs", "root: docs, rules: , hidden: , freshness: ")
    assert config_of(tmp_path, f"{text}defaults:\nschedules:\nindex:\n").sources == (
        config_of(tmp_path, MINIMAL).sources
    )


def test_an_exempt_source_may_have_a_rule_that_is_not(tmp_path: Path) -> None:
    rules = "freshness: exempt, rules: [{match: a, freshness: {warn_after: 5d}}]"
    source = config_of(tmp_path, MINIMAL.replace("root: docs", f"root: docs, {rules}")).source("docs")
    assert source.freshness == "exempt"
    assert source.rules[0].freshness == FreshnessPolicy(warn_after=timedelta(days=5))


def test_an_exempt_default_holds_for_sources_that_say_nothing(tmp_path: Path) -> None:
    assert (
        config_of(tmp_path, MINIMAL + "defaults: {freshness: exempt}\n").source("docs").freshness == "exempt"
    )


def test_yaml_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    text = """\
version: 1
sources:
  - &first {id: a, type: files, root: a, owner: user:x}
  - {<<: *first, id: b, root: b}
"""
    config = config_of(tmp_path, text)
    assert [(source.id, source.owner) for source in config.sources] == [("a", "user:x"), ("b", "user:x")]


def test_the_file_is_found_in_a_parent_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "freshkb.yaml").write_text(MINIMAL)
    config = load(None, {}, below)
    assert config.base == tmp_path
    assert config.state_dir == tmp_path / ".freshkb"
    assert load(Path("../../freshkb.yaml"), {}, below) == config


def test_a_model_path_is_relative_to_the_file_and_a_model_name_is_not(tmp_path: Path) -> None:
    assert config_of(tmp_path, MINIMAL + "embedding: {model: ./small}\n").embedding.model == str(
        tmp_path / "small"
    )
    assert config_of(tmp_path, MINIMAL + "embedding: {model: org/small}\n").embedding.model == "org/small"


def test_the_model_is_kept_unless_a_time_is_given(tmp_path: Path) -> None:
    assert config_of(tmp_path, MINIMAL).embedding.release_after is None
    config = config_of(tmp_path, MINIMAL + "embedding: {release_after: 10m}\n")
    assert config.embedding.release_after == timedelta(minutes=10)
    assert config.show()["embedding"]["release_after"] == "10m"
    with pytest.raises(ConfigError, match=r"embedding\.release_after.*duration"):
        config_of(tmp_path, MINIMAL + "embedding: {release_after: soon}\n")


def test_the_connector_is_told_what_is_private(tmp_path: Path) -> None:
    config = config_of(tmp_path, MINIMAL)
    context = config.context(config.source("docs"))
    assert (context.source, context.base, context.max_size) == ("docs", tmp_path, 50_000_000)
    assert context.private == {(tmp_path / ".freshkb").resolve(), (tmp_path / "freshkb.yaml").resolve()}


def test_an_unknown_source_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no source 'handbok'; did you mean 'handbook'\?"):
        config_of(tmp_path, EXAMPLE, ENVIRON).source("handbok")


# ── Fingerprints ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "filters", "rules"),
    [
        ("root: elsewhere", False, False),
        ("root: docs, include: ['**/*.md']", True, False),
        ("root: docs, exclude: []", True, False),
        ("root: docs, hidden: true", True, False),
        ("root: docs, hidden: false, include: ['**/*']", False, False),
        ("root: docs, owner: user:x", False, True),
        ("root: docs, freshness: {warn_after: 1d}", False, True),
        ("root: docs, freshness: exempt", False, True),
        ("root: docs, rules: [{match: a, owner: b}]", False, True),
        ("root: docs, limits: {max_size: 1mb}, watch: {sweep: 1h}, delete: {max_count: 1}", False, False),
    ],
)
def test_fingerprints_follow_what_they_stand_for(
    tmp_path: Path, change: str, filters: bool, rules: bool
) -> None:
    before = config_of(tmp_path, MINIMAL).source("docs")
    after = config_of(tmp_path, MINIMAL.replace("root: docs", change)).source("docs")
    assert (after.filter_fingerprint != before.filter_fingerprint) == filters
    assert (after.rules_fingerprint != before.rules_fingerprint) == rules


@pytest.mark.parametrize(
    ("settings", "fingerprint"),
    [
        ("root: docs", "45f0da97a5ba7a8be186e91ba6f0ad748f71e563c795250cdaffba76ced22b39"),
        (
            "root: docs, include: ['**/*.md'], hidden: true",
            "fd5ce00adcc904a3271cf165b158244f5daaeab40fa0118bd981d372ed4d0008",
        ),
    ],
)
def test_the_filters_of_a_folder_have_the_fingerprint_that_ledgers_have_on_record(
    tmp_path: Path, settings: str, fingerprint: str
) -> None:
    source = config_of(tmp_path, MINIMAL.replace("root: docs", settings)).source("docs")
    assert source.filter_fingerprint == fingerprint


def test_a_connector_says_which_of_its_keys_are_its_place() -> None:
    class SpaceSettings(ConnectorSettings):
        place: ClassVar[frozenset[str]] = frozenset({"server", "space"})

        server: str
        space: str = "main"
        label: str = ""
        token: SecretStr = SecretStr("")

    def fingerprint(**settings: str) -> str:
        model = SpaceSettings.model_validate({"server": "https://a.example", **settings})
        return SourceConfig("wiki", "wiki", model).filter_fingerprint

    assert fingerprint(server="https://b.example", space="other", token="t") == fingerprint()
    assert fingerprint(label="public") != fingerprint()


def test_changed_defaults_change_the_rules_fingerprint(tmp_path: Path) -> None:
    before = config_of(tmp_path, MINIMAL).source("docs").rules_fingerprint
    for line in ("{owner: user:x}", "{freshness: {field: [date]}}"):
        assert config_of(tmp_path, f"{MINIMAL}defaults: {line}\n").source("docs").rules_fingerprint != before


# ── The environment ───────────────────────────────────────────────────────────────────────────────────


def test_variables_are_replaced_in_values(tmp_path: Path) -> None:
    text = MINIMAL.replace("root: docs", 'root: "${A}/${B:-b}/${C:-c}/$${A}"')
    source = config_of(tmp_path, text, {"A": "x: [y]", "C": ""}).source("docs")
    assert isinstance(source.connector, FilesSettings)
    assert source.connector.root == "x: [y]/b/c/${A}"


def test_numbers_and_flags_may_come_from_variables(tmp_path: Path) -> None:
    text = MINIMAL.replace("root: docs", "root: docs, hidden: '${H}', delete: {max_count: '${N:-7}'}")
    source = config_of(tmp_path, text, {"H": "true"}).source("docs")
    assert isinstance(source.connector, FilesSettings)
    assert (source.connector.hidden, source.delete.max_count) == (True, 7)


def test_a_missing_variable_is_an_error_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, MINIMAL.replace("root: docs", "root: '${DOCS}'")) == [
        "freshkb.yaml:3: sources[0].root: needs the environment variable DOCS, which is not set; "
        "set it, or write ${DOCS:-default}"
    ]


def test_an_empty_api_key_is_none(tmp_path: Path) -> None:
    text = MINIMAL + "index: {store: qdrant, url: 'http://q:1', api_key: '${KEY:-}'}\n"
    assert config_of(tmp_path, text).index.api_key is None


def test_environment_variables_override_settings(tmp_path: Path) -> None:
    environ = {
        "FRESHKB_INDEX__STORE": "qdrant",
        "FRESHKB_INDEX__URL": "https://q.example:6333",
        "FRESHKB_INDEX__API_KEY": "*[0123",
        "FRESHKB_STATE_DIR": "/var/lib/freshkb",
        "FRESHKB_DEFAULTS__DELETE__MAX_FRACTION": "0.5",
        "FRESHKB_DEFAULTS__FRESHNESS__WARN_AFTER": "30d",
        "FRESHKB_DEFAULTS__FRESHNESS__FIELD": "[date, modified_at]",
        "FRESHKB_SCHEDULES__SYNC": "0 * * * *",
        "FRESHKB_TEST_QDRANT_URL": "not a setting",
        "PATH": "/bin",
    }
    config = config_of(tmp_path, MINIMAL, environ)
    assert config.index.url == "https://q.example:6333"
    assert config.index.api_key is not None and config.index.api_key.get_secret_value() == "*[0123"
    assert config.state_dir == Path("/var/lib/freshkb")
    assert config.defaults.delete.max_fraction == 0.5
    assert config.source("docs").freshness == FreshnessPolicy(
        warn_after=timedelta(days=30), field=("date", "modified_at")
    )
    assert config.schedules.sync == "0 * * * *"
    exempt = config_of(tmp_path, MINIMAL, {"FRESHKB_DEFAULTS__FRESHNESS": "exempt"})
    assert exempt.source("docs").freshness == "exempt"


def test_a_wrong_override_is_reported_as_the_variable(tmp_path: Path) -> None:
    environ = {"FRESHKB_DEFAULTS__DELETE__MAX_COUNT": "many", "FRESHKB_INDEKS__URL": "x"}
    assert refusal(tmp_path, MINIMAL, environ) == [
        "environment variable FRESHKB_INDEKS__URL: overrides no setting; did you mean FRESHKB_INDEX__URL?",
        "environment variable FRESHKB_DEFAULTS__DELETE__MAX_COUNT: 'many' should be a whole number",
    ]


def test_every_setting_outside_the_sources_has_a_variable() -> None:
    names = set(variables())
    assert {"FRESHKB_LEDGER", "FRESHKB_EMBEDDING__DTYPE", "FRESHKB_DEFAULTS__LIMITS__MAX_SIZE"} <= names
    blocks = {name.upper() for name in Settings.model_fields} - {"VERSION", "SOURCES"}
    assert {name.removeprefix("FRESHKB_").split("__")[0] for name in names} == blocks


# ── Errors ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_error_is_reported_at_once_with_line_key_and_hint(tmp_path: Path) -> None:
    text = """\
version: 1
indx: {store: edge}
ledger: postgres://kb:geheim@host/kb
defaults:
  freshness: {warn_after: 90 days}
  delete:
    max_fraction: 2
sources:
  - id: Handbook
    type: files
    root: x
    hiden: true
    include: ["[z-a]", "# all"]
    watch: {debonce: 1s}
    rules:
      - {match: "a/**", freshness: exemt}
      - {match: "a/**", freshness: {stale: 3d}}
      - {match: "!b", owner: x}
      - {match: "a/**"}
  - {id: wiki, type: confluence}
  - {id: more}
schedules: {sync: "*/70 * * * *", audit: "x"}
"""
    lines = refusal(tmp_path, text)
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)
    expected = [
        "freshkb.yaml:2: indx: unknown key; did you mean index?",
        "freshkb.yaml:3: ledger: 'postgres://kb:***@host/kb' should be \"sqlite\" or a url such as",
        "freshkb.yaml:5: defaults.freshness.warn_after: '90 days' should be a duration such as \"90d\"",
        "freshkb.yaml:7: defaults.delete.max_fraction: 2 should be 1 or less",
        "freshkb.yaml:9: sources[0].id: 'Handbook' should begin with a lower-case letter or a digit",
        "freshkb.yaml:13: sources[0].include[0]: '[z-a]' is not a pattern",
        "freshkb.yaml:13: sources[0].include[1]: '# all' is blank or a comment",
        "freshkb.yaml:14: sources[0].watch.debonce: unknown key; did you mean debounce?",
        "freshkb.yaml:16: sources[0].rules[0].freshness: 'exemt' should be exempt, or a block of keys",
        "freshkb.yaml:17: sources[0].rules[1].freshness.stale: unknown key; did you mean stale_after?",
        "freshkb.yaml:18: sources[0].rules[2].match: '!b' cannot be negated",
        "freshkb.yaml:19: sources[0].rules[3]: a rule should set owner or freshness",
        "freshkb.yaml:20: sources[1].type: No connector of type 'confluence' is installed; installed are: ",
        "freshkb.yaml:21: sources[2].type: is missing",
        "freshkb.yaml:22: schedules.sync: '*/70 * * * *' has '*/70' for the minute",
        "freshkb.yaml:22: schedules.audit: 'x' has 1 of five fields",
    ]
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start), (line, start)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            MINIMAL.replace("root: docs", "root: docs, hiden: 1"),
            "3: sources[0].hiden: unknown key; did you mean hidden?",
        ),
        (MINIMAL.replace("root: docs", "rot: docs"), "3: sources[0].rot: unknown key; did you mean root?"),
        (
            MINIMAL.replace("root: docs", "root: docs, ownr: 1"),
            "3: sources[0].ownr: unknown key; did you mean owner?",
        ),
        (MINIMAL.replace(", root: docs", ""), "3: sources[0].root: is missing"),
        (MINIMAL + "erasure: {}\n", "4: erasure: unknown key"),
        (MINIMAL + "version: 1\n", "1: version: is written twice, on lines 1 and 4"),
        (MINIMAL.replace("version: 1", "version: 2"), "1: version: 2 should be 1"),
        (MINIMAL.replace("version: 1\n", ""), "1: version: is missing"),
        ("version: 1\n", "1: sources: is missing"),
        ("version: 1\nsources: []\n", "2: sources: should have at least 1 item"),
        ("version: 1\nsources: [docs]\n", "2: sources[0]: 'docs' should be a block of keys"),
        ("version: 1\nsources: docs\n", "2: sources: 'docs' should be a list"),
        ("", "1: version: is missing"),
        ("just words", "1: should be a mapping"),
        (
            MINIMAL + "  - {id: docs, type: files, root: b}\n",
            "4: sources[1].id: 'docs' is the id of an earlier",
        ),
        (MINIMAL + "index: {url: 'http://q'}\n", "4: index: url and api_key belong to store: qdrant"),
        (MINIMAL + "index: {store: qdrant}\n", "4: index: store: qdrant needs the url"),
        (MINIMAL + "index: {store: lance}\n", "4: index.store: 'lance' should be 'edge' or 'qdrant'"),
        (
            MINIMAL + "ui: {address: 'https://kb.example.org/?of=docs'}\n",
            "4: ui.address: 'https://kb.example.org/",
        ),
        (
            MINIMAL + "ui: {address: 'https://kb.example.org/#docs'}\n",
            "4: ui.address: 'https://kb.example.org/",
        ),
        (
            MINIMAL + "defaults: {freshness: {stale_after: 9d}}\n",
            "4: defaults.freshness: warn_after (90d) is longer",
        ),
        (
            MINIMAL.replace("root: docs", "root: docs, rules: [{match: a, freshness: {warn_after: 1000d}}]"),
            "3: sources[0].rules[0].freshness: warn_after (1000d) is longer",
        ),
        (
            MINIMAL.replace("root: docs", "root: docs, watch: {debounce: 1m}"),
            "3: sources[0].watch: debounce (1m)",
        ),
        (MINIMAL + "state_dir: '${1}'\n", "4: state_dir: has a ${ that is neither"),
    ],
)
def test_one_mistake_gives_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    lines = refusal(tmp_path, text)
    assert any(line.startswith(f"freshkb.yaml:{expected}") for line in lines), lines


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"version: 1\nsources: [a\nb: 3", "freshkb.yaml:3: not valid YAML"),
        (b"version: 1\nsources: *nothing\n", "freshkb.yaml:2: not valid YAML: found undefined alias"),
        (b"a: \xff\n", "freshkb.yaml:1: is not UTF-8 text"),
        (b"version: 1\na: \x00\n", "freshkb.yaml:2: not valid YAML"),
        (b"a: &a [*a]\n", "freshkb.yaml:1: it is nested too deeply"),
        (b"a: 2024-13-45\n", "freshkb.yaml:1: not valid YAML: month must be in 1..12"),
        (b"? [a]\n: b\n", "freshkb.yaml:1: a key should be a plain word"),
        (b"<<: 3\n", "freshkb.yaml:1: not valid YAML"),
        (
            b"a: !!python/object:os.system x\n",
            "freshkb.yaml:1: not valid YAML: could not determine a constructor",
        ),
        (b"#" * 1_000_001, "freshkb.yaml is larger than"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(tmp_path: Path, raw: bytes, expected: str) -> None:
    (tmp_path / "freshkb.yaml").write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load(None, {}, tmp_path)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("path", "why"),
    [("~nobody-here/x", "names the home folder of an unknown user"), (r"a\0b", "has a NUL in it")],
)
@pytest.mark.parametrize(
    "key", ["state_dir", "log.key_file", "log.anchors[0]", "embedding.model", "notify.owners"]
)
def test_a_path_that_leads_nowhere_is_refused_at_its_key(
    tmp_path: Path, key: str, path: str, why: str
) -> None:
    block, _, name = key.rpartition(".")
    line = f'{name.removesuffix("[0]")}: "{"file:" if "anchors" in key else ""}{path}"'
    (found,) = refusal(tmp_path, MINIMAL + (f"{block}: {{{line}}}\n" if block else f"{line}\n"))
    assert found.startswith(f"freshkb.yaml:4: {key}: ") and why in found


@pytest.mark.parametrize("path", ["~nobody-here/freshkb.yaml", "a\0b"])
def test_a_configuration_that_no_path_leads_to_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="The configuration '"):
        load(Path(path), {}, tmp_path)


def test_aliases_cannot_multiply_into_a_tree_that_eats_the_memory(tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (tmp_path / "freshkb.yaml").write_text(f"a0: &a0 [x]\n{levels}")
    with pytest.raises(ConfigError, match="too large"):
        load(None, {}, tmp_path)


def test_a_missing_file_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no freshkb\.yaml in .* `freshkb init` writes one"):
        load(None, {}, tmp_path)
    with pytest.raises(ConfigError, match=r"^other\.yaml cannot be read: No such file"):
        load(Path("other.yaml"), {}, tmp_path)


def test_errors_show_no_secret(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + "index: {store: edge, url: 'ftp://u:geheim@h', api_key: [geheim]}\nledger: 'x://u:geheim@h'\n"
    )
    assert not [line for line in refusal(tmp_path, text) if "geheim" in line]


# ── show, schema, template ────────────────────────────────────────────────────────────────────────────


def test_show_is_json_without_secrets_and_loads_again(tmp_path: Path) -> None:
    text = EXAMPLE.replace(
        "ledger: sqlite", "ledger: postgresql+psycopg://kb:p%40ss:wort@db/kb?sslpassword=geheim"
    )
    shown = config_of(tmp_path, text, ENVIRON).show()
    dumped = json.dumps(shown)
    assert "geheim" not in dumped and "wort" not in dumped
    assert shown["ledger"] == "postgresql+psycopg://kb:***@db/kb?sslpassword=***"
    assert shown["index"]["api_key"] == "***"
    assert shown["sources"][1]["freshness"]["warn_after"] == "10d"
    shown.pop("config")
    again = config_of(tmp_path, yaml.safe_dump(shown))
    assert again.show()["sources"][0]["freshness"] == shown["sources"][0]["freshness"]
    assert again.source("notes").freshness == config_of(tmp_path, EXAMPLE, ENVIRON).source("notes").freshness


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_accepts_the_example_and_the_template(validator: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(validator.schema)
    validator.validate(yaml.safe_load(EXAMPLE))
    validator.validate(yaml.safe_load(template()))
    json.dumps(validator.schema)


@pytest.mark.parametrize(
    "change",
    ["root: docs, hiden: true", "root: docs, id: 7", "root: 3", "owner: x", "root: docs, freshness: never"],
)
def test_the_schema_refuses_what_load_refuses(tmp_path: Path, validator: Any, change: str) -> None:
    text = MINIMAL.replace("root: docs", change)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(text))
    refusal(tmp_path, text)


@pytest.mark.parametrize("root", ["./documents", 'My "docs" ${HOME} #1: ü 😀', "C:\\x", "*", "- a"])
def test_the_template_is_valid_as_it_is(tmp_path: Path, root: str) -> None:
    source = config_of(tmp_path, template(root)).source("documents")
    assert isinstance(source.connector, FilesSettings)
    assert source.connector.root == root
    assert source.freshness == FreshnessPolicy()


def test_a_typical_file_loads_within_thirty_milliseconds(tmp_path: Path) -> None:
    config_of(tmp_path, EXAMPLE, ENVIRON)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        load(None, ENVIRON, tmp_path)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.03


def test_an_embedded_store_beside_a_ledger_on_another_host_is_refused(tmp_path: Path) -> None:
    text = "version: 1\nledger: postgresql+psycopg://kb@db.example.org/kb\n"
    text += "sources: [{id: a, type: files, root: .}]\n"
    (tmp_path / "freshkb.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"yaml:2: ledger.*db\.example\.org.*one host"):
        load(None, {}, tmp_path)
    (tmp_path / "freshkb.yaml").write_text(text.replace("db.example.org", "localhost"))
    assert load(None, {}, tmp_path).index.store == "edge"


def test_freshkb_config_names_the_file_where_no_option_does(tmp_path: Path) -> None:
    (tmp_path / "kb.yaml").write_text("version: 1\nsources: [{id: a, type: files, root: .}]\n")
    assert load(None, {"FRESHKB_CONFIG": str(tmp_path / "kb.yaml")}, Path("/")).path == tmp_path / "kb.yaml"


# ── The log's anchors ─────────────────────────────────────────────────────────────────────────────────


def anchored(tmp_path: Path, log: str) -> Config:
    path = tmp_path / "freshkb.yaml"
    path.write_text(f"version: 1\nsources: [{{id: docs, type: files, root: ./docs}}]\nlog: {log}\n")
    return load(path, {}, tmp_path)


def test_anchors_are_found_beside_the_configuration(tmp_path: Path) -> None:
    log = anchored(tmp_path, '{anchors: ["file:../a/kb", "git:/srv/b", "syslog:"], key_file: keys/k.pem}').log
    assert [str(anchor) for anchor in log.anchors] == [f"file:{tmp_path}/../a/kb", "git:/srv/b", "syslog:"]
    assert log.key_file == tmp_path / "keys" / "k.pem"
    assert [str(anchor) for anchor in anchored(tmp_path, '{anchors: "file:/a"}').log.anchors] == ["file:/a"]
    shown = anchored(tmp_path, '{anchors: ["file:/a"]}').show()["log"]
    assert shown == {"anchors": ["file:/a"], "key_file": None}


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ("ftp:/a", r"freshkb.yaml:3: log.anchors\[0\]: .*should be file:PATH, git:PATH or syslog:"),
        ("file:.freshkb/log", r"log.anchors\[0\]: lies in state_dir"),
        ("file:elsewhere/../.freshkb/log", "lies in state_dir"),
        ("git:.freshkb", "lies in state_dir"),
        ("file:docs/log", "lies in the root of source 'docs'"),
    ],
)
def test_an_anchor_is_outside_of_what_it_proves_and_of_every_source(
    tmp_path: Path, anchor: str, said: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigError, match=said):
        anchored(tmp_path, f'{{anchors: ["{anchor}"]}}')
