"""Ask Airflow as the edge does. Runs on the host; uses the standard library alone.

ask.py PUBLIC_HOST PORT            logs in as everybody, tries what must be refused, runs a DAG; else silent
ask.py PUBLIC_HOST PORT start DAG  starts a run, waits until a task runs, and prints the run
ask.py PUBLIC_HOST PORT end RUN    waits until the run has succeeded, each task at its first try
"""

from __future__ import annotations

import datetime as dt
import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any

HOST, PORT = sys.argv[1], int(sys.argv[2])
ALICE, VERA = "CN=alice,OU=DataEng,O=Platform", "CN=vera,OU=Audit,O=Platform"
ROOT, NOBODY = "CN=root,OU=PlatformAdmins,O=Platform", "CN=mallory,OU=Unknown,O=Platform"
ACCESS = Path("/etc/airflow/access.json")
DEADLINE = time.monotonic() + 150


def later(**delta: int) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


END = later(days=2)  # one certificate for each user: a session ends with the one it was begun with


def ask(
    dn: str | None, path: str, method: str = "GET", body: Any = None, end: str = "", headers: Any = None, **header: str
) -> tuple[int, str, list[str]]:
    """Status, text and cookies of an answer."""
    sent = {"Host": HOST, **header, **(headers or {})}
    if dn:
        sent |= {"X-Dataplatform-Subject": dn, "X-Dataplatform-Not-After": end or END}
    if body is not None:
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, json.dumps(body) if body is not None else None, sent)
    answer = connection.getresponse()
    cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return answer.status, answer.read().decode(), cookies


def token(dn: str, **more: Any) -> dict[str, Any]:
    status, text, _cookies = ask(dn, "/auth/certificate-token", "POST", **more)
    assert status == 201, (dn, status, text)
    return json.loads(text)


def expect(status: int, answer: tuple[int, str, list[str]], holds: str = "") -> None:
    assert (answer[0], holds in answer[1]) == (status, True), (f"wanted {status} with {holds!r}", answer)


def logins() -> dict[str, str]:
    """Everybody by the certificate, and with exactly the rights of the role."""
    expect(401, ask(None, "/api/v2/dags"))
    expect(200, ask(None, "/api/v2/monitor/health"))
    expect(403, ask(NOBODY, "/", Accept="text/html"), "No access to Airflow")
    expect(403, ask("CN=p,OU=Producers,O=Platform", "/auth/certificate-token", "POST"), "has no role")
    expect(403, ask(ALICE, "/api/v2/dags", end=later(seconds=-5)), "expired")
    bearer = {dn: "Bearer " + token(dn)["access_token"] for dn in (ALICE, VERA, ROOT)}
    pool = {"name": f"molecule-{time.time()}", "slots": 1}
    expect(403, ask(VERA, "/api/v2/pools", "POST", pool, Authorization=bearer[VERA]))
    expect(403, ask(ALICE, "/api/v2/pools", "POST", pool, Authorization=bearer[ALICE]))
    expect(201, ask(ROOT, "/api/v2/pools", "POST", pool, Authorization=bearer[ROOT]))
    assert token(ALICE, end=later(seconds=100))["expires_in"] <= 100
    return bearer


def forgeries(bearer: dict[str, str]) -> None:
    """A token, cookie or session works under its own certificate only, however the claim is spelled."""
    expect(403, ask(VERA, "/api/v2/dags", Authorization=bearer[ROOT]), "another certificate")
    expect(401, ask(None, "/api/v2/dags", Authorization=bearer[ROOT]))
    status, _text, cookies = ask(ROOT, "/auth/login/")
    assert status == 302, status
    assert all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies), cookies
    jar = "; ".join(cookie.split(";")[0] for cookie in cookies)
    expect(200, ask(ROOT, "/api/v2/pools", Cookie=jar))
    expect(200, ask(ROOT, "/auth/users/list/", Cookie=jar), "alice")
    status, _text, ended = ask(VERA, "/api/v2/pools", Cookie=jar)
    assert status == 401, status
    assert any(cookie.startswith("_token=;") for cookie in ended), ended
    session = next(part for part in jar.split("; ") if part.startswith("session="))
    expect(302, ask(VERA, "/auth/users/list/", Cookie=session))
    expect(400, ask(VERA, "/auth/token", "POST", {"username": ROOT, "password": ""}), "no passwords")
    expect(403, ask(VERA, "/auth/login/", headers={"X_Dataplatform_Subject": ROOT}), "more than one way")
    expect(403, ask(ROOT, "/execution/health"))


def demoted() -> None:
    """A session that began with more rights than its subject has today is over. (A token tells what it is for.)"""
    _status, _text, cookies = ask(ROOT, "/auth/login/")
    session = next(cookie.split(";")[0] for cookie in cookies if cookie.startswith("session="))
    expect(200, ask(ROOT, "/auth/users/list/", Cookie=session))
    rules = ACCESS.read_text()
    try:
        content = json.loads(rules)
        content["roles"]["admin"] = ["Viewer"]
        ACCESS.write_text(json.dumps(content))
        status, _text, cookies = ask(ROOT, "/auth/", Cookie=session)
        assert (status, [cookie for cookie in cookies if cookie.startswith("_token=e")]) == (302, []), (status, cookies)
        expect(302, ask(ROOT, "/auth/users/list/", Cookie=session))
    finally:
        ACCESS.write_text(rules)


def wait(path: str, done: Any) -> Any:
    """What the address answers once it is as wanted. Survives an API server that restarts."""
    bearer, answer = "", (0, "", [])
    while time.monotonic() < DEADLINE:
        try:
            bearer = bearer or "Bearer " + token(ALICE)["access_token"]
            answer = ask(ALICE, path, Authorization=bearer)
        except (OSError, http.client.HTTPException):
            answer = (0, "not reached", [])
        if answer[0] == 200 and done(json.loads(answer[1])):
            return json.loads(answer[1])
        time.sleep(1)
    raise AssertionError((path, answer))


def start(dag: str) -> str:
    """Wait for a DAG from the bucket and run it as alice, whom her role lets; returns the path of the run."""
    wait(f"/api/v2/dags/{dag}", lambda found: not found["is_paused"])
    path = f"/api/v2/dags/{dag}/dagRuns"
    vera, alice = ("Bearer " + token(dn)["access_token"] for dn in (VERA, ALICE))
    expect(403, ask(VERA, path, "POST", {"logical_date": None}, Authorization=vera))
    status, text, _cookies = ask(ALICE, path, "POST", {"logical_date": None}, Authorization=alice)
    assert status == 200, (status, text)
    return f"{path}/{json.loads(text)['dag_run_id']}"


def ended(path: str) -> None:
    """Wait for the end of a run, which must be a good one."""
    run = wait(path, lambda found: found["state"] in ("success", "failed"))
    tasks = wait(f"{path}/taskInstances", lambda found: True)["task_instances"]
    assert run["state"] == "success", (run, tasks)
    assert {task["try_number"] for task in tasks} == {1}, tasks


def main() -> None:
    """What the command line asks."""
    verb = sys.argv[3] if len(sys.argv) > 3 else ""
    if verb == "start":
        path = start(sys.argv[4])
        running = ("running", "success")
        wait(f"{path}/taskInstances", lambda found: any(one["state"] in running for one in found["task_instances"]))
        print(path)
    elif verb == "end":
        ended(sys.argv[4])
    else:
        forgeries(logins())
        demoted()
        path = start("counts")
        ended(path)
        value = wait(f"{path}/taskInstances/add/xcomEntries/return_value", lambda found: True)["value"]
        assert value in (42, "42"), value


main()
