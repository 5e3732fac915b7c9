from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.config import Config, load
from index.config.audit_blocks import Person as Entry
from index.errors import ConfigError
from index.people import Directory, Person, directory_of
from index.redact import covered

MONDAY = date(2026, 6, 1)


def directory(**entries: dict[str, Any]) -> Directory:
    return Directory({name.replace("_", ":"): Entry.model_validate(given) for name, given in entries.items()})


def asked(found: Directory, owner: str, day: date = MONDAY) -> str | None:
    person = found.person(owner, day)
    return None if person is None else person.owner


ANNA, BO = {"email": "anna@example.org", "name": "Anna"}, {"email": "bo@example.org"}


def test_an_owner_is_found_without_case_and_by_address() -> None:
    found = directory(user_anna=ANNA | {"manager": "user:bo"}, user_bo=BO)
    anna = found.person(" USER:Anna", MONDAY)
    assert anna == Person("user:anna", "Anna", "anna@example.org", "user:bo")
    assert found.person("Anna@Example.org", MONDAY) == anna
    assert anna is not None and found.manager(anna, MONDAY) == Person("user:bo", "", "bo@example.org")
    bo = found.person("user:bo", MONDAY)
    assert bo is not None and found.manager(bo, MONDAY) is None


def test_entries_with_one_address_are_one_person() -> None:
    told, other = "json://chat.example.org", "json://other.example.org"
    found = directory(
        user_an={"email": "Anna@example.org", "apprise": [told]},
        user_anna=ANNA | {"manager": "user:bo", "apprise": [other, told]},
        user_smith={"email": "anna@example.org", "name": "Dr Smith", "manager": "user:zoe"},
        user_chat={"apprise": [told]},
        user_none={"name": "Nobody"},
    )
    anna = Person("user:an", "Anna", "Anna@example.org", "user:bo", (told, other))
    for owner in ("user:an", "user:anna", "User:Smith", "anna@example.org"):
        assert found.person(owner, MONDAY) == anna
    assert found.person("user:chat", MONDAY) == Person("user:chat", apprise=(told,))
    assert found.person("user:none", MONDAY) is None


def test_a_mail_address_is_a_person_without_a_directory() -> None:
    found = Directory()
    assert found.person("zoe@example.org", MONDAY) == Person("zoe@example.org", email="zoe@example.org")
    assert found.person("group:docs", MONDAY) is None
    assert found.why_nobody("group:docs", MONDAY) == ""


@pytest.mark.parametrize(
    ("address", "person"),
    [
        ("a.b+c@example.org", True),
        ("o'brien@example.org", True),
        (f"{'a' * 64}@example.org", True),
        (f"{'a' * 65}@example.org", False),
        ("carl.@example.org", False),
        (".carl@example.org", False),
        ("carl..b@example.org", False),
    ],
)
def test_an_address_is_a_person_where_a_mail_can_be_addressed_to_it(address: str, person: bool) -> None:
    assert (Directory().person(address, MONDAY) is not None) is person


def test_a_group_is_its_first_member_that_is_a_person() -> None:
    found = directory(
        user_anna=ANNA,
        user_bo=BO,
        user_mute={"name": "Mute"},
        group_docs={"members": ["user:gone", "user:mute", "group:web", "user:bo"]},
        group_web={"members": ["user:anna"]},
        group_empty={"members": ["user:gone"]},
    )
    assert asked(found, "group:docs") == "user:anna"
    assert found.why_nobody("group:docs", MONDAY) == ""
    assert found.why_nobody("group:empty", MONDAY) == "No member of group:empty is a person who can be told."
    assert found.why_nobody("user:mute", MONDAY).startswith("The directory of owners has no mail address")
    assert found.why_nobody("@zoe", MONDAY) == "@zoe is not in the directory of owners."


@pytest.mark.parametrize("monday", [date(2020, 12, 28), date(2026, 12, 28), date(2027, 12, 27)])
def test_a_rota_takes_turns_over_the_end_of_a_year(monday: date) -> None:
    """2020 and 2026 have 53 weeks: by their numbers, a member would be asked twice, or passed over."""
    names = ["user:anna", "user:bo", "zoe@example.org"]
    found = directory(user_anna=ANNA, user_bo=BO, group_docs={"members": names, "rota": "weekly"})
    weeks = [monday + timedelta(weeks=number) for number in range(-3, 6)]
    turns = [asked(found, "group:docs", day) for day in weeks]
    begin = names.index(str(turns[0]))
    assert turns == [names[(begin + number) % 3] for number in range(len(weeks))]
    for day in weeks:
        assert {asked(found, "group:docs", day + timedelta(days=n)) for n in range(7)} == {
            asked(found, "group:docs", day)
        }


def test_groups_in_circles_are_named() -> None:
    with pytest.raises(ValueError, match="group:a → group:b → group:c → group:a"):
        directory(
            group_x={"members": ["group:a"]},
            group_a={"members": ["user:anna", "group:b"]},
            group_b={"members": ["GROUP:C"]},
            group_c={"members": ["group:a"]},
        )
    twice = directory(group_a={"members": ["group:b", "group:b"]}, group_b={"members": ["a@example.org"]})
    assert asked(twice, "group:a") == "a@example.org"


# ── CSV ───────────────────────────────────────────────────────────────────────────────────────────────


def config(home: Path, owners: object) -> Config:
    settings = {
        "version": 1,
        "sources": [{"id": "docs", "type": "files", "root": "./docs"}],
        "notify": {"owners": owners},
    }
    path = home / "freshkb.yaml"
    path.write_text(yaml.safe_dump(settings))
    return load(path, {}, home)


def read(home: Path, text: str | bytes) -> Directory:
    (home / "owners.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return directory_of(config(home, "owners.csv"))


TABLE = """owner,name,email,manager,members,rota,apprise
user:anna,"Anna ""A."" Smith",anna@example.org,bo@example.org,,,
group:docs,,,,"user:anna, zoe@example.org",Weekly,

user:chat,,,,,,"json://chat.example.org/a9f3k2q8zz json://other.example.org"
"""


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_of_a_spreadsheet(tmp_path: Path, bom: str, delimiter: str, end: str) -> None:
    text = TABLE.replace("user:anna, zoe", "user:anna; zoe") if delimiter == "," else TABLE
    if delimiter == ";":
        text = text.replace('"user:anna, zoe@example.org"', "members").replace(",", ";")
        text = text.replace("members;Weekly", '"user:anna, zoe@example.org";Weekly')
    found = read(tmp_path, bom + text.replace("\n", end))
    anna = found.person("user:anna", MONDAY)
    assert anna == Person("user:anna", 'Anna "A." Smith', "anna@example.org", "bo@example.org")
    assert {asked(found, "group:docs", MONDAY + timedelta(weeks=n)) for n in range(2)} == {
        "user:anna",
        "zoe@example.org",
    }
    chat = found.person("user:chat", MONDAY)
    assert chat is not None and len(chat.apprise) == 2
    assert "a9f3k2q8zz" not in covered("said json://chat.example.org/a9f3k2q8zz and a9f3k2q8zz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("owner,email\nuser:anna,anna\n", "owners.csv:2: email: 'anna' is no mail address"),
        (
            "owner,email\n\nuser:anna,a@b\nUser:Anna,c@d\n",
            "owners.csv:4: owner: 'User:Anna' stands in line 3",
        ),
        ("owner,e-mail\nuser:anna,a@b\n", "owners.csv:1: unknown column 'e-mail'; did you mean email?"),
        ("email\na@b\n", "owners.csv:1: has no column owner"),
        ("owner,owner\na,b\n", "owners.csv:1: column 'owner' is there twice"),
        ("owner,email\n,a@b\n", "owners.csv:2: owner: is missing"),
        ("owner,email\nanna,a@b,more\n", "owners.csv:2: has 3 cells, and there are 2 columns"),
        ("owner,rota\nanna,weekly\n", "owners.csv:2: rota belongs to a group: name its members"),
        ("owner,members,rota\nanna,bo,daily\n", "owners.csv:2: rota: 'daily' should be 'weekly'"),
        ("owner,apprise\nanna,s3cr3tt0ken\n", "owners.csv:2: apprise: is no Apprise url"),
        ('owner,name\nanna,"A\nB"\nbo,"C"x\n', "owners.csv:4: is no CSV"),
        (b"owner,name\nanna,\xff\n", "owners.csv:2: is not UTF-8 text"),
        ("owner,members\na,b\nb,a\n", "owners.csv: groups are members of each other: a → b → a"),
    ],
)
def test_errors_name_line_and_column(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigError) as found:
        read(tmp_path, text)
    assert said in str(found.value)
    assert "s3cr3tt0ken" not in str(found.value)


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as found:
        read(tmp_path, "owner;email\na;x\nb;y\n")
    assert str(found.value).splitlines()[-1] == "2 errors; nothing was done."


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"owners\.csv cannot be read: No such file"):
        directory_of(config(tmp_path, "owners.csv"))


# ── In the configuration ──────────────────────────────────────────────────────────────────────────────


def test_owners_in_the_configuration(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        {
            "user:anna": {"email": "anna@example.org", "apprise": "json://u:Passw0rdX9@h/t0kent0ken9"},
            "group:docs": {"members": ["user:anna"]},
        },
    )
    assert asked(directory_of(found), "group:docs") == "user:anna"
    shown = yaml.safe_dump(found.show())
    assert "anna@example.org" in shown and "t0kent0ken9" not in shown and "Passw0rdX9" not in shown
    with pytest.raises(ConfigError, match="'user:anna' and 'user:Anna' are one name"):
        directory_of(config(tmp_path, {"user:anna": BO, "user:Anna": BO}))


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        (
            {"user:anna": {"mail": "a@b"}},
            r"notify\.owners\.user:anna\.mail: unknown key; did you mean email\?",
        ),
        ({"user:anna": {"email": "anna"}}, r"'anna' is no mail address"),
        ({"user:anna": {"apprise": ["s3cr3tt0ken"]}}, r"apprise\[0\]: \*\*\* is no Apprise url"),
        (7, "should be a block of keys"),
    ],
)
def test_errors_of_the_configuration(tmp_path: Path, owners: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config(tmp_path, owners)


def test_the_environment_names_the_owners(tmp_path: Path) -> None:
    config(tmp_path, "owners.csv")
    found = load(
        tmp_path / "freshkb.yaml",
        {"FRESHKB_NOTIFY__OWNERS": "people.csv", "FRESHKB_NOTIFY__FROM": "kb@example.org"},
        tmp_path,
    )
    assert found.notify.owners == tmp_path / "people.csv"
    assert found.notify.sender == "kb@example.org"
