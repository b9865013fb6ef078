"""Reading requests: what is right passes, what is wrong is named with file, line, value and fix."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _pki, _requests

ALICE = """\
user: alice
env: dev
subject:
  common_name: alice
  organizational_unit: DataEng
  organization: Platform
expiry_days: 180
"""
SUBJECT = {"common_name": "alice", "organizational_unit": "DataEng", "organization": "Platform"}


def checkout() -> Path | None:
    """The project's root, when the collection lies in it."""
    found = [folder for folder in Path(__file__).resolve().parents if (folder / "cert-requests").is_dir()]
    return found[0] if found else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cert-requests" / "dev"
    made.mkdir(parents=True)
    (made / "alice.yaml").write_text(ALICE)
    return made


def findings(folder: Path, text: str, name: str = "alice.yaml", account: str | None = None) -> list[str]:
    (folder / name).write_text(text)
    with pytest.raises(_requests.RequestError) as caught:
        _requests.load_directory(str(folder), "dev", account)
    return caught.value.findings


def test_the_blueprints_request_is_understood(folder: Path) -> None:
    (folder / "README.md").write_text("about")
    (folder / ".hidden").write_text("")
    (request,) = _requests.load_directory(str(folder), "dev")
    assert (request.user, request.env, request.expiry_days, request.kind) == ("alice", "dev", 180, "user")
    assert request.subject.rfc4514() == "CN=alice,OU=DataEng,O=Platform"
    assert (request.csr, request.principal, request.revoked, request.key_type) == (None, None, False, "ec-p256")
    assert request.file == "cert-requests/dev/alice.yaml"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("user: alice", "user: Alice", 1, r"user is 'Alice'; use 1 to 63 small letters"),
        ("user: alice", "user: bob", 1, r"user is 'bob', the file is alice.yaml; name the file bob.yaml"),
        ("user: alice", "user: 7", 1, r"user is 7; use"),
        ("user: alice", "user: ../alice", 1, r"user is '../alice'; use"),
        ("env: dev", "env: prod", 2, r"env is 'prod', this folder is for 'dev'; move the file"),
        ("expiry_days: 180", "expiry_days: 366", 7, r"expiry_days is 366; give a whole number of days, 1 to 365"),
        ("expiry_days: 180", "expiry_days: 0", 7, r"expiry_days is 0;"),
        ("expiry_days: 180", "expiry_days: true", 7, r"expiry_days is True;"),
        ("expiry_days: 180", "expiry_days: '180'", 7, r"expiry_days is '180';"),
        ("expiry_days: 180", "expiry_days: 1.5", 7, r"expiry_days is 1.5;"),
        ("expiry_days: 180\n", "", 1, r"expiry_days is missing; add it"),
        ("  common_name: alice\n", "", 3, r"subject: a subject has exactly .* missing: common_name"),
        ("  common_name: alice", "  common_name: 'a,b'", 4, r"common_name is 'a,b'; ',' \(U\+002C\) is not allowed"),
        ("  common_name: alice", "  common_name: 12", 4, r"common_name is 12, a int; write it as text in quotes"),
        ("  common_name: alice", "  common_name: probe-x", 4, r"common_name is 'probe-x'; names with 'probe-'"),
        ("DataEng", "Platform-Nodes", 5, r"organizational_unit is 'Platform-Nodes'; units that begin with 'platform-'"),
        ("DataEng", "platform-x", 5, r"organizational_unit is 'platform-x'"),
        ("  organization: Platform", "  organization: Platform\n  country: DE", 3, r"not allowed: country"),
        ("subject:\n", "subject: alice\nx:\n", 3, r"subject is 'alice'; give common_name"),
        ("expiry_days: 180", "expiry_days: 180\nshell: yes", 8, r"shell is not a key of a request; allowed are user,"),
        ("expiry_days: 180", "expiry_days: 180\nenv: dev", 8, r"env stands twice; keep one"),
        ("expiry_days: 180", "expiry_days: 180\nkind: robot", 8, r"kind is 'robot'; choose user or service"),
        ("expiry_days: 180", "expiry_days: 180\nkey_type: dsa", 8, r"key_type is 'dsa'; choose ec-p256 or"),
        ("expiry_days: 180", "expiry_days: 180\nrevoked: maybe", 8, r"revoked is 'maybe'; write true or false"),
        ("expiry_days: 180", "expiry_days: 180\nrevocation_reason: SUPERSEDED", 8, r"without `revoked: true`"),
        ("expiry_days: 180", "expiry_days: 180\nprincipal: '*'", 8, r"principal is '\*'; give the ARN"),
        (
            "expiry_days: 180",
            "expiry_days: 180\nprincipal: arn:aws:iam::111122223333:root",
            8,
            r"give the ARN of an IAM role or user",
        ),
        ("expiry_days: 180", "expiry_days: 180\ncsr: hello", 8, r"csr: not a certificate signing request"),
        ("expiry_days: 180", "expiry_days: 180\ncsr: null", 8, r"csr is not text"),
        ("env: dev", "env: [dev", 3, r"is not YAML"),
        ("env: dev", "env: !!python/object:os.system x", 2, r"is not YAML: could not determine a constructor"),
        ("env: dev", "env: {a: {b: {c: {d: {e: 1}}}}}", 2, r"is nested too deeply"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, old: str, new: str, line: int, message: str) -> None:
    found = findings(folder, ALICE.replace(old, new, 1))
    assert any(re.match(rf"cert-requests/dev/alice\.yaml:{line}: .*{message}", text) for text in found), found


def test_everything_wrong_is_told_at_once(folder: Path) -> None:
    (folder / "bob.yml").write_text("")
    (folder / "carol.yaml").write_text("- a list")
    found = findings(folder, ALICE.replace("dev", "ppd").replace("180", "0"))
    assert [text.split(" ")[0] for text in found] == [
        "cert-requests/dev/alice.yaml:2:",
        "cert-requests/dev/alice.yaml:7:",
        "cert-requests/dev/bob.yml:1:",
        "cert-requests/dev/carol.yaml:1:",
    ]


def test_files_that_are_no_requests(folder: Path, tmp_path: Path) -> None:
    (folder / "link.yaml").symlink_to(folder / "alice.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "big.yaml").write_text("#" * 70000)
    (folder / "latin.yaml").write_bytes(b"user: a\nenv: \xe4\n")
    (folder / "empty.yaml").write_text("")
    found = findings(folder, ALICE)
    assert [re.sub(r":.*", "", text) for text in found] == [
        f"cert-requests/dev/{name}.yaml" for name in ("big", "empty", "folder", "latin", "link")
    ]
    assert found[3] == "cert-requests/dev/latin.yaml:2: is not UTF-8 text; save it as UTF-8"
    with pytest.raises(_requests.RequestError, match="is not a directory"):
        _requests.load_directory(str(tmp_path / "nowhere"), "dev")
    with pytest.raises(_requests.RequestError, match="'test' is not known"):
        _requests.load_directory(str(folder), "test")


def test_an_alias_that_contains_itself_ends(folder: Path) -> None:
    assert findings(folder, "a: &a\n  b: *a\n")


@pytest.mark.parametrize("name", ["alice", "Alice", "\uff41lice"])
def test_one_identity_belongs_to_one_user(folder: Path, name: str) -> None:
    other = ALICE.replace("user: alice", "user: alicia").replace("common_name: alice", f"common_name: {name}")
    (text,) = findings(folder, other, "alicia.yaml")
    assert text.startswith("cert-requests/dev/alicia.yaml:1: its subject")
    assert "cert-requests/dev/alice.yaml" in text


def csr_block(key: object = None, **subject: str) -> str:
    pem = _pki.csr({**SUBJECT, **subject}, key or _pki.new_key()).decode()  # type: ignore[arg-type]
    return "csr: |\n" + "".join(f"  {line}\n" for line in pem.splitlines())


def test_a_signing_request_must_be_for_the_reviewed_subject(folder: Path) -> None:
    (folder / "alice.yaml").write_text(ALICE + csr_block())
    assert _requests.load_directory(str(folder), "dev")[0].csr
    (text,) = findings(folder, ALICE + csr_block(organizational_unit="PlatformAdmins"))
    assert text.startswith(
        "cert-requests/dev/alice.yaml:8: csr: the signing request is for CN=alice,OU=PlatformAdmins,O=Platform"
    )
    (text,) = findings(folder, ALICE + csr_block() + "key_type: ec-p256\n")
    assert "key_type has no meaning with csr" in text


def test_one_key_belongs_to_one_user(folder: Path) -> None:
    key = _pki.new_key()
    (folder / "alice.yaml").write_text(ALICE + csr_block(key))
    bob = ALICE.replace("alice", "bob") + csr_block(key, common_name="bob")
    (text,) = findings(folder, bob, "bob.yaml")
    assert "its csr has the key of cert-requests/dev/alice.yaml" in text


def test_principals_belong_to_the_account(folder: Path) -> None:
    text = ALICE + "principal: arn:aws:iam::111122223333:role/team/alice\n"
    (folder / "alice.yaml").write_text(text)
    assert _requests.load_directory(str(folder), "dev", "111122223333")[0].principal
    (found,) = findings(folder, text, account="444455556666")
    assert "give one of this environment's account, 444455556666" in found


def test_a_principal_of_the_own_account_needs_no_number(folder: Path) -> None:
    (folder / "alice.yaml").write_text(ALICE + "principal: role/team/alice\n")
    for account in ("111122223333", "444455556666"):
        assert _requests.load_directory(str(folder), "dev", account)[0].principal == "role/team/alice"
    for wrong in ("group/x", "role/", "role/*", "111122223333:role/x"):
        (found,) = findings(folder, ALICE + f"principal: '{wrong}'\n")
        assert "or role/NAME" in found


def test_only_what_the_certificate_depends_on_changes_its_mark(folder: Path) -> None:
    def mark(text: str) -> str:
        (folder / "alice.yaml").write_text(text)
        return _requests.load_directory(str(folder), "dev")[0].sha256

    same = mark(ALICE)
    assert mark("# a comment\n" + ALICE + "kind: user\nprincipal: arn:aws:iam::111122223333:role/x\n") == same
    key = _pki.new_key()
    marks = [
        mark(ALICE.replace("180", "90")),
        mark(ALICE.replace("DataEng", "Analytics")),
        mark(ALICE + "kind: service\n"),
        mark(ALICE + "key_type: rsa-3072\n"),
        mark(ALICE + csr_block(key)),
        mark(ALICE + csr_block()),
    ]
    assert len({same, *marks}) == 7
    assert mark(ALICE + csr_block(key)) == marks[4]


@pytest.mark.skipif(checkout() is None, reason="the requests lie in the project, not in the collection")
def test_the_projects_requests_are_right_and_the_schema_says_the_same(folder: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    requests = checkout() / "cert-requests"  # type: ignore[operator]
    schema = json.loads((requests / "schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for env in _requests.ENVIRONMENTS:
        assert _requests.load_directory(str(requests / env), env)
        for file in (requests / env).glob("*.yaml"):
            validator.validate(yaml.safe_load(file.read_text()))
    properties = schema["properties"]
    assert set(properties) == {*_requests.REQUIRED, *_requests.OPTIONAL}
    assert schema["required"] == list(_requests.REQUIRED)
    assert properties["key_type"]["enum"] == list(_pki.KEY_TYPES)
    assert properties["revocation_reason"]["enum"] == list(_requests._acmpca.REASONS)
    limits = properties["expiry_days"]
    assert (limits["minimum"], limits["maximum"]) == (_requests.MIN_DAYS, _requests.MAX_DAYS)
    changes = [
        ("user: alice", "user: Alice"),
        ("user: alice", "user: probe-x"),
        ("180", "0"),
        ("180", "366"),
        ("DataEng", "platform-Nodes"),
        ("common_name: alice", "common_name: 'a,b'"),
        ("common_name: alice", "common_name: ' a'"),
        ("180", "180\nshell: true"),
        ("180", "180\nkind: robot"),
        ("180", "180\nrevocation_reason: SUPERSEDED"),
        ("180", "180\nprincipal: '*'"),
    ]
    for old, new in changes:
        text = ALICE.replace(old, new, 1)
        assert not validator.is_valid(yaml.safe_load(text)), new
        assert findings(folder, text)


def test_shown_paths_do_not_depend_on_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (request,) = _requests.load_directory("dev", "dev")
    assert request.file == os.path.join("dev", "alice.yaml")
