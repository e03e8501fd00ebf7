"""The feature cache: nothing is computed twice, and nothing is read that was not written as a whole."""

import errno
import os
import shutil
from contextlib import nullcontext
from multiprocessing import get_context

import numpy as np
import pytest
from filelock import Timeout

from headstart.data import feature_cache
from headstart.data.feature_cache import FeatureStore, delete_store, list_stores, load_features
from headstart.data.paths import cache_dir


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


IMAGES = np.random.default_rng(0).integers(0, 256, (70, 1, 4, 4), dtype=np.uint8)


class MeanExtractor:
    """Features are mean and first pixel; counts the images that it sees."""

    batch_size = 32

    def __init__(self, key="mean"):
        self.key, self.name, self.width, self.train_views, self.num_images = key, "mean", 2, ("plain",), 0

    def compute(self, images, view):
        assert len(images) <= self.batch_size
        self.num_images += len(images)
        images = images[..., ::-1] if view == "mirror" else images
        return np.stack([images.mean(axis=(1, 2, 3)), images[:, 0, 0, 0]], axis=1).astype(np.float32)

    def one_thread_per_batch(self):
        return nullcontext()


def read_images(indices):
    return IMAGES[indices]


def load(extractor, indices=range(70), views=("plain",), **options):
    return load_features(read_images, np.array(indices), extractor, views, **options)


class TestLoadFeatures:
    def test_gives_each_image_and_view(self):
        features = load(MeanExtractor(), views=("plain", "mirror")).read([5, 3])
        for (plain, mirror), image in zip(features, IMAGES[[5, 3], 0], strict=True):
            assert plain.tolist() == [image.mean(), image[0, 0]] and mirror.tolist() == [image.mean(), image[0, -1]]

    def test_computes_nothing_twice(self):
        extractor = MeanExtractor()
        first = load(extractor, range(40)).read(range(40))
        assert extractor.num_images == 40
        more = load(extractor)
        assert extractor.num_images == 70 and np.array_equal(more.read(range(40)), first)
        load(MeanExtractor(), views=("plain", "mirror"))
        assert extractor.num_images == 70

    def test_counts_equal_images_once(self):
        extractor = MeanExtractor()
        features = load(extractor, [3, 3, 4]).read([0, 1, 2])
        assert extractor.num_images == 2 and features[0].tolist() == features[1].tolist() != features[2].tolist()

    def test_separates_other_networks(self):
        for key in ("one", "two"):
            extractor = MeanExtractor(key)
            load(extractor)
            assert extractor.num_images == 70

    def test_separates_images_of_other_shapes(self):
        extractor = MeanExtractor()
        load(extractor, [0])
        load_features(lambda indices: IMAGES[indices].reshape(-1, 1, 2, 8), np.array([0]), extractor)
        assert extractor.num_images == 2

    def test_is_equal_after_clearing(self, tmp_path, monkeypatch):
        first = load(MeanExtractor(), range(50)).read(range(50))
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "other"))
        assert np.array_equal(load(MeanExtractor(), range(50)).read(range(50)), first)

    def test_gives_a_memory_map(self):
        assert isinstance(load(MeanExtractor()).features, np.memmap)

    def test_takes_no_images(self):
        assert len(load(MeanExtractor(), [])) == 0


class TestBrokenStores:
    @pytest.mark.parametrize(("file", "size"), [("ids.bin", 100), ("features.bin", 100), ("ids.bin", 0)])
    def test_rows_of_a_killed_writer_are_not_read(self, file, size):
        extractor = MeanExtractor()
        good = load(extractor).read(range(70))
        path = cache_dir() / "features" / "mean" / file
        path.write_bytes(path.read_bytes()[:size])
        assert np.array_equal(load(extractor).read(range(70)), good)
        assert extractor.num_images > 70

    def test_features_without_ids_are_overwritten(self):
        extractor = MeanExtractor()
        load(extractor, range(10))
        with (cache_dir() / "features" / "mean" / "features.bin").open("ab") as file:
            file.write(b"\xff" * 20)  # killed before the ids
        features = load(extractor)
        assert np.array_equal(features.read(range(70))[:, 0, 0], IMAGES.mean(axis=(1, 2, 3), dtype=np.float32))

    def test_part_of_a_row_is_not_read_where_nothing_is_added(self):
        expected = load(MeanExtractor()).read(range(70))
        (store,) = list_stores()
        with (store.folder / feature_cache.FEATURES_FILE).open("ab") as file:
            file.write(bytes(5))
        assert np.array_equal(load(MeanExtractor()).read(range(70)), expected)

    def test_old_ids_never_stand_for_new_features(self, monkeypatch):
        load(MeanExtractor(), range(20))
        (store,) = list_stores()
        (store.folder / feature_cache.FEATURES_FILE).unlink()  # as an interrupted deletion may leave it
        fsync, calls = os.fsync, []

        def stop_before_ids(descriptor):
            fsync(descriptor)
            calls.append(descriptor)
            if len(calls) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", stop_before_ids)
        with pytest.raises(KeyboardInterrupt):
            load(MeanExtractor(), range(40, 60))
        monkeypatch.setattr(os, "fsync", fsync)
        features = load(MeanExtractor(), range(20)).read(range(20))
        assert np.array_equal(features[:, 0, 0], IMAGES[:20].mean(axis=(1, 2, 3)).astype(np.float32))

    def test_batches_are_computed_in_one_thread_each(self):
        entered = []

        class Extractor(MeanExtractor):
            def one_thread_per_batch(self):
                entered.append(self)
                return nullcontext()

        load(Extractor())
        assert entered

    def test_a_full_disk_costs_no_result(self, monkeypatch, capsys):
        def refuse(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(FeatureStore, "append", refuse)
        features = load(MeanExtractor()).read([7])
        assert features[0, 0].tolist() == [IMAGES[7].mean(), IMAGES[7, 0, 0, 0]]
        load(MeanExtractor(), range(20))  # another part of the run
        (line,) = capsys.readouterr().err.splitlines()
        assert "No space left on device" in line and "HEADSTART_CACHE" in line

    def test_a_full_disk_is_left_as_it_was(self, monkeypatch):
        good, append = load(MeanExtractor(), range(30)).read(range(30)), FeatureStore.append

        def write_some(store, ids, features):
            if len(store.read_positions()) > 30:
                raise OSError(errno.ENOSPC, "No space left on device")
            append(store, ids, features)
            with (store.folder / "features.bin").open("ab") as file:
                file.write(b"a part of a row")

        size = list_stores()[0].num_bytes
        monkeypatch.setattr(feature_cache, "ROWS_PER_WRITE", 16)
        monkeypatch.setattr(FeatureStore, "append", write_some)
        assert np.array_equal(load(MeanExtractor()).read(range(30)), good)
        assert [(store.num_rows, store.num_bytes) for store in list_stores()] == [(30, size)]

    def test_a_folder_that_cannot_be_made_costs_no_result(self, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
        assert len(load(MeanExtractor()).read(range(70))) == 70


def load_in_process(folder, queue):

    os.environ["HEADSTART_CACHE"] = folder
    extractor = MeanExtractor()
    load(extractor)
    queue.put(extractor.num_images)


class TestConcurrency:
    def test_two_processes_compute_features_once(self, tmp_path):
        context = get_context("fork")
        queue = context.Queue()
        processes = [context.Process(target=load_in_process, args=(str(tmp_path / "cache"), queue)) for _ in range(2)]
        for process in processes:
            process.start()
        assert sorted(queue.get(timeout=60) for _ in processes) == [0, 70]
        for process in processes:
            process.join()


class TestSize:
    ROWS_GB = 70 * 8 / 1e9  # of the features of all images

    def test_least_recently_used_store_goes_first(self, monkeypatch):
        for key in ("old", "used", "new"):
            load(MeanExtractor(key))
        times = {"old": 2.0, "used": 3.0, "new": 1.0}
        for store in list_stores():
            os.utime(store.folder / "info.json", (times[store.folder.name],) * 2)
        load(MeanExtractor("more"), max_gb=1e-9 + sum(store.num_bytes for store in list_stores()) / 1e9)
        assert [store.folder.name for store in list_stores()] == ["more", "old", "used"]

    def test_a_store_that_is_written_is_not_deleted(self):
        load(MeanExtractor(), range(10))
        (entry,) = list_stores()
        with FeatureStore(entry.folder, width=2).lock(), pytest.raises(Timeout):
            delete_store(entry.folder, timeout=0)
        delete_store(entry.folder)
        assert not list_stores()

    def test_reading_counts_as_use(self):
        load(MeanExtractor())
        (before,) = list_stores()

        os.utime(before.folder / "info.json", (1.0, 1.0))
        load(MeanExtractor())
        assert list_stores()[0].last_used > 1e9

    def test_features_above_the_limit_are_not_kept(self, capsys):
        assert len(load(MeanExtractor(), max_gb=self.ROWS_GB / 2).read(range(70))) == 70
        assert not list_stores() and "cache.max_gb" in capsys.readouterr().err

    def test_no_cache_is_no_news(self, capsys):
        assert len(load(MeanExtractor(), max_gb=0).read(range(70))) == 70
        assert not list_stores() and not capsys.readouterr().err

    def test_old_rows_of_the_store_make_room_too(self):
        extractor = MeanExtractor()
        load(extractor, range(60))
        features = load(extractor, range(40, 70), max_gb=70 * 16 / 1e9)  # not enough for 70 rows with their ids
        assert extractor.num_images == 60 + 30
        assert features.read(range(30))[:, 0, 0].tolist() == [float(image.mean()) for image in IMAGES[40:]]
        assert [store.num_rows for store in list_stores()] == [30]

    def test_features_that_another_command_deletes_are_computed(self, monkeypatch, capsys):
        def delete(self, *_):
            shutil.rmtree(self.folder)

        monkeypatch.setattr(FeatureStore, "append", delete)
        assert len(load(MeanExtractor()).read(range(70))) == 70
        assert "deleted them meanwhile" in capsys.readouterr().err

    def test_lists_network_rows_and_size(self):
        load(MeanExtractor())
        (store,) = list_stores()
        assert (store.network, store.num_rows) == ("mean", 70) and store.num_bytes >= 70 * (8 + 16)

    def test_damaged_store_is_not_listed(self):
        load(MeanExtractor())
        (cache_dir() / "features" / "mean" / feature_cache.INFO_FILE).write_text("{")
        assert not list_stores()
