"""The CIFAR-10 reader on records made here, and its download from a server on this machine."""

import hashlib
import shutil
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import Request, cifar10, open_split
from mindcv_shufflenet.errors import UserError
from tests.data.sources import pixels_of, read_member


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A data set whose every pixel tells its place: (record + 7 channel + 3 row + column) mod 256."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-bin"
    folder.mkdir()
    record, channel, row, column = np.ogrid[:10_000, :3, :32, :32]
    pixels = ((record + 7 * channel + 3 * row + column) % 256).astype(np.uint8).reshape(10_000, -1)
    for offset, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        labels = ((np.arange(10_000) + offset) % 10).astype(np.uint8)
        np.column_stack([labels, pixels]).tofile(folder / name)
    return folder


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """A copy of the test batch alone, to damage."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    shutil.copy(made / "test_batch.bin", folder)
    return folder


def test_planes_become_pixels(made):
    split = open_split("cifar10", Request(made.parent, "val"))
    assert pixels_of(split).shape == (10_000, 32, 32, 3)
    assert pixels_of(split).dtype == np.uint8
    assert pixels_of(split).flags.c_contiguous
    for record, row, column, channel in [(0, 0, 0, 0), (1, 2, 3, 0), (9999, 31, 30, 2), (512, 5, 31, 1)]:
        assert pixels_of(split)[record, row, column, channel] == (record + 7 * channel + 3 * row + column) % 256
    assert split.labels[:6].tolist() == [5, 6, 7, 8, 9, 0]
    assert split.labels.dtype == np.int32
    assert split.class_names[:2] == ("airplane", "automobile")
    assert split.class_to_index["truck"] == 9


def test_train_is_five_batches_in_order_and_the_folder_itself_will_do(made):
    split = open_split("cifar10", Request(made, "train"))
    assert len(split) == 50_000
    assert split.labels[::10_000].tolist() == [0, 1, 2, 3, 4]


def test_test_is_val(made):
    np.testing.assert_array_equal(
        open_split("cifar10", Request(made, "test")).labels, open_split("cifar10", Request(made, "val")).labels
    )
    with pytest.raises(UserError, match=r"no split 'valid': use train or val"):
        open_split("cifar10", Request(made, "valid"))


def test_class_names_come_from_the_meta_file(copy):
    (copy / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    assert open_split("cifar10", Request(copy, "val")).class_names == tuple("abcdefghij")
    (copy / "batches.meta.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"batches.meta.txt must have 10 different class names"):
        open_split("cifar10", Request(copy, "val"))


def test_wrong_size(copy):
    with (copy / "test_batch.bin").open("r+b") as file:
        file.truncate(7 * 3073)
    with pytest.raises(UserError, match=r"test_batch.bin has 21,511 bytes, a CIFAR-10 file has 30,730,000"):
        open_split("cifar10", Request(copy, "val"))


def test_wrong_label(copy):
    with (copy / "test_batch.bin").open("r+b") as file:
        file.seek(42 * 3073)
        file.write(b"\x0a")
    with pytest.raises(UserError, match=r"test_batch.bin: record 42 has the label 10, it must be 0 to 9"):
        open_split("cifar10", Request(copy, "val"))


def test_missing_files_name_the_option_and_the_address(copy, tmp_path):
    with pytest.raises(UserError, match=r"no data_batch_1.bin in .*--dataset_download.*cs.toronto.edu"):
        open_split("cifar10", Request(copy, "train"))
    with pytest.raises(UserError, match=r"no test_batch.bin in .*empty.*--dataset_download"):
        open_split("cifar10", Request(tmp_path / "empty", "val"))


def test_download(made, tmp_path, monkeypatch):
    """The archive comes from a server on this machine, once; the second split finds the files there."""
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(made, made.name)
    requests = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            requests.append(self.path)

    data_dir = tmp_path / "new" / "data"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        md5 = hashlib.md5(archive.read_bytes()).hexdigest()
        url = f"http://127.0.0.1:{server.server_port}/cifar.tar.gz"
        monkeypatch.setattr(cifar10, "ARCHIVE", cifar10.Archive(url, md5))
        split = open_split("cifar10", Request(data_dir, "val"), download=True)
        train = open_split("cifar10", Request(data_dir, "train"), download=True)
        server.shutdown()
        thread.join()
    assert requests == ["/cifar.tar.gz"]
    np.testing.assert_array_equal(pixels_of(split), pixels_of(open_split("cifar10", Request(made, "val"))))
    assert train.labels[10_000] == 1
    assert [path.name for path in data_dir.iterdir()] == ["cifar-10-batches-bin"]


def test_archive_put_there_by_hand_is_used_and_kept(made, tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(made / "test_batch.bin", f"{made.name}/test_batch.bin")
    md5 = hashlib.md5((tmp_path / "cifar.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "ARCHIVE", cifar10.Archive("http://127.0.0.1:1/cifar.tar.gz", md5))
    assert len(open_split("cifar10", Request(tmp_path, "val"), download=True)) == 10_000
    assert (tmp_path / "cifar.tar.gz").is_file()


def test_download_does_not_touch_a_folder_that_lacks_a_file(copy):
    with pytest.raises(UserError, match=r"is there but has no data_batch_1.bin: move that folder away"):
        open_split("cifar10", Request(copy.parent, "val"), download=True)


def test_copy_of_the_real_data(shared, tmp_path):
    """The layout that the maker of the shared copy writes is read as it was meant: 200 of its images."""
    records: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    with tarfile.open(shared / "data" / "cifar10-jpeg.tar") as tar:
        for member in tar:
            if member.isfile() and len(records) < 200:
                pixels = np.asarray(Image.open(BytesIO(read_member(tar, member))).convert("RGB"))
                records.append(np.append(np.uint8(3), pixels.transpose(2, 0, 1)))
                expected.append(pixels)
            if len(records) == 200:
                break
    np.concatenate([np.stack(records), np.zeros((9_800, 3073), np.uint8)]).tofile(tmp_path / "test_batch.bin")
    split = open_split("cifar10", Request(tmp_path, "val"))
    np.testing.assert_array_equal(pixels_of(split)[:200], np.stack(expected))
