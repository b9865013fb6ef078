"""One host: a podman container with systemd that has an instance's name, address, user data and environment."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.accounts import API_PORT
from rehearsal.hosts import firewall, image, network
from rehearsal.hosts.model import Instance, Vpc
from rehearsal.hosts.podman import Podman, PodmanError
from rehearsal.processes import Identity, write_text

LABEL = "rehearsal.instance"


@dataclass(frozen=True)
class Running:
    """A container as podman knows it; `process` is its systemd, None when it is stopped."""

    instance_id: str
    process: Identity | None


class Containers:
    """The hosts' containers.

    `folder` keeps a small folder for each, `public_key` is the line that may log in, and hosts trust `web_ca`.
    """

    def __init__(self, podman: Podman, folder: Path, public_key: str, web_ca: str) -> None:
        self._podman = podman
        self._folder = folder
        self._public_key = public_key
        self._web_ca = web_ca

    def all(self) -> dict[str, Running]:
        """Instance id → container."""
        listed = self._podman.json("ps", "--all", "--filter", f"label={LABEL}", "--format", "json") or []
        found = {}
        for item in listed:
            instance_id = item["Labels"][LABEL]
            process = Identity.of(int(item["Pid"])) if item.get("State") == "running" and item.get("Pid") else None
            found[instance_id] = Running(instance_id, process)
        return found

    def create(self, instance: Instance, vpc: Vpc, user_data: str) -> None:
        """Make an instance's container, not running yet."""
        folder = self._folder / instance.instance_id
        write_text(folder / "resolv.conf", _resolver(vpc, instance), 0o644)
        self._podman("rm", "--force", "--time", "0", "--ignore", instance.container)
        self._podman(
            "create",
            *("--name", instance.container),
            *("--label", f"{LABEL}={instance.instance_id}", "--label", f"rehearsal.account={instance.account_id}"),
            *("--hostname", instance.name or instance.instance_id),
            *("--network", "none", "--no-hosts"),
            # without SYS_ADMIN the sandboxing of units is silently left out; more than that nobody gets
            *("--systemd", "always", "--cap-add", "SYS_ADMIN"),
            *("--volume", f"{folder / 'resolv.conf'}:/etc/resolv.conf"),
            image.name(),
        )
        files = host_files(instance, vpc, user_data, self._public_key, self._web_ca)
        self._podman("cp", "-", f"{instance.container}:/", input_bytes=image.archive(files))

    def start(self, instance: Instance, vpc: Vpc, script: str) -> Identity:
        """Start an instance's container; its network and packet filter are there before its systemd runs.

        Returns systemd's identity.
        """
        self._podman("init", instance.container)
        described = self._podman.json("inspect", "--format", "{{json .State}}", instance.container)
        pid = int(described["Pid"])
        network.attach(instance.instance_id, pid, vpc, instance.address, instance.mac)
        firewall.apply(pid, script)
        self._podman("start", instance.container)
        found = Identity.of(pid)
        if found is None:
            raise PodmanError(f"{instance.container} ended as soon as it was started")
        return found

    def stop(self, instance_id: str, container: str) -> None:
        """Shut a host down; its disk stays."""
        self._podman("stop", "--time", "10", container, check=False, timeout=40)
        network.remove_link(network.cable_name(instance_id))

    def remove(self, instance_id: str, container: str) -> None:
        """End a host at once, with everything on it; no matter if it is gone."""
        self._podman("rm", "--force", "--volumes", "--time", "1", "--ignore", container)
        network.remove_link(network.cable_name(instance_id))
        folder = self._folder / instance_id
        for path in folder.glob("*"):
            path.unlink()
        if folder.exists():
            folder.rmdir()


def host_files(
    instance: Instance, vpc: Vpc, user_data: str, public_key: str, web_ca: str
) -> dict[str, tuple[int, bytes]]:
    """What differs from host to host: path → (mode, content).

    `user_data` is base64, as EC2 keeps it; `web_ca` the PEM of the CA that signs what balancers show.
    """
    api = f"http://{vpc.gateway}:{API_PORT}"
    name = instance.name or instance.instance_id
    metadata = {"instance-id": instance.instance_id, "local-hostname": name}
    texts: Mapping[str, str] = {
        "etc/environment": f"AWS_ENDPOINT_URL={api}\n",
        "etc/systemd/system.conf.d/10-account.conf": f"[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL={api}\n",
        "etc/ssh/sshd_config.d/20-account.conf": f"SetEnv AWS_ENDPOINT_URL={api}\n",
        "etc/ssh/authorized_keys.d/admin": public_key.strip() + "\n",
        "usr/local/share/ca-certificates/rehearsal-web-ca.crt": web_ca,
        "etc/hosts": f"127.0.0.1 localhost\n{instance.address} {name} {name.split('.')[0]}\n",
        "etc/apt/apt.conf.d/80-proxy": f'Acquire::http::Proxy "http://{vpc.gateway}:{firewall.PROXY_PORT}";\n',
        "var/lib/cloud/seed/nocloud/meta-data": json.dumps(metadata) + "\n",
    }
    files = {path: (0o644, text.encode()) for path, text in texts.items()}
    # sudo reads no /etc/environment of its own accord
    files["etc/sudoers.d/91-account"] = (0o440, b"Defaults env_file=/etc/environment\n")
    files["var/lib/cloud/seed/nocloud/user-data"] = (0o600, base64.b64decode(user_data))
    return files


def _resolver(vpc: Vpc, instance: Instance) -> str:
    search = instance.name.partition(".")[2]
    return f"nameserver {vpc.gateway}\n" + (f"search {search}\n" if search else "")
