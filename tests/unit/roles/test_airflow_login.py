"""Airflow's door: which roles a subject gets, and that a token, a cookie or a claim serves nobody else."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "collections"))
sys.path.insert(0, str(ROOT / "collections/ansible_collections/dataplatform/aws/roles/airflow/files"))

from dataplatform_airflow import access, identity, middleware  # noqa: E402

ALICE, VERA = "CN=alice,OU=DataEng,O=Platform", "CN=vera,OU=Audit,O=Platform"
DOCUMENT: dict[str, Any] = {
    "rules": [
        {"role": "engineer", "match": {"organization": "Platform", "organizational_unit": "DataEng"}},
        {"role": "viewer", "match": {"organization": "Platform", "organizational_unit": ["Analytics", "Audit"]}},
        {"role": "producer", "match": {"organization": "Platform", "organizational_unit": "Producers"}},
        {"role": "admin", "match": {"organization": "Platform", "organizational_unit": "DataEng"}},
    ],
    "roles": {"engineer": ["User"], "viewer": ["Viewer"], "producer": [], "admin": ["Admin"]},
}


def later(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path: Path, document: Any) -> None:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    stamp = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(stamp, stamp))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "access.json"
    write(path, DOCUMENT)
    return path


@pytest.mark.parametrize(
    ("subject", "roles"),
    [
        (ALICE, ("User",)),  # the first rule that matches, not the best
        ("O=Platform, OU=DataEng, CN=alice", ()),  # another order is another identity
        ('CN="alice", OU="DataEng", O="Platform"', ("User",)),
        (r"CN=ali\63e,OU=DataEng,O=Platform", ("User",)),
        ("CN=alice,OU=dataeng,O=Platform", ()),
        ("CN=alice,OU=DataEng,O=Other", ()),
        (r"CN=alice\,OU=DataEng,OU=Nobody,O=Platform", ()),
        ("CN=alice,OU=Audit,O=Platform", ("Viewer",)),
        ("CN=flights,OU=Producers,O=Platform", ()),
        ("CN=alice,OU=Platform-Admins,O=Platform", ()),
        ("alice", ()),
        ("", ()),
    ],
)
def test_a_subject_gets_exactly_what_the_rules_say(file, subject, roles):
    assert access.Access(str(file)).roles(subject) == roles


def test_the_file_is_read_again_and_a_broken_one_lets_nobody_in(file):
    rules = access.Access(str(file))
    assert rules.roles(VERA) == ("Viewer",)
    write(file, {**DOCUMENT, "roles": {"viewer": ["Op", "Viewer"]}})
    assert rules.roles(VERA) == ("Op", "Viewer")
    write(file, "{ not JSON")
    assert rules.roles(VERA) == ()
    file.unlink()
    assert rules.roles(VERA) == ()
    write(file, DOCUMENT)
    assert rules.roles(VERA) == ("Viewer",)


def headers(dn: str | None, end: str | None = None, **more: str) -> list[tuple[bytes, bytes]]:
    found = []
    if dn is not None:
        found = [(identity.SUBJECT, dn.encode()), (identity.NOT_AFTER, (end or later(3600)).encode())]
    return found + [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]


def signed(claims: Any) -> str:
    """A token as Airflow makes it. The door looks at its claims; whether it is genuine Airflow says later."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS512"}, claims)] + [b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def token(dn: str, *roles: str) -> str:
    return signed({"sub": "1", **middleware.claims_of(dn, roles)})


def knock(file: Path, sent: list[tuple[bytes, bytes]], path: str = "/api/v2/dags") -> tuple[int, str, list[str], Any]:
    """Status, text and cookies of the answer, and the certificate that Airflow was told (None: it was not asked)."""
    told: list[Any] = []
    answers: list[Any] = []

    async def airflow(scope: Any, receive: Any, send: Any) -> None:
        told.append((identity.current.get(), scope["scheme"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"Airflow"})

    async def send(message: Any) -> None:
        answers.append(message)

    door = middleware.CertificateMiddleware(airflow, access.Access(str(file)))
    scope = {"type": "http", "method": "GET", "path": path, "headers": sent, "scheme": "http"}
    asyncio.run(door(scope, None, send))  # type: ignore[arg-type]
    cookies = [value.decode() for name, value in answers[0]["headers"] if name == b"set-cookie"]
    return answers[0]["status"], answers[1]["body"].decode(), cookies, told[0] if told else None


def test_a_known_certificate_comes_through_and_is_forgotten_afterwards(file):
    status, text, _cookies, (certificate, scheme) = knock(file, headers(ALICE))
    assert (status, text, certificate.dn, scheme) == (200, "Airflow", ALICE, "https")
    assert 3590 <= certificate.seconds_left() <= 3600
    assert identity.current.get() is None


@pytest.mark.parametrize(
    ("sent", "path", "status"),
    [
        (headers(None), "/api/v2/monitor/health", 200),
        (headers(None), "/execution/task-instances/1/run", 200),
        (headers(None), "/api/v2/dags", 401),
        (headers(None), "/api/v2/monitor/health/", 401),
        (headers(None), "/executions", 401),
        (headers(ALICE), "/execution/task-instances/1/run", 403),
        (headers("CN=x,OU=Nobody,O=Platform"), "/", 403),
        (headers("CN=flights,OU=Producers,O=Platform"), "/", 403),
        (headers("not a name"), "/", 403),
        (headers(ALICE, end=later(-1)), "/", 403),
        (headers(ALICE, end="tomorrow"), "/", 403),
        ([(identity.SUBJECT, ALICE.encode())], "/", 403),
        (headers(VERA) + [(identity.SUBJECT, ALICE.encode())], "/", 403),
        (headers(VERA) + [(b"x_dataplatform_subject", ALICE.encode())], "/", 403),
        ([(b"x_dataplatform-subject", ALICE.encode()), (identity.NOT_AFTER, later(36_000).encode())], "/", 403),
        (headers(ALICE, end=f"NotBefore={later(-36_000)};NotAfter={later(36_000)}"), "/", 200),
    ],
)
def test_who_is_let_in(file, sent, path, status):
    found = knock(file, sent, path)
    assert found[0] == status
    assert (found[3] is not None) == (status == 200)


def test_a_token_serves_its_own_certificate_and_todays_roles_only(file):
    mine = {"authorization": f"Bearer {token(ALICE, 'User')}"}
    assert knock(file, headers(ALICE, **mine))[0] == 200
    for sent in (
        headers(VERA, **mine),
        headers(ALICE, authorization=f"Bearer {token(ALICE, 'Admin')}"),
        headers(ALICE, authorization=f"bearer {token(VERA, 'User')}"),
        headers(ALICE, authorization="Bearer garbage"),
        headers(ALICE, authorization="Bearer " + signed([])),
        headers(ALICE, authorization="Bearer a.b.c"),
        headers(ALICE, authorization="Bearer " + signed({"sub": "1"})),
        headers(ALICE, **mine) + [(b"authorization", f"Bearer {token(VERA, 'Viewer')}".encode())],
    ):
        status, _text, _cookies, told = knock(file, sent)
        assert (status, told) == (403, None)
    write(file, {**DOCUMENT, "roles": {"engineer": ["Viewer"]}})
    assert knock(file, headers(ALICE, **mine))[0] == 403


def test_a_foreign_cookie_ends_the_session(file):
    assert knock(file, headers(ALICE, cookie=f"session=x; _token={token(ALICE, 'User')}"))[0] == 200
    for cookie in (
        f"_token={token(ALICE, 'User')}",
        f"a=b; _token={token(VERA, 'Viewer')}; _token={token(ALICE, 'User')}",
    ):
        status, _text, cookies, told = knock(file, headers(VERA, cookie=cookie))
        assert (status, told) == (401, None)
        assert [one.split("=")[0] for one in cookies] == ["_token", "session"]
        assert all("Max-Age=0" in one and "Secure" in one for one in cookies)


def test_the_page_names_the_subject_and_runs_nothing_that_it_holds(file):
    subject = "CN=Tom & Jerry's,OU=Nobody,O=Platform"
    status, text, _cookies, _told = knock(file, headers(subject, accept="text/html,*/*"))
    assert (status, "Tom &amp; Jerry&#x27;s" in text, "Tom & J" in text) == (403, True, False)
    assert json.loads(knock(file, headers(subject))[1])["detail"].startswith("Your certificate is valid")
