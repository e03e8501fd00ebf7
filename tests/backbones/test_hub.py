"""The hub, by the real huggingface_hub client against a stand-in on loopback."""

import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from safetensors.torch import save

from headstart.backbones.build import build_backbone
from headstart.backbones.hub import fetch_hub_weights
from headstart.backbones.normalization import input_normalization
from headstart.backbones.resolve import resolve_backbone
from headstart.backbones.weights import load_weights, locate_weights
from headstart.errors import HeadstartError

NAME = "resnet10t"


@pytest.fixture
def whole():
    import timm

    torch.manual_seed(5)
    return timm.create_model(NAME, num_classes=1000)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def turn_to(monkeypatch):
    """A function that makes the client believe that the hub is a port on loopback."""

    def turn(port):
        endpoint = f"http://127.0.0.1:{port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    return turn


@pytest.fixture
def hub(whole, cache, turn_to):
    """Serves one repository's model.safetensors; yields the list of requests that it saw."""
    content = save({k: v.contiguous() for k, v in whole.state_dict().items()})
    seen = []

    class Stand(BaseHTTPRequestHandler):
        def _answer(self, body):
            seen.append((self.command, self.path))
            known = self.path.endswith("model.safetensors")
            self.send_response(200 if known else 404)
            if known:
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", "c" * 40)
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.end_headers()
            if known and body:
                self.wfile.write(content)

        def do_GET(self):
            self._answer(body=True)

        def do_HEAD(self):
            self._answer(body=False)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stand)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    turn_to(server.server_port)
    yield seen
    server.shutdown()
    server.server_close()


class TestHub:
    def test_weights_load_completely(self, hub, whole):
        resolved = resolve_backbone({"name": NAME, "weights": "hub"})
        network = build_backbone(resolved)
        load_weights(network, resolved)
        kept = whole.state_dict()
        assert all(torch.equal(v, kept[k]) for k, v in network.state_dict().items())
        assert any("resnet10t" in path for _, path in hub)

    def test_normalization_is_timms(self, hub):
        import timm

        mean, std = input_normalization(resolve_backbone({"name": NAME, "weights": "hub"}))
        cfg = timm.get_pretrained_cfg(NAME)
        assert (tuple(mean), tuple(std)) == (tuple(cfg.mean), tuple(cfg.std))

    def test_cached_weights_need_no_request(self, hub):
        resolved = resolve_backbone({"name": NAME, "weights": "hub"})
        first = locate_weights(resolved)
        asked = len(hub)
        assert locate_weights(resolved).read_bytes() == first.read_bytes() and len(hub) == asked


class TestUnreachableHub:
    def test_silent_hub_times_out(self, cache, turn_to):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and says nothing
            turn_to(silent.getsockname()[1])
            with pytest.raises(HeadstartError, match="cannot be reached"):
                fetch_hub_weights(NAME, timeout=0.05)

    def test_is_an_error_and_no_random_start(self, cache, turn_to):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        turn_to(port)
        resolved = resolve_backbone({"name": NAME, "weights": "hub"})
        with pytest.raises(HeadstartError, match="cannot be reached") as caught:
            load_weights(build_backbone(resolved), resolved)
        assert "\n" not in str(caught.value)
