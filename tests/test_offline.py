"""The guards of conftest.py and pytest-socket: no test reaches an address beyond loopback."""

import socket
import urllib.error
import urllib.request

import pytest
from pytest_socket import SocketConnectBlockedError

DOCUMENTATION_ADDRESS = "192.0.2.1"  # RFC 5737: belongs to nobody


class TestNetwork:
    @pytest.mark.filterwarnings("ignore:A test tried to use socket")
    def test_connections_beyond_loopback_are_refused(self):
        with socket.socket() as wire, pytest.raises(SocketConnectBlockedError):
            wire.connect((DOCUMENTATION_ADDRESS, 80))

    @pytest.mark.parametrize(("function", "arguments"), [("getaddrinfo", (443,)), ("gethostbyname", ())])
    def test_name_servers_are_not_asked(self, function, arguments):
        with pytest.raises(socket.gaierror, match="the tests are offline"):
            getattr(socket, function)("example.invalid", *arguments)

    def test_a_download_fails_as_without_a_network(self):
        with pytest.raises(urllib.error.URLError, match="the tests are offline"):
            urllib.request.urlopen("https://example.invalid/weights", timeout=5)

    def test_loopback_stays_open(self):
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as wire:
            assert wire.getpeername() == server.getsockname()
