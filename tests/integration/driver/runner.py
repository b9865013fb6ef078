"""The driver as somebody runs it, on a checkout and an account of a test."""

from __future__ import annotations

import json

from driver import cli
from driver.project import Project
from tests.integration.driver.emulated import Emulated

ACCOUNT, PROD = "111122223333", "777788889999"
INFRASTRUCTURE = ("--only", "infrastructure")


class Runner:
    """The driver on one checkout and one account."""

    def __init__(self, project: Project, account: Emulated, capsys) -> None:
        self.project, self.account, self.capsys = project, account, capsys

    def __call__(self, *arguments: str, expect: int = 0, env: str = "dev") -> str:
        self.capsys.readouterr()
        code = cli.entry(["--env", env, *arguments], self.project.root, self.account)
        said = self.capsys.readouterr()
        text = said.out + said.err
        assert code == expect, text
        return text

    def record(self) -> dict:
        return json.loads((self.project.runs("dev") / "latest" / "record.json").read_text())

    def s3(self, account_id: str = ACCOUNT):
        return self.account.client("s3", account_id)

    def buckets(self, account_id: str = ACCOUNT) -> list[str]:
        return [entry["Name"] for entry in self.s3(account_id).list_buckets()["Buckets"]]
