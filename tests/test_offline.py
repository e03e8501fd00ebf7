"""What lets every other test say "without a network": no test gets beyond loopback."""

import socket
import urllib.error
import urllib.request

import pytest
from pytest_socket import SocketConnectBlockedError

DOCUMENTATION_ADDRESS = "192.0.2.1"  # RFC 5737: belongs to nobody


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_connection_beyond_loopback_is_refused():
    with socket.socket() as wire, pytest.raises(SocketConnectBlockedError):
        wire.connect((DOCUMENTATION_ADDRESS, 80))


@pytest.mark.parametrize(("function", "rest"), [("getaddrinfo", (443,)), ("gethostbyname", ())])
def test_no_name_server_is_asked(function, rest):
    with pytest.raises(socket.gaierror, match="the tests are offline"):
        getattr(socket, function)("example.invalid", *rest)


def test_a_download_fails_as_it_does_on_a_machine_without_a_network():
    with pytest.raises(urllib.error.URLError, match="the tests are offline"):
        urllib.request.urlopen("https://example.invalid/weights", timeout=5)


def test_loopback_stays_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as wire:
        assert wire.getpeername() == server.getsockname()
