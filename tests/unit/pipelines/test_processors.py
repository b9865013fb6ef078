"""NiFi's Python processors, with stand-ins for NiFi and S3. test_flows_on_nifi.py runs them in a real NiFi."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import importlib
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

LAKE = Path(__file__).resolve().parents[3] / "pipelines" / "processors" / "lake"
ARRIVED = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def refusal(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "call")


class S3:
    """One bucket's worth of S3: conditional writes, checksums, copies."""

    class exceptions:
        ClientError = ClientError

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}
        self.calls: list[str] = []
        self.broken: Exception | None = None

    def put_object(self, **given: Any) -> None:
        self._call("put_object")
        assert given["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(given["Body"]).digest()).decode()
        if given["IfNoneMatch"] == "*" and (given["Bucket"], given["Key"]) in self.objects:
            raise refusal("PreconditionFailed", 412)
        self.objects[given["Bucket"], given["Key"]] = (given["Body"], given["Metadata"])

    def upload_file(self, path: str, bucket: str, key: str, ExtraArgs: Any, Config: Any) -> None:
        self._call("upload_file")
        assert (ExtraArgs["ChecksumAlgorithm"], Config.multipart_threshold) == ("SHA256", 16 << 20)
        self.objects[bucket, key] = (Path(path).read_bytes(), ExtraArgs["Metadata"])

    def copy(self, source: dict[str, str], bucket: str, key: str, ExtraArgs: Any, Config: Any) -> None:
        self._call("copy")
        self.objects[bucket, key] = (self.objects[source["Bucket"], source["Key"]][0], ExtraArgs["Metadata"])

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self._call("head_object")
        if (Bucket, Key) not in self.objects:
            raise refusal("404", 404)
        return {"Metadata": self.objects[Bucket, Key][1]}

    def get_object(self, Bucket: str, Key: str, IfMatch: str) -> dict[str, Any]:
        self._call("get_object")
        body = self.objects[Bucket, Key][0]
        if IfMatch != f'"{etag(body)}"':
            raise refusal("PreconditionFailed", 412)
        return {"Body": types.SimpleNamespace(read=lambda: body)}

    def get_paginator(self, _operation: str) -> S3:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        self._call("list_objects_v2")
        entries = [
            {"Key": key, "Size": len(body), "ETag": f'"{etag(body)}"', "LastModified": ARRIVED}
            for (bucket, key), (body, _) in sorted(self.objects.items())
            if bucket == Bucket and key.startswith(Prefix)
        ]
        return [{"Contents": entries}]

    def close(self) -> None:
        pass

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.broken:
            raise self.broken


def etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class Value:
    def __init__(self, value: str | None) -> None:
        self.value = value

    def evaluateAttributeExpressions(self, flowfile: Any = None) -> Value:
        if flowfile is not None and self.value == "${lake.key}":
            return Value(flowfile.attributes.get("lake.key"))
        return self

    def getValue(self) -> str | None:
        return self.value


class Context:
    def __init__(self, **values: str) -> None:
        self.values = values

    def getProperty(self, descriptor: Any) -> Value:
        return Value(self.values.get(descriptor.name.replace(" ", "_"), descriptor.default_value))


class FlowFile:
    def __init__(self, content: bytes | None, **attributes: str) -> None:
        self.content = content
        self.attributes = {name.replace("_", "."): value for name, value in attributes.items()}

    def getAttribute(self, name: str) -> str | None:
        return self.attributes.get(name)

    def getContentsAsBytes(self) -> bytes:
        assert self.content is not None, "content of this size does not cross into Python"
        return self.content


@pytest.fixture
def nifi(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The processors' modules, as NiFi loads them, and an S3."""

    class Keeps:
        def __init__(self, *positional: Any, **named: Any) -> None:
            self.__dict__.update({"default_value": None, **named})
            self.positional = positional

    result = types.SimpleNamespace

    def outcome(relationship: str, attributes: Any = None, contents: Any = None) -> Any:
        return result(relationship=relationship, attributes=attributes, contents=contents)

    base = type("Base", (), {"logger": types.SimpleNamespace(warn=lambda _text: None)})
    anything = type("Anything", (type,), {"__getattr__": lambda _self, name: name})("Any", (), {})
    for module, names in {
        "flowfiletransform": {"FlowFileTransform": base, "FlowFileTransformResult": outcome},
        "flowfilesource": {"FlowFileSource": base, "FlowFileSourceResult": outcome},
        "properties": {
            "PropertyDescriptor": Keeps,
            "ExpressionLanguageScope": anything,
            "StandardValidators": anything,
        },
        "relationship": {"Relationship": lambda name, _description: name},
    }.items():
        made = types.ModuleType(f"nifiapi.{module}")
        made.__dict__.update(names)
        monkeypatch.setitem(sys.modules, f"nifiapi.{module}", made)
    monkeypatch.setitem(sys.modules, "nifiapi", types.ModuleType("nifiapi"))
    monkeypatch.syspath_prepend(str(LAKE))
    for name in ("lake_objects", "PutLakeObject", "FetchLanding"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    objects = importlib.import_module("lake_objects")
    s3 = S3()
    monkeypatch.setattr(objects, "client", lambda: s3)
    put, fetch = importlib.import_module("PutLakeObject").PutLakeObject(), importlib.import_module("FetchLanding")
    put.onScheduled(Context())
    monkeypatch.setattr(fetch, "IDLE_SECONDS", 0)
    return types.SimpleNamespace(s3=s3, objects=objects, put=put, fetch=fetch)


def put(nifi: Any, flowfile: FlowFile, **values: str) -> Any:
    return nifi.put.transform(Context(Bucket="bronze", **values), flowfile)


def test_a_second_attempt_finds_what_the_first_wrote(nifi: Any) -> None:
    flowfile = FlowFile(b"1,2\n", lake_key="flights/ingest_date=2013-01-01/a.csv")
    first, second = put(nifi, flowfile), put(nifi, flowfile)
    assert (first.relationship, first.attributes["lake.outcome"]) == ("success", "created")
    assert (second.relationship, second.attributes["lake.outcome"]) == ("success", "present")
    assert len(nifi.s3.objects) == 1


@pytest.mark.parametrize("key", ["", "../x", "a//b", "/a", "a b", "a/../b"])
def test_what_cannot_succeed_is_rejected_with_the_reason(nifi: Any, key: str) -> None:
    result = put(nifi, FlowFile(b"1", lake_key=key))
    assert result.relationship == "rejected"
    assert "object key" in result.attributes["lake.error"]
    assert nifi.s3.calls == []


def test_other_content_is_never_overwritten(nifi: Any) -> None:
    put(nifi, FlowFile(b"1", lake_key="flights/a"))
    result = put(nifi, FlowFile(b"2", lake_key="flights/a"))
    assert (result.relationship, result.attributes["lake.error"]) == (
        "rejected",
        "s3://bronze/flights/a holds other content",
    )
    assert nifi.s3.objects["bronze", "flights/a"][0] == b"1"


@pytest.mark.parametrize("error", [refusal("AccessDenied", 403), refusal("NoSuchBucket", 404), OSError("gone")])
def test_what_may_succeed_later_is_left_to_the_flow(nifi: Any, error: Exception) -> None:
    nifi.s3.broken = error
    with pytest.raises(type(error)):  # NiFi routes it to failure
        put(nifi, FlowFile(b"1", lake_key="flights/a"))


def test_large_content_goes_up_from_disk_and_the_spool_is_emptied(nifi: Any, tmp_path: Path) -> None:
    (tmp_path / "u1").write_bytes(b"large")
    flowfile = FlowFile(None, lake_key="flights/a", lake_spool="u1")
    result = put(nifi, flowfile, Spool_Folder=str(tmp_path))
    assert (result.relationship, result.attributes["lake.outcome"]) == ("success", "created")
    assert nifi.s3.calls[-1] == "upload_file"
    assert list(tmp_path.iterdir()) == []
    # killed after the removal: the FlowFile comes again, and its content is still there
    again = put(nifi, FlowFile(b"large", lake_key="flights/a", lake_spool="u1"), Spool_Folder=str(tmp_path))
    assert again.attributes["lake.outcome"] == "present"
    # killed before the removal
    (tmp_path / "u1").write_bytes(b"large")
    assert put(nifi, flowfile, Spool_Folder=str(tmp_path)).attributes["lake.outcome"] == "present"


def test_a_spool_name_leads_nowhere_else(nifi: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "spool").mkdir()
    put(nifi, FlowFile(b"1", lake_key="flights/a", lake_spool="../secret"), Spool_Folder=str(tmp_path / "spool"))
    assert (tmp_path / "secret").exists()
    assert nifi.s3.objects["bronze", "flights/a"][0] == b"1"


def source(nifi: Any) -> Any:
    one = nifi.fetch.FetchLanding()
    values = {
        "Landing_Bucket": "in",
        "Landing_Prefix": "landing/",
        "Bronze_Bucket": "bronze",
        "Bronze_Prefix": "flights",
    }
    one.onScheduled(Context(**values))
    return one


def land(nifi: Any, name: str, content: bytes) -> None:
    nifi.s3.objects["in", f"landing/{name}"] = (content, {})


def taken(one: Any) -> list[Any]:
    """What it creates until it has nothing."""
    found = []
    while (result := one.create(None)) is not None:
        found.append(result)
    return found


def look_again(one: Any, monkeypatch: pytest.MonkeyPatch, nifi: Any, seconds: float) -> None:
    now = nifi.fetch.time.monotonic() + seconds
    monkeypatch.setattr(nifi.fetch, "time", types.SimpleNamespace(monotonic=lambda: now, sleep=time.sleep))


def test_what_has_landed_is_fetched_until_it_is_in_bronze(nifi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    land(nifi, "2013-01-01.csv", b"a")
    land(nifi, "flights.csv", b"b")
    one = source(nifi)
    first = taken(one)
    keys = [result.attributes["lake.key"] for result in first]
    # the day of the name, else the day it came
    assert keys[0] == f"flights/ingest_date=2013-01-01/batch-2013-01-01-{etag(b'a')[:12]}.csv"
    assert keys[1].startswith("flights/ingest_date=2026-03-01/batch-flights-")
    assert [result.contents for result in first] == [b"a", b"b"]
    # the first reaches bronze; the second is on its way for a while, then it is fetched again
    put(nifi, FlowFile(b"a", lake_key=keys[0]))
    look_again(one, monkeypatch, nifi, 60)
    assert taken(one) == []
    look_again(one, monkeypatch, nifi, 700)
    assert [result.attributes["lake.key"] for result in taken(one)] == keys[1:]
    # a restart forgets everything, and bronze knows
    assert [result.attributes["lake.key"] for result in taken(source(nifi))] == keys[1:]


def test_a_corrected_file_is_another_one(nifi: Any) -> None:
    land(nifi, "2013-01-01.csv", b"a")
    (first,) = taken(source(nifi))
    put(nifi, FlowFile(b"a", lake_key=first.attributes["lake.key"]))
    land(nifi, "2013-01-01.csv", b"corrected")
    (second,) = taken(source(nifi))
    assert second.attributes["lake.key"] != first.attributes["lake.key"]


def test_large_files_are_copied_by_the_store(nifi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nifi.objects, "LARGE", 3)
    land(nifi, "2013-01-01.csv", b"large")
    (result,) = taken(source(nifi))
    assert (result.contents, result.attributes["landing.copy"]) == (None, "true")
    flowfile = FlowFile(None)
    flowfile.attributes = dict(result.attributes)
    assert put(nifi, flowfile).attributes["lake.outcome"] == "created"
    assert put(nifi, flowfile).attributes["lake.outcome"] == "present"
    assert nifi.s3.objects["bronze", result.attributes["lake.key"]][0] == b"large"


def test_storage_that_is_away_is_asked_once_in_a_while(nifi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one = source(nifi)
    nifi.s3.broken = OSError("away")
    with pytest.raises(OSError, match="away"):
        one.create(None)
    assert one.create(None) is None
    assert nifi.s3.calls == ["list_objects_v2"]
    nifi.s3.broken = None
    land(nifi, "2013-01-01.csv", b"a")
    look_again(one, monkeypatch, nifi, 6)
    assert len(taken(one)) == 1
