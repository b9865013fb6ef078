"""Users' certificates: list them, or hand one over."""

from __future__ import annotations

import json
from pathlib import Path

from driver import ansible, conduct, fleets, people, playbooks
from driver.errors import DONE, DriverError
from driver.run import Run

LOGIN = """
Chrome, Edge (Linux):   pk12util -d sql:$HOME/.pki/nssdb -i {p12} -w {password}
Chrome, Safari (macOS): security import {p12} -k ~/Library/Keychains/login.keychain-db    (asks for the password)
Chrome, Edge (Windows): open {p12}, store "Personal"
Firefox:                Settings > Privacy & Security > View Certificates > Your Certificates > Import {p12}
curl:                   curl {cacert}--cert-type P12 --cert "{p12}:$(cat {password})" {url}"""
TRUST = """
The platform's own certificate comes from a private CA. Once on each machine, trust it for web sites:
Chrome, Edge (Linux):   certutil -d sql:$HOME/.pki/nssdb -A -n "data platform" -t C,, -i {ca}
Chrome, Safari (macOS): security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {ca}
Chrome, Edge (Windows): open {ca}, store "Trusted Root Certification Authorities"
Firefox:                View Certificates > Authorities > Import {ca}"""


def run(run: Run) -> int:
    return {"list": _list, "export": _export}[run.options.action](run)


def _list(run: Run) -> int:
    conduct.begin_quietly(run)
    users = people.users(run)
    if run.options.json:
        print(json.dumps(users, indent=2))
    else:
        run.progress.show(people.table(users))
    return DONE


def _export(run: Run) -> int:
    user, to = run.options.user, run.options.to
    assert to is not None
    conduct.begin_quietly(run)
    if user not in {request.user for request in run.environment.requests}:
        raise DriverError(f"{user} has no request in cert-requests/{run.env}", "add one, then run again")
    folder = to.expanduser().resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    variables = {"certificate_user": user, "certificate_directory": str(folder)}
    bundle = run.connect().ca_bundle
    if bundle:
        variables["certificate_ca_bundle"] = str(bundle)
    outcome = run.ansible.run("export-certificate.yml", variables)
    if not outcome.ok:
        log = run.project.shown(playbooks.log(run, "export-certificate.yml"))
        raise ansible.failed("export-certificate.yml", outcome, log)
    _explain(run, user, folder)
    return DONE


def _explain(run: Run, user: str, folder: Path) -> None:
    """Which files there are now, and what to do with them."""
    p12, ca = folder / f"{user}.p12", folder / "ca.pem"
    names = {"p12": p12, "password": folder / f"{user}.password", "ca": ca, "url": run.platform["urls"]["nifi"]}
    names["cacert"] = f"--cacert {ca} " if ca.exists() else ""
    present = sorted(path.name for path in folder.iterdir() if path.is_file())
    run.progress.line(f"{folder}: {', '.join(present)}")
    if p12.exists():
        run.progress.line(LOGIN.format(**names))
    else:
        run.progress.line("\nThe key never left the user: put it together with the certificate, and import both:")
        run.progress.line(f"openssl pkcs12 -export -inkey {user}.key -in {folder / user}.pem -out {user}.p12")
    if ca.exists():
        run.progress.line(TRUST.format(**names))
    run.progress.line(f"\nThen open {names['url']}")
    if fleets.has_airflow(run.platform):
        run.progress.line(f"       or {run.platform['urls']['airflow']}")
