"""A WebSocket client with nothing but the standard library: what Home Assistant and Chromium's DevTools speak."""

import base64
import json
import os
import socket
import struct

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class WebSocket:
    """One connection to this machine. Messages are JSON."""

    def __init__(self, port, path, patience=60):
        self._socket = socket.create_connection(("127.0.0.1", port), patience)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall((
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self._file = self._socket.makefile("rb")
        status = self._file.readline()
        if b" 101 " not in status:
            raise OSError(f"no WebSocket at {path}: {status!r}")
        while self._file.readline().strip():
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()
        self._socket.close()

    def send(self, message):
        self._send(TEXT, json.dumps(message).encode())

    def receive(self):
        """The next message."""
        text = b""
        while True:
            first, second = self._read(2)
            length = second & 127
            if length >= 126:
                length, = struct.unpack(">H", self._read(2)) if length == 126 else struct.unpack(">Q", self._read(8))
            data = self._read(length)
            kind = first & 15
            if kind == PING:
                self._send(PONG, data)
            elif kind == CLOSE:
                raise OSError("the other side closed the WebSocket")
            else:
                text += data
                if first & 128:
                    return json.loads(text)

    def _read(self, length):
        data = self._file.read(length)
        if len(data) < length:
            raise OSError("the other side dropped the WebSocket")
        return data

    def _send(self, kind, data):
        mask = os.urandom(4)
        length = len(data)
        if length < 126:
            head = bytes([128 | kind, 128 | length])
        elif length < 1 << 16:
            head = bytes([128 | kind, 254]) + struct.pack(">H", length)
        else:
            head = bytes([128 | kind, 255]) + struct.pack(">Q", length)
        self._socket.sendall(head + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(data)))
