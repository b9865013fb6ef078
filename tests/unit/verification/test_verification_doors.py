"""The verification at Airflow's and the producers' door: it passes what is right and names each thing that is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _airflow, _doors, _ingest
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import Checks
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Response

LEVEL = {"viewer": 1, "engineer": 2, "operator": 3, "admin": 4}
AIRFLOW = {"viewer": ["Viewer"], "engineer": ["User"], "operator": ["Op"], "admin": ["Admin"], "producer": []}
UNITS = {
    "viewer": "Analytics",
    "engineer": "DataEng",
    "operator": "Operations",
    "admin": "PlatformAdmins",
    "producer": "Producers",
}
ROLE_OF = {unit: role for role, unit in UNITS.items()}
ACCESS = {
    "roles": {role: {"airflow": roles} for role, roles in AIRFLOW.items()},
    "probes": {
        role: {"subject": {"common_name": f"probe-{role}", "organizational_unit": unit, "organization": "Platform"}}
        for role, unit in UNITS.items()
    },
}


def probe(role: str, unit: str) -> SimpleNamespace:
    dn = f"CN=probe-{role},OU={unit},O=Platform"
    return SimpleNamespace(dn=dn, pair=SimpleNamespace(dn=dn))


PROBES = {role: probe(role, unit) for role, unit in UNITS.items()}


def role_of(dn: str) -> str | None:
    return ROLE_OF.get(dn.split("OU=")[1].split(",")[0])


@dataclass
class Door:
    """An edge and what is behind it; ``broken`` names what does not work as it must."""

    broken: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)  # made in Airflow and not removed
    origin = "https://airflow.test"

    def request(self, method, path, *, pair=None, headers=(), body=None):
        sent = {name.lower().replace("_", "-"): value for name, value in headers}
        reason = self.refusal(method, path, pair.dn, sent)
        if reason:
            return Response(405 if reason == "method" else 403, {"x-edge-refused": reason}, b"")
        return self.answer(method, path, pair.dn, sent, body)

    def refusal(self, method, path, dn, sent):
        if "OU=Platform-" in dn and "subject" not in self.broken:
            return "subject"
        foreign = sent.get("origin", self.origin) != self.origin or sent.get("sec-fetch-site") == "cross-site"
        if method != "GET" and foreign and "cross-site" not in self.broken:
            return "cross-site"
        return None


class Airflow(Door):
    def refusal(self, method, path, dn, sent):
        if path.startswith("/execution") and "path" not in self.broken:
            return "path"
        return super().refusal(method, path, dn, sent)

    def answer(self, method, path, dn, sent, body):
        claimed = sent.get("x-dataplatform-subject") if "spoofing" in self.broken else None
        dn = claimed or dn
        role = role_of(dn)
        level = LEVEL.get(role, 0)
        if path == _airflow.LOGIN:
            return self.say(201, {"access_token": dn}) if level or "unknown" in self.broken else self.say(403)
        token = sent.get("authorization", "").removeprefix("Bearer ") or sent.get("cookie", "").removeprefix("_token=")
        if token != dn and "binding" not in self.broken:
            return self.say(401)
        if "cookie" in sent and "cookie" in self.broken:
            return self.say(401)
        level = LEVEL.get(role_of(token), 0)
        if "too much" in self.broken:
            level += 1
        if "too little" in self.broken:
            level -= 1
        if path == _airflow.WHO:
            return self.say(200, {"username": token.replace(",", ", ")})
        return self.act(method, path, level)

    def act(self, method, path, level):
        if path.startswith(_airflow.NO_DAG):
            return self.say(404 if level >= 2 else 403)
        if path.startswith(_airflow.ROLES):
            return self.say(200 if level >= 4 else 403)
        if path.startswith(_airflow.DAGS):
            return self.say(200 if level >= 1 else 403)
        if level < 3:
            return self.say(403)
        if method == "DELETE":
            self.left.discard(path.rpartition("/")[0])
            return self.say(204 if "removal" not in self.broken else 500)
        self.left.add(path)
        return self.say(201)

    @staticmethod
    def say(status, document=None):
        return Response(status, {}, json.dumps(document or {}).encode())


class Ingest(Door):
    def answer(self, method, path, dn, sent, body):
        if method != "POST" and "method" not in self.broken:
            return Response(405, {"x-edge-refused": "method"}, b"")
        claimed = sent.get("x-amzn-mtls-clientcert-subject") if "spoofing" in self.broken else None
        if role_of(claimed or dn) != "producer" and "role" not in self.broken:
            return Response(403, {"x-edge-refused": "role"}, b"")
        return Response(503 if "listener" in self.broken else 404, {}, b"")


def run(function, *arguments):
    checks = Checks()
    function(*arguments[:1], checks, *arguments[1:])
    return {check.name: check for check in checks.done}


def failed(found):
    return {name for name, check in found.items() if check.status == "failed"}


def test_every_role_in_a_right_airflow_passes_and_nothing_stays():
    door = Airflow()
    found = run(_doors.check_airflow, door, ACCESS, PROBES)
    assert failed(found) == set()
    assert {check.status for check in found.values()} == {"passed"}
    assert not door.left
    for role in ("viewer", "engineer", "operator", "admin"):
        assert {f"{what}:airflow:{role}" for what in ("login", "read", "dags", "pools", "connections", "roles")} <= set(
            found
        )
    assert found["pools:airflow:engineer"].observed == "refused by Airflow (403)"
    assert found["dags:airflow:engineer"].observed == "granted"
    assert found["refused:airflow-producer"].observed == "refused by Airflow (403)"


def test_a_right_too_many_is_found():
    names = failed(run(_doors.check_airflow, Airflow({"too much"}), ACCESS, PROBES))
    assert {"dags:airflow:viewer", "pools:airflow:engineer", "roles:airflow:operator"} <= names
    assert not [name for name in names if name.endswith(":admin")]


def test_a_missing_right_is_found():
    names = failed(run(_doors.check_airflow, Airflow({"too little"}), ACCESS, PROBES))
    assert names == {
        "read:airflow:viewer",
        "dags:airflow:engineer",
        "pools:airflow:operator",
        "connections:airflow:operator",
        "roles:airflow:admin",
    }


def test_somebody_who_takes_anothers_name_is_found():
    names = failed(run(_doors.check_airflow, Airflow({"spoofing"}), ACCESS, PROBES))
    assert {
        "refused:airflow-spoofed-subject-dashes",
        "refused:airflow-spoofed-subject-underscores",
        "refused:airflow-spoofed-subject-mixed",
    } <= names


def test_a_token_that_is_not_bound_to_its_certificate_is_found():
    names = failed(run(_doors.check_airflow, Airflow({"binding"}), ACCESS, PROBES))
    assert names == {"refused:airflow-foreign-token", "refused:airflow-foreign-cookie"}


def test_a_refusal_of_every_cookie_proves_nothing():
    assert failed(run(_doors.check_airflow, Airflow({"cookie"}), ACCESS, PROBES)) == {"refused:airflow-foreign-cookie"}


def test_writes_of_other_sites_are_found():
    names = failed(run(_doors.check_airflow, Airflow({"cross-site"}), ACCESS, PROBES))
    assert names == {f"refused:airflow-cross-site-{how}" for how in ("origin", "fetch-metadata", "opaque-origin")}


def test_the_open_interface_of_tasks_is_found():
    assert failed(run(_doors.check_airflow, Airflow({"path"}), ACCESS, PROBES)) == {"refused:airflow-task-interface"}


def test_what_could_not_be_removed_is_named():
    found = run(_doors.check_airflow, Airflow({"removal"}), ACCESS, PROBES)
    assert "could not remove it" in found["pools:airflow:admin"].observed


@pytest.mark.parametrize(("broken", "status"), [(set(), "passed"), ({"unknown"}, "failed")])
def test_a_subject_without_a_role_must_be_refused(broken, status):
    found = run(_doors.check_unknown, Airflow(broken), probe("lapsing", "Verification"))
    assert found["refused:airflow-unknown"].status == status


def test_the_edges_refusal_is_not_airflows():
    """An edge that lets nobody in would otherwise prove that Airflow knows whom to refuse."""
    found = run(_doors.check_unknown, Airflow(), probe("edge", "Platform-Proxies"))
    assert found["refused:airflow-unknown"].status == "failed"


def test_a_role_that_is_not_airflows_own_is_not_judged():
    access = {"roles": {"viewer": {"airflow": ["Analyst"]}}, "probes": ACCESS["probes"]}
    found = run(_doors.check_airflow, Airflow(), access, {"viewer": PROBES["viewer"]})
    assert found["login:airflow:viewer"].status == "passed"
    assert found["pools:airflow:viewer"].status == "skipped"


def test_without_an_administrators_probe_the_rest_is_still_made():
    probes = {role: one for role, one in PROBES.items() if role != "admin"}
    found = run(_doors.check_airflow, Airflow(), ACCESS, probes)
    assert failed(found) == set()
    assert "refused:airflow-foreign-token" in found


def test_only_producers_push():
    found = run(_doors.check_ingest, Ingest(), PROBES)
    assert failed(found) == set()
    assert {"ingest:producer", "refused:ingest-engineer", "refused:ingest-admin", "refused:ingest-read"} <= set(found)


@pytest.mark.parametrize(
    ("broken", "names"),
    [
        ("listener", {"ingest:producer"}),
        ("method", {"refused:ingest-read"}),
        ("spoofing", {f"refused:ingest-spoofed-{spelling}" for spelling in _ingest.SPOOFED}),
    ],
)
def test_what_is_wrong_at_the_producers_door_is_found(broken, names):
    assert failed(run(_doors.check_ingest, Ingest({broken}), PROBES)) == names


def test_roles_that_push_without_being_producers_are_found():
    names = failed(run(_doors.check_ingest, Ingest({"role"}), PROBES))
    assert {"refused:ingest-viewer", "refused:ingest-engineer", "refused:ingest-operator"} <= names


@pytest.mark.parametrize("broken", [set(), {"subject"}])
def test_the_platforms_own_names_are_refused_at_both_doors(broken):
    checks = Checks()
    _doors.check_reserved(Airflow(broken), Ingest(broken), checks, "proxy", probe("edge", "Platform-Proxies"))
    assert [check.name for check in checks.done] == ["refused:airflow-reserved-proxy", "refused:ingest-reserved-proxy"]
    assert {check.status for check in checks.done} == {"failed" if broken else "passed"}


def test_a_platform_without_the_doors_makes_no_such_checks():
    checks = Checks()
    _doors.check_reserved(None, None, checks, "proxy", probe("edge", "Platform-Proxies"))
    _doors.check_revoked(None, None, checks, PROBES["viewer"], 0)
    assert checks.done == []


@pytest.mark.parametrize(("reason", "status"), [("revoked", "passed"), ("subject", "failed")])
def test_a_revoked_certificate_is_refused_for_that_reason(reason, status):
    checks = Checks()
    door = SimpleNamespace(request=lambda *args, **kwargs: Response(403, {"x-edge-refused": reason}, b""))
    _doors.check_revoked(door, None, checks, PROBES["viewer"], -1)
    assert [(check.name, check.status) for check in checks.done] == [("refused:airflow-revoked", status)]
