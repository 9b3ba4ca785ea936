"""Does a server answer? Asked in its own protocol, because an open port says little.

Written by hand, each a request of a few bytes: the drivers have their one home elsewhere (design §3), and bring
connection pools and retries where a plain yes or no is wanted.
"""

import http.client
import json
import socket
import struct

TIMEOUT_S = 2.0
KAFKA_METADATA_KEY, KAFKA_METADATA_VERSION = 3, 4
MONGODB_OP_MSG = 2013
# {hello: 1, $db: "admin"} in BSON
BSON_HELLO = b"\x1f\x00\x00\x00\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"


def etcd_answers(host: str, port: int) -> bool:
    """Tell whether etcd has a leader: `/health` makes a linearizable read."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return str(answer.get("health")) == "true"


def kafka_answers(host: str, port: int) -> bool:
    """Tell whether a broker is in service: its metadata answer lists at least one broker that is not fenced."""
    header = struct.pack(">hhih", KAFKA_METADATA_KEY, KAFKA_METADATA_VERSION, 1, -1)
    body = struct.pack(">i?", 0, False)  # no topics; create none
    try:
        answer = _exchange(host, port, _with_length(header + body), big_endian_length=True)
        correlation, _throttle_ms, brokers = struct.unpack_from(">iii", answer)
    except (OSError, struct.error):
        return False
    return bool(correlation == 1 and brokers > 0)


def mongodb_answers(host: str, port: int) -> bool:
    """Tell whether `hello` is answered by a server that can be written to."""
    body = struct.pack("<i", 0) + b"\x00" + BSON_HELLO
    message = struct.pack("<iiii", 16 + len(body), 1, 0, MONGODB_OP_MSG) + body
    try:
        answer = _exchange(host, port, message, big_endian_length=False)
    except (OSError, struct.error):
        return False
    return b"\x08isWritablePrimary\x00\x01" in answer


def _with_length(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message


def _exchange(host: str, port: int, request: bytes, *, big_endian_length: bool) -> bytes:
    """Send the request and return the answer without its length. MongoDB's length counts itself, Kafka's does not."""
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request)
        (length,) = struct.unpack(">i" if big_endian_length else "<i", _read(connection, 4))
        return _read(connection, length if big_endian_length else length - 4)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the server closed the connection")
        data += piece
    return data
