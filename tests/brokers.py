"""Real brokers on free loopback ports, that a test may kill and start again with what they had on disk."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import pbkdf2_hmac
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(folder: Path) -> tuple[str, str]:
    """Files of a new certificate for 127.0.0.1 that vouches for itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = made.not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    folder.mkdir()
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(files[0]), str(files[1])


class Broker:
    """One broker process. `kind` is also the scheme of its address. `encrypted`: it speaks TLS, and wants a
    password. `brokers`: of a Kafka cluster.
    """

    def __init__(self, kind: str, folder: Path, *, encrypted: bool = False, brokers: int = 1) -> None:
        self.kind = kind
        self.brokers = brokers
        self.folder = folder
        self.port = free_port()
        self.files = certificate(folder / "tls") if encrypted else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, for a bridge."""
        if self.files:
            return f"{self.kind}://me:pass%40word@127.0.0.1:{self.port}?ca={self.files[0]}"
        return f"{self.kind}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again; return when it takes connections."""
        command = _COMMANDS[self.kind](self)
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < until, (self.folder / "broker.log").read_text()
                time.sleep(0.02)
            else:
                return

    def fail_over(self) -> None:
        """The broker of a Kafka cluster that leads everything dies; another one leads."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """SIGKILL: nothing is said goodbye to."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _mosquitto(broker: Broker) -> list[str]:
    config = broker.folder / "mosquitto.conf"
    lines = [
        f"listener {broker.port} 127.0.0.1",
        *_mosquittos_door(broker),
        "persistence true",
        f"persistence_location {broker.folder}/",
        "autosave_interval 1",  # seconds: what it acknowledged in the last second a kill takes with it
        "user root",
    ]
    config.write_text("\n".join(lines) + "\n")
    return [program("mqtt") or "", "-c", str(config)]


def _mosquittos_door(broker: Broker) -> list[str]:
    if broker.files is None:
        return ["allow_anonymous true"]
    passwords = broker.folder / "passwords"
    salt, rounds = b"0123456789ab", 101  # as mosquitto_passwd writes them
    digest = pbkdf2_hmac("sha512", b"pass@word", salt, rounds)
    passwords.write_text(f"me:$7${rounds}${b64encode(salt).decode()}${b64encode(digest).decode()}\n")
    return [
        *("allow_anonymous false", f"password_file {passwords}"),
        *(f"certfile {broker.files[0]}", f"keyfile {broker.files[1]}"),
    ]


def _redis(broker: Broker) -> list[str]:
    folder, port = str(broker.folder), str(broker.port)
    told = ["--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--appendfsync", "always"]
    door = ["--port", port]
    if broker.files:
        own = ["--tls-cert-file", broker.files[0], "--tls-key-file", broker.files[1], "--tls-auth-clients", "no"]
        user = ["--user", "me", "on", ">pass@word", "~*", "&*", "+@all", "--user", "default", "off"]
        door = ["--port", "0", "--tls-port", port, *own, *user]
    return [program("redis") or "", *door, *told, "--save", ""]


def _nats(broker: Broker) -> list[str]:
    config = broker.folder / "nats.conf"
    told = f'listen: "127.0.0.1:{broker.port}"\njetstream {{ store_dir: "{broker.folder}", sync_interval: always }}\n'
    if broker.files:
        told += f'tls {{ cert_file: "{broker.files[0]}", key_file: "{broker.files[1]}" }}\n'
        told += 'authorization { users: [{ user: me, password: "pass@word" }] }\n'
    config.write_text(told)
    return [program("nats") or "", "-c", str(config)]


def _kafka(broker: Broker) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("kafka_endpoint.py")), str(broker.port), str(broker.brokers)]


_COMMANDS: Final[dict[str, Callable[[Broker], list[str]]]] = {
    "mqtt": _mosquitto,
    "redis": _redis,
    "nats": _nats,
    "kafka": _kafka,
}
_PROGRAMS: Final = {"mqtt": "mosquitto", "redis": "redis-server", "nats": "nats-server"}


def program(kind: str) -> str | None:
    """Where the broker's program is: in the environment, on the path, or where Debian puts servers."""
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    return shutil.which(_PROGRAMS[kind], path=path)


def needed(kind: str) -> None:
    """Skip, saying why, where the broker cannot be started."""
    if kind in _PROGRAMS and program(kind) is None:
        pytest.skip(f"{_PROGRAMS[kind]} is not installed (make test installs it on Debian)")
