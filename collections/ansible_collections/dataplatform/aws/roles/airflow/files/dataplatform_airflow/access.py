"""Who may do what: the ordered rules of access.yml, as the role wrote them to access.json."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn

PATH = "/etc/airflow/access.json"
log = logging.getLogger(__name__)


class Access:
    """Airflow's roles of a subject. The file is read again when it changes; one that can't be read lets nobody in."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] | None = None
        self._rules: list[dict[str, Any]] = []
        self._roles: dict[str, list[str]] = {}

    def roles(self, dn: str) -> tuple[str, ...]:
        """Names of the Airflow roles of a subject (any rendering of it), sorted; none for one that no rule knows."""
        with self._lock:
            self._refresh()
            try:
                role = _dn.match(_dn.parse(dn), self._rules)
            except _dn.DnError:
                return ()
            return tuple(sorted(set(self._roles.get(role, [])))) if role else ()

    def _refresh(self) -> None:
        try:
            found = os.stat(self._path)
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp == self._stamp:
                return
            with open(self._path, encoding="utf-8") as stream:
                content = json.load(stream)
            _dn.check_rules(content["rules"])
            self._rules, self._roles, self._stamp = content["rules"], content["roles"], stamp
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s cannot be used, nobody is let in: %s. Run the airflow role again.", self._path, error)
            self._rules, self._roles, self._stamp = [], {}, None


access = Access(os.environ.get("DATAPLATFORM_AIRFLOW_ACCESS", PATH))
