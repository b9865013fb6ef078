# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""managed_files as Ansible runs it: arguments in, folders, files and results out."""

from __future__ import annotations

import grp
import json
import os
import pwd
import stat
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.aws.plugins.modules import managed_files

OWN = {"owner": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}


@pytest.fixture
def run(capsys):
    """Run the module; returns its result."""

    def run(check: bool = False, **arguments):
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit):
            managed_files.main()
        return json.loads(capsys.readouterr().out)

    return run


def entries(folder: Path, content: str = "one\n", **more) -> dict:
    return {
        "directories": [{"path": str(folder / "etc"), "mode": "0750", **OWN}],
        "files": [{"path": str(folder / "etc" / "settings"), "content": content, "mode": "0640", **OWN, **more}],
    }


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_made_once(run, tmp_path) -> None:
    result = run(**entries(tmp_path))
    path = tmp_path / "etc" / "settings"
    assert result["changed_paths"] == [str(tmp_path / "etc"), str(path)]
    assert (path.read_text(), mode(path), mode(tmp_path / "etc")) == ("one\n", 0o640, 0o750)
    again = run(**entries(tmp_path))
    assert (again["changed"], again["changed_paths"]) == (False, [])


def test_check_mode_foresees_and_writes_nothing(run, tmp_path) -> None:
    foreseen = run(check=True, **entries(tmp_path))
    assert foreseen["changed"]
    assert list(tmp_path.iterdir()) == []
    run(**entries(tmp_path))
    foreseen = run(check=True, **entries(tmp_path, "two\n"))
    assert (foreseen["diff"][0]["before"], foreseen["diff"][0]["after"]) == ("one\n", "two\n")
    assert (tmp_path / "etc" / "settings").read_text() == "one\n"


def test_only_the_mode_differs(run, tmp_path) -> None:
    run(**entries(tmp_path))
    (tmp_path / "etc").chmod(0o777)
    (tmp_path / "etc" / "settings").chmod(0o666)
    assert len(run(**entries(tmp_path))["changed_paths"]) == 2
    assert (mode(tmp_path / "etc"), mode(tmp_path / "etc" / "settings")) == (0o750, 0o640)


def test_a_file_written_once_is_left_to_others(run, tmp_path) -> None:
    run(**entries(tmp_path, once=True))
    (tmp_path / "etc" / "settings").write_text("theirs")
    assert not run(**entries(tmp_path, once=True))["changed"]
    assert (tmp_path / "etc" / "settings").read_text() == "theirs"


def test_links_are_not_followed(run, tmp_path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "etc").symlink_to(tmp_path / "elsewhere")
    assert "is no folder" in run(**entries(tmp_path))["msg"]
    (tmp_path / "etc").unlink()
    (tmp_path / "etc").mkdir()
    (tmp_path / "target").write_text("kept")
    (tmp_path / "etc" / "settings").symlink_to(tmp_path / "target")
    assert "symbolic link" in run(**entries(tmp_path))["msg"]
    assert (tmp_path / "target").read_text() == "kept"


def test_a_group_that_is_not_there_yet(run, tmp_path) -> None:
    arguments = entries(tmp_path)
    arguments["files"][0]["group"] = "no-such-group"
    assert run(check=True, **arguments)["changed"]
    assert "no-such-group" in run(**arguments)["msg"]


def test_the_parent_is_missing(run, tmp_path) -> None:
    arguments = entries(tmp_path)
    arguments["directories"] = []
    assert "cannot be written to" in run(**arguments)["msg"]
