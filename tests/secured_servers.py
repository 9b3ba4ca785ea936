"""The real servers with TLS and logins, for the tests of security: each as a `Server`, on certificates of the test."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pymongo
from etcd3 import etcdrpc
from etcd3.etcdrpc import auth_pb2
from pymongo.errors import PyMongoError

from dcron_core.adapters.etcd.translation import range_end, range_start
from dcron_standalone.children import Starter
from dcron_standalone.etcd_server import EtcdServer
from dcron_standalone.handshakes import etcd_answers, kafka_answers
from dcron_standalone.kafka_server import KafkaServer
from dcron_standalone.mongodb_server import MongodbServer
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import Server, ServerKind
from tests.certificates import Authority, Pair

OTHER_LOOPBACK = "127.0.0.2"  # etcd listens there too, and its certificate does not name it
USER, PASSWORD, ROOT_PASSWORD = "dcron", "a p@ss/word:of%tests", "root's own"
SCRAM_256, SCRAM_512, PLAIN = "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"
MECHANISMS = (SCRAM_256, SCRAM_512, PLAIN)
_PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


class SecuredEtcd(EtcdServer):
    """etcd by TLS; `client_certificates`: it wants one from each client. Its probe has a port of its own."""

    port_names = ("client", "peer", "probe")

    def __init__(self, data: Path, authority: Authority, pair: Pair, *, client_certificates: bool) -> None:
        super().__init__(data)
        self._authority = authority
        self._pair = pair
        self._client_certificates = client_certificates

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:
        urls = {f"https://{host}:{ports['client']}" for host in (LOOPBACK, OTHER_LOOPBACK)}
        wants = ["--client-cert-auth", f"--trusted-ca-file={self._authority.file}"] if self._client_certificates else []
        return [
            *super().command(ports),
            f"--listen-client-urls={','.join(urls)}",  # the last of a flag counts
            f"--advertise-client-urls=https://{self.address(ports)}",
            f"--cert-file={self._pair.cert}",
            f"--key-file={self._pair.key}",
            f"--listen-metrics-urls=http://{LOOPBACK}:{ports['probe']}",
            *wants,
        ]

    def answers(self, ports: Mapping[str, int]) -> bool:
        return etcd_answers(LOOPBACK, ports["probe"])


class SecuredKafka(KafkaServer):
    """Kafka with a listener for each way in; the plain one is for itself."""

    port_names = ("client", "controller", "tls", "mutual", "sasl", "expired")

    def __init__(self, data: Path, tools: Path, authority: Authority, pair: Pair, expired: Pair) -> None:
        super().__init__(data, tools)
        self._authority = authority
        self._pair = pair
        self._expired = expired

    def preparation(self, ports: Mapping[str, int]) -> Sequence[str] | None:
        formatting = super().preparation(ports)
        if formatting is None:
            return None
        users = [f"{name}=[name={USER},password={PASSWORD}]" for name in (SCRAM_256, SCRAM_512)]
        return [*formatting, *(part for user in users for part in ("--add-scram", user))]

    def at(self, listener: str, ports: Mapping[str, int]) -> str:
        return f"{LOOPBACK}:{ports[listener]}"

    def answers(self, ports: Mapping[str, int]) -> bool:
        return kafka_answers(LOOPBACK, ports["client"])

    def _settings(self, ports: Mapping[str, int]) -> dict[str, object]:
        listeners = {"PLAINTEXT": "client", "TLS": "tls", "MUTUAL": "mutual", "LOGIN": "sasl", "EXPIRED": "expired"}
        advertised = ",".join(f"{name}://{LOOPBACK}:{ports[port]}" for name, port in listeners.items())
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL,EXPIRED:SSL,LOGIN:SASL_SSL"
        return {
            **super()._settings(ports),
            "listeners": f"{advertised},CONTROLLER://{LOOPBACK}:{ports['controller']}",
            "advertised.listeners": advertised,
            "listener.security.protocol.map": protocols,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._pair.both,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._authority.file,
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.type": "PEM",
            "listener.name.expired.ssl.keystore.location": self._expired.both,
            "connection.failed.authentication.delay.ms": 0,
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.login.sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.login.scram-sha-256.sasl.jaas.config": f"{_SCRAM_MODULE} required;",
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_SCRAM_MODULE} required;",
            "listener.name.login.plain.sasl.jaas.config": f'{_PLAIN_MODULE} required user_{USER}="{PASSWORD}";',
        }


class SecuredMongodb(MongodbServer):
    """SecantusDB by TLS; it wants a certificate of each client, and once `users` is set a login by SCRAM-SHA-256."""

    def __init__(self, data: Path, tools: Path, authority: Authority, pair: Pair) -> None:
        super().__init__(data, tools)
        self.users = False
        self._authority = authority
        self._pair = pair

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:
        return [
            *super().command(ports),
            f"--tls-cert-file={self._pair.cert}",
            f"--tls-key-file={self._pair.key}",
            f"--tls-ca-file={self._authority.file}",
            "--tls-require-client-cert",
            *(["--auth"] if self.users else []),
        ]

    def answers(self, ports: Mapping[str, int]) -> bool:
        try:
            with self.client(self.address(ports)) as client:
                return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False

    def client(self, address: str) -> pymongo.MongoClient[dict[str, Any]]:
        """Return a client of the driver's that shows the server's own certificate."""
        return pymongo.MongoClient(
            address,
            tls=True,
            tlsCAFile=str(self._authority.file),
            tlsCertificateKeyFile=str(self._pair.both),
            serverSelectionTimeoutMS=500,
        )


@contextmanager
def running(kind: ServerKind, data: Path) -> Iterator[Server]:
    """Run the server while the context is open."""
    starter = Starter()
    server = Server(kind, data, starter)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        starter.close()


class EtcdUsers:
    """Makes users in etcd, as its root."""

    def __init__(self, address: str, ca: Path, pair: Pair | None = None) -> None:
        shown = (pair.key.read_bytes(), pair.cert.read_bytes()) if pair else ()
        self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes(), *shown))
        self._auth = etcdrpc.AuthStub(self._channel)

    def enable(self, prefix: str) -> None:
        """Turn authentication on: root, and USER who may read and write what begins with `prefix`."""
        auth, begin, end = self._auth, range_start(prefix), range_end(prefix)
        auth.UserAdd(etcdrpc.AuthUserAddRequest(name="root", password=ROOT_PASSWORD))
        auth.UserGrantRole(etcdrpc.AuthUserGrantRoleRequest(user="root", role="root"))
        auth.RoleAdd(etcdrpc.AuthRoleAddRequest(name="dcron"))
        permission = auth_pb2.Permission(permType=2, key=begin, range_end=end)  # read and write
        auth.RoleGrantPermission(etcdrpc.AuthRoleGrantPermissionRequest(name="dcron", perm=permission))
        auth.UserAdd(etcdrpc.AuthUserAddRequest(name=USER, password=PASSWORD))
        auth.UserGrantRole(etcdrpc.AuthUserGrantRoleRequest(user=USER, role="dcron"))
        auth.AuthEnable(etcdrpc.AuthEnableRequest())

    def end_tokens(self) -> None:
        """Set USER's password to what it is: all tokens that were given for it end."""
        root = etcdrpc.AuthenticateRequest(name="root", password=ROOT_PASSWORD)
        shown = (("token", self._auth.Authenticate(root).token),)
        change = etcdrpc.AuthUserChangePasswordRequest(name=USER, password=PASSWORD)
        self._auth.UserChangePassword(change, metadata=shown)

    def close(self) -> None:
        self._channel.close()
