"""The playbooks as a person runs them, against the emulated account."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.pki.conftest import Account

Play = Callable[..., tuple[int, str]]
Write = Callable[..., Path]


def recap(output: str) -> dict[str, int]:
    found = re.findall(r"(ok|changed|failed|unreachable)=(\d+)", output.rpartition("PLAY RECAP")[2])
    assert found, output
    return {key: int(value) for key, value in found}


def test_issue_export_and_nothing_changes_twice(
    account: Account, play: Play, requests_folder: Write, tmp_path: Path
) -> None:
    folder = requests_folder(alice="DataEng", bob="Analytics")
    report = tmp_path / "report.json"
    options = ["-e", f"certificate_requests_dir={folder}", "-e", f"certificates_report={report}"]

    code, output = play("issue-certificates", *options, "--check", "--diff")
    assert code == 0, output
    assert recap(output)["changed"] == 2
    assert json.loads(report.read_text())["planned"][0]["user"] == "alice"
    assert set(account.objects()) == {"trust-store/users-ca.pem", *account.objects("crl/")}

    code, issuing = play("issue-certificates", *options, "-vvv", "--diff")
    assert code == 0, issuing
    assert recap(issuing)["changed"] == 2
    users = {user["user"]: user for user in json.loads(report.read_text())["users"]}
    assert {user: entry["role"] for user, entry in users.items()} == {"alice": "engineer", "bob": "viewer"}
    assert users["alice"]["dn"] == "CN=alice,OU=DataEng,O=Platform"
    assert users["alice"]["serial"]
    assert users["alice"]["expires"]

    for mode in ([], ["--check"]):
        code, output = play("issue-certificates", *options, *mode)
        assert code == 0, output
        assert recap(output)["changed"] == 0, output

    bundle = tmp_path / "web-ca.pem"
    bundle.write_bytes(account.objects()["trust-store/users-ca.pem"])
    target = tmp_path / "handed over"
    export = ["-e", json.dumps({"certificate_user": "alice", "certificate_directory": str(target)})]
    export += ["-e", f"certificate_ca_bundle={bundle}"]
    for changed in (1, 0):
        code, output = play("export-certificate", *export, "-vvv", "--diff")
        assert code == 0, output
        assert recap(output)["changed"] == changed
    files = {file.name: file for file in target.iterdir()}
    assert set(files) == {"alice.p12", "alice.password", "ca.pem"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    password = files["alice.password"].read_text().strip()
    assert len(password) == 29
    for text in (
        issuing,
        output,
        report.read_text(),
        *(body.decode() for body in account.objects("registry/").values()),
    ):
        assert password not in text
        assert "PRIVATE KEY" not in text
    assert files["ca.pem"].read_bytes().strip() == bundle.read_bytes().strip()
    check_p12(files["alice.p12"], files["alice.password"])


def check_p12(keystore: Path, password: Path) -> None:
    """What a user's browser does: NSS imports key and certificate; OpenSSL reads it too."""
    assert shutil.which("openssl")
    shown = subprocess.run(
        ["openssl", "pkcs12", "-in", str(keystore), "-passin", f"file:{password}", "-nokeys"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "CN = alice" in shown
    if not shutil.which("pk12util"):
        return
    database = keystore.parent / "nss"
    database.mkdir()
    empty = database / "empty"
    empty.write_text("\n")
    subprocess.run(["certutil", "-N", "-d", f"sql:{database}", "--empty-password"], check=True, capture_output=True)
    subprocess.run(
        ["pk12util", "-i", str(keystore), "-w", str(password), "-d", f"sql:{database}", "-k", str(empty)],
        check=True,
        capture_output=True,
    )
    listed = subprocess.run(["certutil", "-L", "-d", f"sql:{database}"], check=True, capture_output=True, text=True)
    assert re.search(r"alice \(dev\)\s+u,u,u", listed.stdout), listed.stdout
    shutil.rmtree(database)


def test_a_wrong_request_is_refused_before_anything_is_changed(
    account: Account, play: Play, requests_folder: Write
) -> None:
    folder = requests_folder(alice="DataEng")
    (folder / "eve.yaml").write_text(
        "user: eve\nenv: prod\nsubject:\n  common_name: eve\n  organizational_unit: Platform-Nodes\n"
        "  organization: Platform\nexpiry_days: 9000\nshell: true\n"
    )
    code, output = play("issue-certificates", "-e", f"certificate_requests_dir={folder}")
    assert code == 2
    for finding in (
        "dev/eve.yaml:2: env is 'prod'",
        "dev/eve.yaml:5: organizational_unit is",
        "dev/eve.yaml:7: expiry_days",
    ):
        assert finding in output
    assert "dev/eve.yaml:8: shell is not a key" in output
    assert not account.objects("registry/")
    assert account.secret_names() == set()
    # The list of who was revoked lapses after days, and then nobody is let in: it is looked after all the same.
    kept = account.client("elbv2").describe_trust_store_revocations(TrustStoreArn=account.trust_store_arn)
    assert len(kept["TrustStoreRevocations"]) == 1
    # An alarm hears from it, or rings.
    said = account.client("cloudwatch").list_metrics(Namespace="DataPlatform/dev")["Metrics"]
    assert {metric["MetricName"] for metric in said} == {"trust_store_revocation_list_days"}


def test_what_cannot_be_exported_says_why(account: Account, play: Play, tmp_path: Path) -> None:
    code, output = play("export-certificate", "-e", f"certificate_user=nobody certificate_directory={tmp_path}/to")
    assert code == 2
    assert "no keystore for 'nobody' in dev" in output
    code, output = play("export-certificate")
    assert code == 2
    assert "certificate_user=alice" in output
    assert not (tmp_path / "to").exists()


def test_with_an_own_key_only_the_certificate_is_handed_over(
    account: Account, play: Play, requests_folder: Write, tmp_path: Path
) -> None:
    made = subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        + ["-keyout", str(tmp_path / "alice.key"), "-subj", "/O=Platform/OU=DataEng/CN=alice"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    extra = "csr: |\n" + "".join(f"  {line}\n" for line in made.splitlines())
    code, output = play(
        "issue-certificates", "-e", f"certificate_requests_dir={requests_folder(alice='DataEng', extra=extra)}"
    )
    assert code == 0, output
    target = tmp_path / "to"
    code, output = play("export-certificate", "-e", f"certificate_user=alice certificate_directory={target}")
    assert code == 0, output
    assert [file.name for file in target.iterdir()] == ["alice.pem"]
    account.client("ssm").delete_parameter(Name="/dataplatform/dev/platform")
    code, output = play("export-certificate", "-e", f"certificate_user=alice certificate_directory={target}")
    assert code == 2
    assert "a request with csr has no keystore" in output


def test_one_certificate_in_one_file(account: Account, play: Play, tmp_path: Path) -> None:
    """acmpca_certificate and its _info twin, in a playbook of their own."""
    key, csr, certificate = tmp_path / "key.pem", tmp_path / "host.csr", tmp_path / "host.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            str(key),
        ]
        + ["-subj", "/O=Platform/OU=Hosts/CN=host", "-addext", "subjectAltName=DNS:host.internal", "-out", str(csr)],
        check=True,
        capture_output=True,
    )
    playbook = tmp_path / "one.yml"
    common = {"certificate_authority_arn": account.ca_arn, "region": "eu-central-1"}
    tasks = [
        {"dataplatform.aws.acmpca_certificate": {**common, "csr": csr.read_text(), "path": str(certificate)}}
        | {"register": "made", "tags": "make"},
        {
            "dataplatform.aws.acmpca_certificate": {**common, "state": "revoked", "path": str(certificate)},
            "register": "revoked",
            "tags": "revoke",
        },
        {
            "dataplatform.aws.acmpca_certificate_info": {**common, "certificate_arns": ["{{ arn }}"]},
            "register": "info",
            "tags": "info",
        },
        {
            "ansible.builtin.copy": {"content": "{{ info | to_json }}", "dest": str(tmp_path / "info.json")},
            "tags": "info",
        },
    ]
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    for changed in (1, 0):
        code, output = play(str(playbook), "--tags", "make")
        assert (code, recap(output)["changed"]) == (0, changed), output
    text = certificate.read_text()
    assert text.count("BEGIN CERTIFICATE") == 2
    serial = (
        subprocess.run(
            ["openssl", "x509", "-noout", "-serial", "-in", str(certificate)],
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.strip()
        .lower()
        .removeprefix("serial=")
    )
    arn = f"{account.ca_arn}/certificate/{serial.rjust(32, '0')}"
    for changed in (1, 0):
        code, output = play(str(playbook), "--tags", "revoke")
        assert (code, recap(output)["changed"]) == (0, changed), output
    code, output = play(str(playbook), "--tags", "info", "-e", f"arn={arn}")
    assert code == 0, output
    info = json.loads((tmp_path / "info.json").read_text())
    assert info["certificates"][0]["revoked_at"]
    assert info["authority"]["status"] == "ACTIVE"
    assert list(info["revocation_list"]["serials"]) == [serial.lstrip("0")]


@pytest.mark.parametrize("text", ["CN=alice, OU=DataEng, O=Platform", "cn=alice;ou=DataEng;o=Platform"])
def test_filters(play: Play, tmp_path: Path, text: str) -> None:
    name = f"'{text}'"
    rules = [{"role": "engineer", "match": {"organizational_unit": "DataEng"}}]
    checks = [
        f"({name} | dataplatform.aws.dn_parse).text == 'CN=alice,OU=DataEng,O=Platform'",
        f"({name} | dataplatform.aws.dn_parse).attributes.common_name == 'alice'",
        f"{name} | dataplatform.aws.dn_equal('CN=alice,OU=DataEng,O=Platform')",
        f"not ({name} | dataplatform.aws.dn_equal('O=Platform,OU=DataEng,CN=alice'))",
        f"({name} | dataplatform.aws.dn_role(rules)) == 'engineer'",
        "('CN=a,OU=b,O=c' | dataplatform.aws.dn_role(rules)) is none",
    ]
    tasks = [{"ansible.builtin.assert": {"that": checks}}]
    playbook = tmp_path / "filters.yml"
    playbook.write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": {"rules": rules}, "tasks": tasks}])
    )
    code, output = play(str(playbook))
    assert code == 0, output
