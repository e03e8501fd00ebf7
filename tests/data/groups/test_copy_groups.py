"""Near-copies are of one group, and so are chains of them; the cache changes nothing."""

import numpy as np
import pytest
from PIL import Image

from headstart.data import ImageFolder
from headstart.data.groups import copy_groups
from headstart.data.groups.copy_groups import find_copy_groups
from headstart.data.paths import cache_dir


def picture(number, size=(64, 64)):
    """A smooth picture of its own, as photographs are."""
    rough = np.random.default_rng(number).integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Five pictures, then the first one as JPEG, as a smaller JPEG, and unchanged in another format."""
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(files):
        picture(number).save(path)
    for name, image in (("a.jpg", picture(0)), ("b.jpg", picture(0).resize((40, 40))), ("c.bmp", picture(0))):
        image.save(tmp_path / name)
        files.append(tmp_path / name)
    return files


def digests(files):
    return [path.name for path in files]


class TestFindCopyGroups:
    def test_copies_have_the_first_of_their_group(self, files):
        assert find_copy_groups(files, digests(files)).tolist() == [0, 1, 2, 3, 4, 0, 0, 0]

    def test_pairs_in_a_chain_are_one_group(self, files, monkeypatch):
        pairs = np.array([[3, 1], [1, 4]])
        similar = type("Similar", (), {"pairs": pairs})
        monkeypatch.setattr(copy_groups, "find_similar_pairs", lambda prints: similar)
        assert find_copy_groups(files[:5], digests(files[:5])).tolist() == [0, 1, 2, 1, 1]

    def test_files_that_cannot_be_read_stand_alone(self, files, tmp_path):
        (tmp_path / "odd.png").write_bytes(b"odd")
        images = [tmp_path / "odd.png", *files]
        assert find_copy_groups(images, digests(images)).tolist() == [0, 1, 2, 3, 4, 5, 1, 1, 1]

    def test_are_computed_once(self, files, monkeypatch):
        first = find_copy_groups(files, digests(files))
        monkeypatch.setattr(copy_groups, "compute_fingerprint", None)
        assert find_copy_groups(files, digests(files)).tolist() == first.tolist()

    def test_a_damaged_cache_is_replaced(self, files):
        first = find_copy_groups(files, digests(files))
        (path,) = (cache_dir() / "copies").glob("*.npy")
        path.write_bytes(b"damage")
        assert find_copy_groups(files, digests(files)).tolist() == first.tolist()


class TestImageFolder:
    @pytest.fixture
    def root(self, tmp_path):
        for label in range(2):
            (tmp_path / "images" / f"class{label}").mkdir(parents=True)
            for number in range(6):
                picture(10 * label + number).save(tmp_path / "images" / f"class{label}" / f"{number}.png")
        return tmp_path / "images"

    def test_keeps_copies_on_one_side(self, root):
        for quality in (40, 60, 80, 90):
            picture(0).save(root / "class0" / f"again{quality}.jpg", quality=quality)
        source = ImageFolder(root=str(root), image_size=16, group="copies")
        parts = {row["part"] for row in source.split.rows() if row["group"] == "class0/0.png"}
        assert len(parts) == 1 and source.catalog.groups.count("class0/0.png") == 5

    def test_says_where_there_are_no_copies(self, root):
        (remark,) = ImageFolder(root=str(root), image_size=16, group="copies").remarks
        assert "12 images in 12 groups: no two of them look the same" in remark
