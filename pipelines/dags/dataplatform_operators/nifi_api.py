"""The few calls of NiFi's REST API that starting and stopping a process group takes."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 30


class NiFiError(RuntimeError):
    """NiFi could not be asked, or said no."""


class NiFi:
    """One NiFi, by way of its load balancer."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._api = f"{url.rstrip('/')}/nifi-api"
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))

    def group(self, name: str) -> dict[str, Any]:
        """The process group of this name below the root. :raises NiFiError: there is none, or more than one"""
        found = self._call("GET", "/process-groups/root/process-groups")["processGroups"]
        groups = [group for group in found if group["component"]["name"] == name]
        if len(groups) != 1:
            raise NiFiError(f"NiFi has {len(groups)} process groups named {name}; deploy-pipelines.yml makes one")
        return dict(groups[0])

    def set_state(self, group: str, state: str) -> None:
        """RUNNING or STOPPED, for all its components."""
        self._call("PUT", f"/flow/process-groups/{group}", {"id": group, "state": state})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 # the URL is the platform's own, https
            self._api + path, data=content, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace").strip()[:300]
            raise NiFiError(f"{method} {path}: NiFi answers {error.code}: {text}") from error
        except OSError as error:
            raise NiFiError(f"{self._api} does not answer: {error}") from error
