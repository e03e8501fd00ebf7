"""Tests of the README's Python."""

import re
from pathlib import Path

from PIL import Image

README = Path(__file__).parents[1] / "README.md"


class TestPython:
    def test_block_trains_tests_and_predicts(self, image_folder, tmp_path, monkeypatch, capsys):
        image_folder(classes=["bee", "wasp"], per_class=4, size=32, root=tmp_path / "photos")
        for name in ("one.jpg", "two.png"):
            Image.new("RGB", (40, 32)).save(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        names = {}
        # Small images and short training: the code stays the reader's.
        exec(block.replace("image_size=64", "image_size=32").replace("model.epochs", "2"), names)
        assert names["trainer"].current_epoch == 2
        assert set(names["prediction"].predicted_classes) <= {"bee", "wasp"}
        assert (tmp_path / "photos.ckpt").is_file()
