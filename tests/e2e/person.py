"""People of the end-to-end tests: what they have is the files they were handed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair

from tests.e2e.browser import browser
from tests.support.airflow import key_pair
from tests.support.rehearsal import ROOT, Rehearsal

# The pictures in docs/ are made by these tests: UPDATE_PICTURES=1 writes them there.
PICTURES = ROOT / ("docs" if os.environ.get("UPDATE_PICTURES") == "1" else ".cache") / "pictures"
DNS = {"alice": "CN=alice,OU=DataEng,O=Platform", "bob": "CN=bob,OU=Analytics,O=Platform"}


class Person:
    """Somebody's exported files."""

    def __init__(self, rehearsal: Rehearsal, name: str, folder: Path) -> None:
        self.folder = folder
        self.output = rehearsal.run("certificates", "export", name, "--to", str(folder)).stdout
        self.p12 = folder / f"{name}.p12"
        self.password = (folder / f"{name}.password").read_text().strip()
        self.ca = folder / "ca.pem"

    def pair(self) -> KeyPair:
        """Certificate and key, for a client that is no browser."""
        return key_pair(self.p12, self.password)

    def browse(self, url: str, *steps: Any, screenshot: Path | None = None) -> dict[str, Any]:
        """Open a page in Chromium, and do more there."""
        return browser.run(
            ["open", *steps], url, ca=self.ca, p12=self.p12, password=self.password, screenshot=screenshot
        )

    def canvas(self, url: str, *steps: Any, screenshot: Path | None = None) -> dict[str, Any]:
        """Open NiFi and wait for its canvas."""
        return self.browse(url, "canvas", *steps, screenshot=screenshot)

    def airflow(self, url: str, *steps: Any, screenshot: Path | None = None) -> dict[str, Any]:
        """Open Airflow and wait for its first page."""
        return self.browse(url, "airflow", *steps, screenshot=screenshot)
