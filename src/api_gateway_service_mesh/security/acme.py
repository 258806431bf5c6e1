"""ACME (RFC 8555): certificates from a public authority or one of the house, names proved by HTTP-01
or TLS-ALPN-01.

A client of its own because the protocol is small: signed JSON over HTTPS, asked by the control process's loop. The
account key (EC P-256) lies in the authority's folder, readable by its owner only. Answers to the server's questions
are files under ``.challenges``, which every worker of every gateway that shares the folder serves (`proxy.acme`,
`acme_tls`).

DNS-01 is left out on purpose: it takes a credential that may rewrite a zone, towards an interface that each provider
of names has of its own. Who needs a wildcard has cert-manager or the like keep that credential, and names the files.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import CertificateAuthority, ChallengeType

from .acme_tls import answer_name, answer_pem
from .issued import IssuedPair, is_address, new_request, write_whole
from .secret import read_secret

__all__ = ["CHALLENGES", "TOKEN", "AcmeRefused", "obtain"]

CHALLENGES = ".challenges"
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ACCOUNT = "acme-account.pem"
_TYPE = "application/jose+json"
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_ANSWER_BYTES = 256 * 1024
_PATIENCE_SECONDS = 90.0
"""How long the server may take to check a name, or to sign."""
_NONCES = 12
"""How often a request is signed with a fresh nonce (RFC 8555 §6.5). One order takes a dozen requests, and a server that
forgets nonces forgets many at once: with a few tries only, an order would fail by chance."""


class AcmeRefused(AgwError):
    """The server said no. ``wait_seconds`` is its Retry-After."""

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    fields: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AgwError("the ACME server's answer is no JSON object")
        return found


async def obtain(authority: CertificateAuthority, names: Sequence[str]) -> IssuedPair:
    """A certificate for `names` with a fresh key.

    Raises:
        AcmeRefused: the server refuses, or cannot reach the answers to its questions.
        AgwError: the server cannot be reached or understood, or the folder cannot be written.
    """
    secure: ssl.SSLContext | bool = True
    if authority.server_trust_file is not None:
        secure = await asyncio.to_thread(ssl.create_default_context, cafile=authority.server_trust_file)
    key = await asyncio.to_thread(_account_key, authority)
    try:
        async with aiohttp.ClientSession(
            timeout=_TIMEOUT, connector=aiohttp.TCPConnector(ssl=secure), headers={"User-Agent": "agw"}
        ) as session:
            return await _Client(authority, session, key).obtain(names)
    except (aiohttp.ClientError, TimeoutError) as fault:
        raise AgwError(f"the ACME server at {authority.directory_url} does not answer: {_said(fault)}") from fault
    except (KeyError, TypeError) as fault:
        raise AgwError("the ACME server's answer lacks what RFC 8555 demands") from fault


class _Client:
    def __init__(
        self, authority: CertificateAuthority, session: aiohttp.ClientSession, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._authority = authority
        self._session = session
        self._key = key
        self._jwk = _jwk(key)
        self._directory: dict[str, Any] = {}
        self._nonce = ""
        self._account: str | None = None

    async def obtain(self, names: Sequence[str]) -> IssuedPair:
        self._directory = (await self._get(str(self._authority.directory_url))).json
        await self._register()
        asked = {"identifiers": [{"type": "ip" if is_address(name) else "dns", "value": name} for name in names]}
        answer = await self._post(self._directory["newOrder"], asked)
        place, order = answer.fields["Location"], answer.json
        for authorization in order["authorizations"]:
            await self._prove(authorization)
        order = await self._settled(place, ("pending",))
        key, request = await asyncio.to_thread(new_request, names)
        if order["status"] == "ready":
            await self._post(order["finalize"], {"csr": _base64(request)})
        order = await self._settled(place, ("pending", "ready", "processing"))
        if order["status"] != "valid":
            raise AcmeRefused(f"the ACME server did not sign: {_problem(order.get('error'))}")
        chain = await self._post(order["certificate"], None)
        return IssuedPair(chain.body, key)

    async def _register(self) -> None:
        """The account of the key, made when it is new (RFC 8555 §7.3)."""
        authority = self._authority
        url = self._directory["newAccount"]
        account: dict[str, Any] = {"termsOfServiceAgreed": authority.terms_agreed}
        if authority.contacts:
            account["contact"] = list(authority.contacts)
        if authority.account_key_id is not None and authority.account_mac_key_ref is not None:
            secret = _unbase64(read_secret(authority.account_mac_key_ref))
            account["externalAccountBinding"] = _bound(self._jwk, authority.account_key_id, secret, url)
        self._account = (await self._post(url, account)).fields["Location"]

    async def _prove(self, url: str) -> None:
        """Put the answer to the question about one name where the server looks for it (RFC 8555 §7.5.1)."""
        authorization = (await self._post(url, None)).json
        if authorization["status"] == "valid":
            return
        name = str(authorization["identifier"]["value"])
        kind = self._authority.challenge.value.replace("_", "-")
        challenge = next((each for each in authorization["challenges"] if each["type"] == kind.lower()), None)
        if challenge is None:
            raise AcmeRefused(f"the ACME server offers no {kind} for {name}")
        token = str(challenge["token"])
        if not TOKEN.fullmatch(token):
            raise AgwError("the ACME server's token is none")
        folder = Path(self._authority.folder) / CHALLENGES
        text = f"{token}.{_base64(hashlib.sha256(_canonical(self._jwk)).digest())}"
        if self._authority.challenge is ChallengeType.TLS_ALPN_01:
            place, answer = folder / answer_name(name), await asyncio.to_thread(answer_pem, name, text)
        else:
            place, answer = folder / token, text.encode("ascii")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(place, answer, 0o600)
        except OSError as fault:
            raise AgwError(f"{folder} cannot be written: {fault.strerror}") from fault
        try:
            await self._post(challenge["url"], {})
            settled = await self._settled(url, ("pending", "processing"))
        finally:
            with suppress(OSError):
                place.unlink()
        if settled["status"] != "valid":
            faults = [each.get("error") for each in settled["challenges"] if each.get("error")]
            said = _problem(faults[0] if faults else None)
            raise AcmeRefused(f"the ACME server did not find the answer for {name}: {said}")

    async def _settled(self, url: str, passing: tuple[str, ...]) -> dict[str, Any]:
        """What stands at `url` once its status is none of `passing`."""
        pause = 0.25
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                answer = await self._post(url, None)
                found = answer.json
                if found["status"] not in passing or (found["status"] == "ready" and "ready" not in passing):
                    return found
                asked = _seconds(answer.fields.get("Retry-After"))
                await asyncio.sleep(min(asked if asked is not None else pause, 10.0))
                pause = min(pause * 1.5, 5.0)

    async def _post(self, url: str, payload: dict[str, Any] | None) -> _Answer:
        """A signed request; without payload a POST-as-GET (RFC 8555 §6.2). A nonce that is refused is replaced."""
        for attempt in range(1, _NONCES + 1):
            if not self._nonce:
                async with self._session.head(self._directory["newNonce"], allow_redirects=False) as reply:
                    self._nonce = reply.headers["Replay-Nonce"]
            protected: dict[str, Any] = {"alg": "ES256", "nonce": self._nonce, "url": url}
            protected |= {"jwk": self._jwk} if self._account is None else {"kid": self._account}
            body = _signed(self._key, protected, payload)
            self._nonce = ""
            async with self._session.post(
                url, data=body, headers={"Content-Type": _TYPE}, allow_redirects=False
            ) as reply:
                self._nonce = reply.headers.get("Replay-Nonce", "")
                answer = _Answer(await _bounded(reply), reply.headers)
                if reply.status < 400:
                    return answer
                refused = _refused(reply.status, answer)
                if attempt == _NONCES or not refused[1]:
                    raise refused[0]
        raise AssertionError("the last try returns or raises")

    async def _get(self, url: str) -> _Answer:
        async with self._session.get(url, allow_redirects=False) as reply:
            if reply.status != 200:
                raise AgwError(f"the ACME server answers {reply.status} at {url}")
            return _Answer(await _bounded(reply), reply.headers)


async def _bounded(reply: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for piece in reply.content.iter_chunked(16384):
        content += piece
        if len(content) > _ANSWER_BYTES:
            raise AgwError("the ACME server's answer is too long")
    return content


def _refused(status: int, answer: _Answer) -> tuple[AcmeRefused, bool]:
    """What to raise, and whether a fresh nonce would mend it."""
    try:
        problem = json.loads(answer.body)
    except ValueError:
        problem = None
    kind = problem.get("type", "") if isinstance(problem, dict) else ""
    wait = _seconds(answer.fields.get("Retry-After"))
    message = f"the ACME server answers {status}: {_problem(problem)}"
    return AcmeRefused(message, wait), kind == "urn:ietf:params:acme:error:badNonce"


def _problem(problem: object) -> str:
    """What a problem document says, printable and in bounds: it is a stranger's text."""
    if not isinstance(problem, dict):
        return "no reason given"
    kind = str(problem.get("type", "")).removeprefix("urn:ietf:params:acme:error:")
    text = f"{kind}: {problem.get('detail', '')}"[:300]
    return "".join(char if char.isprintable() else "?" for char in text)


def _account_key(authority: CertificateAuthority) -> ec.EllipticCurvePrivateKey:
    place = Path(authority.folder) / _ACCOUNT
    try:
        key = serialization.load_pem_private_key(place.read_bytes(), password=None)
    except FileNotFoundError:
        fresh = ec.generate_private_key(ec.SECP256R1())
        pem = fresh.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(place, pem, 0o600)
        except OSError as fault:
            raise AgwError(f"{place.parent} cannot be written: {fault.strerror}") from fault
        return fresh
    except (OSError, ValueError, TypeError):
        raise AgwError(f"the ACME account key in {place} cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AgwError(f"the ACME account key in {place} is not an EC P-256 key")
    return key


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_base64(part.to_bytes(32, "big")) for part in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def _signed(key: ec.EllipticCurvePrivateKey, protected: Mapping[str, Any], payload: dict[str, Any] | None) -> bytes:
    """A flattened JWS (RFC 7515 §7.2.2), ES256."""
    first = _base64(json.dumps(protected).encode())
    second = "" if payload is None else _base64(json.dumps(payload).encode())
    r, s = decode_dss_signature(key.sign(f"{first}.{second}".encode(), ec.ECDSA(hashes.SHA256())))
    signature = _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return json.dumps({"protected": first, "payload": second, "signature": signature}).encode()


def _bound(jwk: dict[str, str], key_id: str, secret: bytes, url: str) -> dict[str, str]:
    """The account key, vouched for with a key that the authority gave out by other means (RFC 8555 §7.3.4)."""
    first = _base64(json.dumps({"alg": "HS256", "kid": key_id, "url": url}).encode())
    second = _base64(json.dumps(jwk).encode())
    signature = hmac.digest(secret, f"{first}.{second}".encode(), "sha256")
    return {"protected": first, "payload": second, "signature": _base64(signature)}


def _canonical(jwk: dict[str, str]) -> bytes:
    """RFC 7638 §3."""
    return json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unbase64(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise AgwError("the MAC key of the ACME account is not base64url") from None


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _said(fault: Exception) -> str:
    return str(fault)[:200] or type(fault).__name__
