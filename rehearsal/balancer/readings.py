"""Reads from the accounts what there is to balance, no more often than it may have changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rehearsal.balancer import certificates
from rehearsal.balancer.account import Account, Session
from rehearsal.balancer.model import Certificate, LoadBalancer, Network, TrustStore, World

READ_SECONDS = 2.0
"""How old an account's ELBv2 state may get; reading it costs some 25 calls for each load balancer."""
UNCHANGED_SECONDS = 30.0
"""The same where the account has served no call since that changes anything."""


@dataclass(frozen=True)
class Read:
    """An account's state as it was at `at` (monotonic seconds); `pems` are its ACM certificates by ARN.

    `calls` is how many changing calls the account had served, None where something else changed it.
    """

    at: float
    calls: int | None
    balancers: list[LoadBalancer]
    stores: dict[str, TrustStore]
    pems: dict[str, str]


class Readings:
    """What was read of each account. `problems` names what the last world could not serve."""

    def __init__(self, web_ca: Path) -> None:
        self.problems: list[str] = []
        self._web_ca = web_ca
        self._accounts: dict[str, Account] = {}
        self._certificates: dict[tuple[str, str], Certificate] = {}
        self._read: dict[str, Read] = {}

    def world(
        self,
        sessions: Mapping[str, Session],
        networks: tuple[Network, ...],
        account_port: int,
        calls: int | None,
    ) -> World:
        """All load balancers that have a network here, with the listeners that can be served.

        `calls`: how many changing calls the accounts' API has served, where that is known.
        """
        self.problems = []
        balancers: list[LoadBalancer] = []
        stores: dict[str, TrustStore] = {}
        served: dict[str, Certificate] = {}
        for account_id, session in sessions.items():
            account = self._accounts.setdefault(account_id, Account(account_id, session))
            read = self._current(account, calls)
            stores |= read.stores
            for balancer in read.balancers:
                if any(network.vpc_id == balancer.vpc_id for network in networks):
                    balancers.append(self._servable(balancer, read, served))
        return World(tuple(balancers), stores, served, networks, account_port)

    def account(self, balancer: LoadBalancer) -> Account:
        """The account to which a balancer of the last world belongs."""
        return self._accounts[balancer.account_id]

    def bucket_client(self, account_id: str) -> Any:
        """The account's S3."""
        return self._accounts[account_id].client("s3")

    def outdated(self, balancer: LoadBalancer) -> None:
        """Something was told to the balancer's account that its count of calls does not show."""
        self._read[balancer.account_id] = replace(self._read[balancer.account_id], calls=None)

    def _current(self, account: Account, calls: int | None) -> Read:
        known = self._read.get(account.account_id)
        unchanged = known and known.calls is not None and known.calls == calls
        if known and time.monotonic() - known.at < (UNCHANGED_SECONDS if unchanged else READ_SECONDS):
            return known
        found = account.balancers()
        listeners = [listener for balancer in found for listener in balancer.listeners]
        arns = {listener.mutual.trust_store_arn for listener in listeners}
        stores = {arn: account.trust_store(arn) for arn in sorted(arns) if arn}
        pems = {arn: account.certificate_pem(arn) for listener in listeners for arn in listener.certificates}
        read = Read(time.monotonic(), calls, found, stores, pems)
        self._read[account.account_id] = read
        return read

    def _servable(self, balancer: LoadBalancer, read: Read, served: dict[str, Certificate]) -> LoadBalancer:
        """`balancer` with the listeners that can be served; the others are named in `problems`."""
        ready = []
        for listener in balancer.listeners:
            missing = [arn for arn in listener.certificates if not self._load(arn, read.pems[arn], served)]
            where = f"listener {listener.port} of {balancer.name}"
            if listener.protocol == "HTTPS" and (missing or not listener.certificates):
                named = ", ".join(missing) or "(none set)"
                self.problems.append(
                    f"{where}: the key of certificate {named} was not made by rehearsal.balancer.certificates"
                )
            elif listener.mutual.mode == "verify" and listener.mutual.trust_store_arn not in read.stores:
                self.problems.append(f"{where}: it verifies clients, but names no trust store")
            else:
                ready.append(listener)
        return replace(balancer, listeners=tuple(ready))

    def _load(self, arn: str, pem: str, served: dict[str, Certificate]) -> bool:
        known = self._certificates.get((arn, pem))
        if known is None:
            known = certificates.servable(arn, pem, self._web_ca)
            if known is None:
                return False
            self._certificates[(arn, pem)] = known
        served[arn] = known
        return True
