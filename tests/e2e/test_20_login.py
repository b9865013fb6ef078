"""Two people open NiFi in a browser, with nothing but the files they were handed."""

from __future__ import annotations

import stat

import pytest

from tests.e2e.browser import browser
from tests.e2e.person import DNS, PICTURES


@pytest.fixture(scope="module")
def url(dev) -> str:
    return dev.status()["nifi"]["url"]


@pytest.mark.parametrize("name", DNS)
def test_exported_files_are_the_users_only(name, people):
    person = people[name]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in person.folder.iterdir()}
    assert modes == {f"{name}.p12": 0o600, f"{name}.password": 0o600, "ca.pem": 0o600}
    assert "import" in person.output.lower()
    assert person.password not in person.output


def test_alice_sees_the_canvas_and_builds(people, url):
    """Acceptance 3: with the CA trusted, not ignored. The page in docs/ is what she saw."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    seen = people["alice"].canvas(url, screenshot=PICTURES / "alice-canvas.png")
    assert "error" not in seen, seen
    assert seen["user"] == DNS["alice"]
    seen = people["alice"].canvas(url, {"add-processor": "GenerateFlowFile"})
    assert seen["processor"]["added"] is True, seen


def test_bob_looks_and_cannot_change(people, url):
    """Acceptance 3."""
    seen = people["bob"].canvas(url, {"add-processor": "GenerateFlowFile"}, screenshot=PICTURES / "bob-canvas.png")
    assert seen["user"] == DNS["bob"]
    assert seen["processor"]["added"] is False
    body = {"revision": {"clientId": "bob", "version": 0}, "component": {"label": "bob was here"}}
    write = {"fetch": {"path": "/nifi-api/process-groups/root/labels", "method": "POST", "body": body}}
    assert people["bob"].canvas(url, write)["fetched"]["status"] == 403


def test_a_browser_without_a_certificate_sees_nothing(people, url):
    seen = browser.run(["open"], url, ca=people["alice"].ca)
    assert seen.get("status") != 200
    assert "error" in seen
