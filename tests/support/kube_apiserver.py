"""A real API server of Kubernetes over a real etcd, for one test module: see .ci/servers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROGRAMS = {name: shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("kube-apiserver", "etcd")}
missing = [name for name, path in PROGRAMS.items() if path is None]
needs_kubernetes = pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}: see .ci/servers")
CRDS = Path(PROGRAMS["kube-apiserver"] or "").parent.parent / "crds"
needs_definitions = pytest.mark.skipif(
    bool(missing) or not (CRDS / "complete").is_file(), reason="no definitions of custom resources: see .ci/servers"
)
TOKEN = "for-the-tests"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class ApiServer:
    """What `kubectl` would ask, by its own paths."""

    def __init__(self, port: int) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def ask(self, method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of an answer."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
                text = answer.read().decode()
                return answer.status, json.loads(text) if text[:1] in "{[" else text
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return error.code, json.loads(text) if text[:1] == "{" else text

    def define(self, folder: Path) -> set[str]:
        """Install the CustomResourceDefinitions of a folder, and wait until all are served; their groups."""
        made: dict[str, str] = {}
        for path in sorted(folder.glob("*.yaml")):
            for document in yaml.load_all(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
                if not document or document["kind"] != "CustomResourceDefinition":
                    continue
                status, answer = self.ask("POST", _DEFINITIONS, document)
                assert status in (201, 409), (path.name, answer)
                made[document["metadata"]["name"]] = document["spec"]["group"]
        deadline = time.monotonic() + 120
        waiting = set(made)
        while waiting:
            served = {
                item["metadata"]["name"]
                for item in self.ask("GET", _DEFINITIONS)[1]["items"]
                if any(
                    condition["type"] == "Established" and condition["status"] == "True"
                    for condition in item["status"].get("conditions") or ()
                )
            }
            waiting -= served
            assert time.monotonic() < deadline, waiting
            time.sleep(0.5)
        return set(made.values())

    def where(self, api_version: str, kind: str) -> tuple[str, bool] | None:
        """The plural of a kind, and whether it is namespaced; None: the server does not know it."""
        if (api_version, kind) not in self.resources:
            base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            status, found = self.ask("GET", base)
            for one in found["resources"] if status == 200 else ():
                if "/" not in one["name"]:
                    self.resources[api_version, one["kind"]] = (one["name"], one["namespaced"])
        return self.resources.get((api_version, kind))

    def refusal(self, text: str) -> str | None:
        """What the server says against a manifest (``kubectl apply --server-side --dry-run=server``); None: nothing.
        Unknown fields are refused too."""
        document = yaml.safe_load(text)
        place = self.where(document["apiVersion"], document["kind"])
        if place is None:
            return f"no such kind: {document['apiVersion']} {document['kind']}"
        plural, namespaced = place
        base = f"/apis/{document['apiVersion']}" if "/" in document["apiVersion"] else f"/api/{document['apiVersion']}"
        space = f"/namespaces/{document['metadata'].get('namespace', 'default')}" if namespaced else ""
        path = f"{base}{space}/{plural}/{document['metadata']['name']}"
        options = "?dryRun=All&fieldManager=agw&fieldValidation=Strict&force=true"
        status, answer = self.ask("PATCH", path + options, text, "application/apply-patch+yaml")
        return (
            None
            if status in (200, 201)
            else f"{status} {answer.get('message') if isinstance(answer, dict) else answer}"
        )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """A server that takes one token; it ends with the block, and etcd with it."""
    store, peer, port = _free_ports(3)
    key = rsa.generate_private_key(65537, 2048)
    (folder / "account.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    (folder / "tokens.csv").write_text(f'{TOKEN},tester,1,"system:masters"\n')
    etcd = [
        PROGRAMS["etcd"], f"--data-dir={folder / 'etcd'}", f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}", f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    server = [
        PROGRAMS["kube-apiserver"], f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}",
        "--bind-address=127.0.0.1", f"--cert-dir={folder / 'certs'}", f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'account.key'}", "--authorization-mode=AlwaysAllow",
        f"--service-account-signing-key-file={folder / 'account.key'}", "--disable-admission-plugins=ServiceAccount",
    ]  # fmt: skip
    with ExitStack() as running:
        for name, command in (("etcd", etcd), ("server", server)):
            log = running.enter_context((folder / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )
            running.callback(process.wait, 30)
            running.callback(process.kill)
        made, deadline = ApiServer(port), time.monotonic() + 90
        while True:
            try:
                ready = made.ask("GET", "/readyz")[0] == 200 and made.ask("GET", "/api/v1/namespaces/default")[0] == 200
            except OSError:
                ready = False
            if ready:
                break
            assert time.monotonic() < deadline, (folder / "server.log").read_text(errors="replace")[-2000:]
            time.sleep(0.2)
        yield made
