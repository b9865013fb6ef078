"""The record of a run: complete, self-contained, and harmless whatever a name contains."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from driver import record
from driver.process import Processes


@pytest.fixture
def made(tmp_path):
    made = record.Record("dev", "apply", "rehearsal", "run")
    made.facts.update(account_id="111122223333", plan_sha256="ab" * 32, commit="c0ffee", modified=True)
    timer = made.stage("infrastructure")
    timer.end("done", "3 created")
    made.stage("verification").end("failed", "1 failed")
    made.change("infrastructure", 'aws_s3_bucket.this["<script>"]', "create")
    made.checks = [
        {
            "name": "refused:lapsed", "subject": "CN=x", "expected": "refused", "observed": "<b>let in</b>",
            "status": "failed", "detail": "", "seconds": 1,
        }
    ]  # fmt: skip
    made.users = [
        {"user": "alice", "dn": "CN=alice,OU=DataEng,O=Platform", "role": "engineer", "serial": "1f", "expires": "2027"}
    ]
    made.versions = {"terraform": "1.11.4"}
    made.failure = "1 check failed"
    return made


def test_both_forms_are_written_and_latest_points_to_them(made, tmp_path):
    first, second = tmp_path / "20260101", tmp_path / "20260102"
    for folder in (first, second):
        folder.mkdir()
        made.write(folder, 1)
    assert (tmp_path / "latest").resolve() == second
    document = json.loads((tmp_path / "latest" / "record.json").read_text())
    assert document["exit_code"] == 1
    assert document["changes"]["terraform"] == {"create": 0, "update": 0, "delete": 0, "replace": 0}
    assert document["changes"]["ansible"] == 0
    assert [(stage["name"], stage["status"]) for stage in document["stages"]] == [
        ("infrastructure", "done"),
        ("verification", "failed"),
    ]
    assert document["users"][0]["serial"] == "1f"
    assert (second / "record.json").stat().st_mode & 0o777 == 0o600


def test_the_page_shows_it_all_and_loads_nothing(made, tmp_path):
    page = made.write(tmp_path, 1).read_text()
    for word in (
        "alice",
        "engineer",
        "refused:lapsed",
        "c0ffee",
        "with local changes",
        "1.11.4",
        "3 created",
        "<svg",
        "<rect",
    ):
        assert word in page
    assert not re.search(r"""(src|href)\s*=|@import|url\(""", page)


def test_names_are_text_not_markup(made, tmp_path):
    page = made.write(tmp_path, 1).read_text()
    assert "<script>" not in page
    assert "<b>let in" not in page


def test_what_differs_from_the_commit_is_told_apart(tmp_path):
    """An approved plan is applied with the files that it was made with, new ones included."""

    def facts():
        return record.commit(Processes({}).capture, tmp_path)

    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    assert facts() == {"commit": None, "modified": None, "differences": None}
    (tmp_path / "access.yml").write_text("one\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "one")
    (tmp_path / "ignored").touch()
    clean = facts()
    assert (len(clean["commit"]), clean["modified"], clean["differences"]) == (40, False, None)
    seen = set()
    for path, text in (("access.yml", "two\n"), ("access.yml", "three\n"), ("eve.yaml", "a\n"), ("eve.yaml", "b\n")):
        (tmp_path / path).write_text(text)
        assert facts()["modified"] is True
        seen.add(facts()["differences"])
    assert len(seen) == 4
    git("checkout", "--quiet", "access.yml")
    assert record.commit(Processes({}).capture, tmp_path, without=[tmp_path / "eve.yaml"]) == clean


def test_old_runs_go(tmp_path):
    for day in range(1, 6):
        (tmp_path / f"2026010{day}").mkdir()
    (tmp_path / "latest").symlink_to("20260105")
    record.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["20260104", "20260105", "latest"]


def test_failed_looks_and_runs_at_work_cost_no_record(tmp_path):
    for day in range(1, 10):
        (tmp_path / f"2026010{day}").mkdir()
    for name in ("20260101", "20260102", "20260103"):
        (tmp_path / name / "record.json").write_text("{}")
    with record.alive(tmp_path / "20260104"):
        record.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("20260102", "20260103"),  # the newest with a record
        "20260104",  # goes on
        *("20260108", "20260109"),
    ]


def test_what_a_killed_run_left_is_removed_and_what_is_at_work_stays(tmp_path):
    dead, living = tmp_path / "20260101", tmp_path / "20260102"
    for folder in (dead, living):
        (folder / "ansible-site-1" / "artifacts").mkdir(parents=True)
        (folder / "ansible-site-1.json").write_text("{}")
        (folder / "apply.tfplan").write_text("plan")
        (folder / "record.json").write_text("{}")
    (tmp_path / "latest").symlink_to("20260102")
    with record.alive(living):
        record.clean_after_kills(tmp_path)
    assert [path.name for path in dead.iterdir()] == ["record.json"]
    assert len(list(living.iterdir())) == 4
    record.clean_after_kills(tmp_path)
    assert [path.name for path in living.iterdir()] == ["record.json"]
