"""Tests of the README's Python."""

import re
from pathlib import Path

from PIL import Image

README = Path(__file__).parents[1] / "README.md"


class TestPython:
    def test_block_trains_and_predicts(self, image_folder, tmp_path, monkeypatch):
        root = image_folder(classes=["ant", "bee"], per_class=13, size=16, root=tmp_path / "photos")
        for name in ("ant/1.jpg", "bee/2.jpg"):
            Image.new("RGB", (24, 16)).save(root / name)
        monkeypatch.chdir(tmp_path)
        (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        names = {}
        exec(block.replace("image_size=64", "image_size=16").replace("model.epochs", "1"), names)
        assert names["trainer"].current_epoch == 1
        assert set(names["prediction"].predicted_classes) <= {"ant", "bee"}
