"""Tests of the README's Python."""

import re
from pathlib import Path

from PIL import Image

README = Path(__file__).parents[1] / "README.md"


class TestPython:
    def test_block_trains_tests_saves_and_predicts(self, image_folder, tmp_path, monkeypatch):
        image_folder(classes=["ant", "bee"], per_class=8, size=16, root=tmp_path / "photos")
        for name in ("one.jpg", "two.png"):
            Image.new("RGB", (24, 16)).save(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        names = {}
        # Small images and one epoch; the rest of the code is the reader's.
        exec(block.replace("image_size=64", "image_size=16").replace("model.epochs", "1"), names)
        assert names["trainer"].current_epoch == 1
        assert set(names["prediction"].predicted_classes) <= {"ant", "bee"}
        assert (tmp_path / "photos.ckpt").is_file()
