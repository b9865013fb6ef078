"""Logs in as a person does: Debian's Chromium with a CA it trusts and a client certificate it may present.

The browser gets a home folder of its own: the CA and the PKCS#12 file are imported into an NSS database there, and
Chromium's policy to present the certificate without asking is bind-mounted inside a private mount namespace, so that
nothing on the machine changes. `*.localhost` needs no name service: Chromium resolves it to loopback itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "browser"
POLICIES = Path("/etc/chromium")
Step = str | Mapping[str, Any]


class BrowserError(RuntimeError):
    """The browser could not be started or prepared; the text names the program that failed and the fix."""


def run(
    steps: Sequence[Step],
    url: str,
    *,
    ca: Path,
    p12: Path | None = None,
    password: str = "",
    screenshot: Path | None = None,
    size: tuple[int, int] = (1400, 850),
    timeout: float = 60.0,
) -> dict[str, Any]:
    """Open a browser, do `steps` at `url`, close it; what was seen.

    `steps`: names, or {name: argument}, of browse.js: "open", "canvas" (waits for NiFi's canvas, sets "user"),
    "airflow" (the same for Airflow's first page), {"go": {"path", "text"}} (another page, until it shows that text),
    {"add-processor": TYPE} (sets "processor": {"offered", "added"}), "text", {"fetch": {"path", "method", "body"}}.
    `p12` and its `password`: the certificate to present; without one the browser has none. `timeout`: seconds a step
    may wait. The result always has "steps" (those done); "error" says why the next one was not. Raises BrowserError.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise BrowserError("chromium is not installed: make setup installs it")
    modules = _playwright()
    with tempfile.TemporaryDirectory(prefix="browser-") as folder:
        home = Path(folder)
        _certificates(home, ca, p12, password)
        _policies(home / "policies", url)
        job = {
            "chromium": chromium,
            "home": str(home),
            "url": url,
            "steps": list(steps),
            "screenshot": str(Path(screenshot).resolve()) if screenshot else None,
            "width": size[0],
            "height": size[1],
            "timeout": int(timeout * 1000),
        }
        return _drive(home, modules, job, timeout * (len(steps) + 1) + 60)


def canvas(url: str, *, ca: Path, p12: Path, password: str, screenshot: Path | None = None) -> dict[str, Any]:
    """Log in to NiFi and wait for its canvas; "user" of the result is who NiFi says it is."""
    return run(["open", "canvas"], url, ca=ca, p12=p12, password=password, screenshot=screenshot)


def _playwright() -> Path:
    """Folder of the node modules, installed from the lock file once per version."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = CACHE / "package-lock.json"
    if not (CACHE / "node_modules" / "playwright-core").is_dir() or stamp.read_bytes() != lock:
        CACHE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(HERE / name, CACHE / name)
        _call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CACHE)
    return CACHE / "node_modules"


def _certificates(home: Path, ca: Path, p12: Path | None, password: str) -> None:
    """An NSS database with the CA trusted for servers and the user's certificate with its key."""
    database = home / ".local" / "share" / "pki" / "nssdb"
    database.mkdir(parents=True)
    where = f"sql:{database}"
    _call(["certutil", "-N", "-d", where, "--empty-password"])
    _call(["certutil", "-A", "-d", where, "-n", "listener-ca", "-t", "C,,", "-i", str(ca)])
    if p12:
        secret = home / "password"
        secret.touch(mode=0o600)
        secret.write_text(password)
        _call(["pk12util", "-i", str(p12), "-d", where, "-w", str(secret), "-K", ""])
        secret.unlink()
    # the folder that Chromium used before it followed the XDG specification
    (home / ".pki").symlink_to(home / ".local" / "share" / "pki")


def _policies(folder: Path, url: str) -> None:
    """Chromium's managed policy: present a certificate to this host without asking."""
    parts = urlsplit(url)
    entry = json.dumps({"pattern": f"https://{parts.hostname}", "filter": {}})
    managed = folder / "policies" / "managed"
    managed.mkdir(parents=True)
    policy = {"AutoSelectCertificateForUrls": [entry], "BrowserSignin": 0, "PasswordManagerEnabled": False}
    (managed / "rehearsal.json").write_text(json.dumps(policy))


def _drive(home: Path, modules: Path, job: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    if not POLICIES.is_dir():
        raise BrowserError(f"{POLICIES} does not exist: this needs Debian's chromium package")
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = 'mount --make-rprivate / && mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = [*namespace, "sh", "-c", script, "sh", str(home / "policies"), str(POLICIES)]
    command += ["node", str(HERE / "browse.js")]
    environment = {**os.environ, "NODE_PATH": str(modules), "TMPDIR": str(home)}
    try:
        done = subprocess.run(
            command, input=json.dumps(job), env=environment, text=True, capture_output=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise BrowserError(f"the browser did not end within {seconds:.0f} s at {job['url']}") from None
    if done.returncode != 0 or not done.stdout:
        raise BrowserError(f"the browser's driver failed ({done.returncode}): {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _call(command: list[str], cwd: Path | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise BrowserError(f"{command[0]} is not installed: make setup installs it")
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise BrowserError(f"{command[0]} failed ({done.returncode}): {said[-1000:]}")
