"""What stands in terraform.tfvars reads as Terraform reads it, and everything else names its line."""

from __future__ import annotations

import pytest

from driver import tftypes, tfvars


def read(tmp_path, text):
    path = tmp_path / "terraform.tfvars"
    path.write_text(text)
    return tfvars.load(path, "terraform.tfvars")


def test_all_kinds_of_values(tmp_path):
    document = read(
        tmp_path,
        """# comment
name = "a \\"b\\" \\u00e9"   // another
number = -1.5e2
yes = true
none = null
list = ["a",
  1,  # inside
]
nested = {
  "quoted key" = [{ a = 1, b : 2 }]
  plain = "x"
}
/* over
lines */ last = "$${kept}"
""",
    )
    assert document.value == {
        "name": 'a "b" é',
        "number": -150.0,
        "yes": True,
        "none": None,
        "list": ["a", 1],
        "nested": {"quoted key": [{"a": 1, "b": 2}], "plain": "x"},
        "last": "${kept}",
    }
    assert [document.where(name) for name in ("name", "nested", "last")] == [
        f"terraform.tfvars:{n}" for n in (2, 9, 14)
    ]
    assert document.where("list", 1) == "terraform.tfvars:7"
    assert document.where("nested", "quoted key", 0, "b") == "terraform.tfvars:10"
    assert document.where("nested", "plain") == "terraform.tfvars:11"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a = 1\nb = lower(x)\n", "terraform.tfvars:2:", "can't read"),
        ('a = "${b}"\n', "terraform.tfvars:1:", "template"),
        ("a = 1\na = 2\n", "terraform.tfvars:2:", "set twice"),
        ("a = [1 2]\n", "terraform.tfvars:1:", "expected ,"),
        ("a 1\n", "terraform.tfvars:1:", "expected ="),
        ("a = 1 b = 2\n", "terraform.tfvars:1:", "follows"),
        ("\n\na = @\n", "terraform.tfvars:3:", "can't read"),
        ("a = {\n b = 1\n", "terraform.tfvars:3:", "end of the file"),
        ("a = [\n", "terraform.tfvars:2:", "end of the file"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, where, what):
    with pytest.raises(tfvars.TfvarsError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(where)
    assert what in str(error.value)


def test_the_examples_of_the_project_can_be_read(project):
    for env in ("dev", "ppd", "prod"):
        folder = project / "terraform" / "environments" / env
        for name in ("terraform.tfvars.example", "sizing.auto.tfvars"):
            values = tfvars.load(folder / name).value
            assert values.keys() <= tftypes.declared(folder).keys()
