"""Stage 5: what was issued becomes what cert-requests/ENV says: issue, renew, revoke."""

from __future__ import annotations

from driver import playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    path = run.folder / "certificates.json"
    playbooks.play(run, "issue-certificates.yml", {"certificates_report": str(path)})
    found = playbooks.report(path)
    run.record.users = found.get("users", [])
    for action in ("issued", "renewed", "revoked"):
        run.record.certificates[action] = [_name(item) for item in found.get(action, [])]
    done = [f"{len(run.record.certificates[action])} {action}" for action in ("issued", "renewed", "revoked")]
    stage.detail = f"{len(run.record.users)} users: " + ", ".join(done)


def _name(item: object) -> str:
    """The user of an entry, whether the playbook reports names or objects."""
    return str(item.get("user")) if isinstance(item, dict) else str(item)
