"""The certificate authority of a control plane in tests: it says who is who.

A user is the subject's common name, his groups are its organizations: that is how kube-apiserver
reads client certificates. Keys are elliptic curves: made in a moment, and nothing here is secret.
"""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 30
# The API server's own address in the cluster, which clients inside a cluster would verify.
NAMES = ("localhost", "kubernetes.default.svc")
LOOPBACK = ipaddress.ip_address("127.0.0.1")


class Identity(NamedTuple):
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both as files, for programs that want files."""
        paths = folder / f"{name}.crt", folder / f"{name}.key"
        for path, content in zip(paths, self, strict=True):
            path.write_bytes(content)
        paths[1].chmod(0o600)
        return paths


class Authority:
    """Signs certificates of servers and of users.

    Args:
        now: When the certificates begin to be valid.
    """

    def __init__(self, now: dt.datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("batchsched-tests")
        only_signs = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        own = self._unsigned(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        own = own.add_extension(only_signs, critical=True)
        self.certificate = self._signed(own)

    def user(self, name: str, groups: tuple[str, ...] = ()) -> Identity:
        """What a client shows to be this user."""
        return self._issue(_name(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH)

    def server(self) -> Identity:
        """What a server on loopback shows."""
        names = [*map(x509.DNSName, NAMES), x509.IPAddress(LOOPBACK)]
        return self._issue(
            _name("server"), ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names)
        )

    def _issue(
        self, subject: x509.Name, use: x509.ObjectIdentifier, *more: x509.ExtensionType
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        unsigned = self._unsigned(subject, key, leaf)
        for extension in (x509.ExtendedKeyUsage([use]), *more):
            unsigned = unsigned.add_extension(extension, critical=False)
        return Identity(self._signed(unsigned), _private(key))

    def _unsigned(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, kind: x509.BasicConstraints
    ) -> x509.CertificateBuilder:
        of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - dt.timedelta(hours=1))
            .not_valid_after(self._now + dt.timedelta(days=VALID_DAYS))
            .add_extension(kind, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(of_issuer, critical=False)
        )

    def _signed(self, unsigned: x509.CertificateBuilder) -> bytes:
        return unsigned.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def signing_key() -> bytes:
    """The key with which an API server signs, and reads, tokens of service accounts."""
    return _private(ec.generate_private_key(ec.SECP256R1()))


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _name(common: str, organizations: tuple[str, ...] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])
