"""The emulated account's S3, reached through a door that a test can close."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-central-1"


class Door:
    """Forwards TCP connections. While it is closed, connections are refused and those that were open are cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target, self._open, self._ends = target, True, set[socket.socket]()
        self._listening = self._listen(0)
        self.port = int(self._listening.getsockname()[1])
        self._serve()

    def close(self) -> None:
        # shutdown wakes the thread in accept; close alone would not
        self._open = False
        for end in [self._listening, *self._ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def open(self) -> None:
        self._open = True
        self._listening = self._listen(self.port)
        self._serve()

    @staticmethod
    def _listen(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), backlog=64)

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                near, _ = listening.accept()
                far = socket.create_connection(self._target)
                self._ends |= {near, far}
                if not self._open:  # closed meanwhile, perhaps before it knew of these
                    near.close(), far.close()
                    return
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            self._ends.discard(end)


class Storage:
    """S3 of an emulated account: directly for the test, through the door for the flow."""

    def __init__(self, endpoint: str) -> None:
        host, port = endpoint.removeprefix("http://").split(":")
        self.door = Door((host, int(port)))
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.door.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.s3: Any = boto3.client(
            "s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def make(self, bucket: str) -> None:
        self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def read(self, bucket: str, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@contextlib.contextmanager
def emulated() -> Iterator[Storage]:
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            storage = Storage(found[0])
            yield storage
            storage.door.close()
        finally:
            process.terminate()
