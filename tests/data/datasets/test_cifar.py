"""The reader of CIFAR-10 and CIFAR-100 on records made here, and the download from a server on this machine."""

import shutil
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.data.datasets import Request, cifar, open_split
from mindcv_shufflenet.data.datasets.cifar import CIFAR10, CIFAR100
from mindcv_shufflenet.data.datasets.published import Archive
from mindcv_shufflenet.errors import UserError
from tests.data.datasets.conftest import Server, md5_of
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


def test_download(made, tmp_path, server: Server):
    """The archive comes once; the second split finds the files there."""
    archive = server.folder / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(made, made.name)
    row = CIFAR10._replace(archive=Archive(f"{server.url}/cifar.tar.gz", md5_of(archive)))
    data_dir = tmp_path / "new" / "data"
    for _ in range(2):
        cifar.download(row, data_dir)
    assert server.requests == ["/cifar.tar.gz"]
    assert [path.name for path in data_dir.iterdir()] == ["cifar-10-batches-bin"]
    val, train = (open_split("cifar10", Request(data_dir, split), download=True) for split in ("val", "train"))
    np.testing.assert_array_equal(pixels_of(val), pixels_of(open_split("cifar10", Request(made, "val"))))
    assert train.labels[10_000] == 1


def test_archive_put_there_by_hand_is_used_and_kept(made, tmp_path):
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz", compresslevel=1) as tar:
        tar.add(made / "test_batch.bin", f"{made.name}/test_batch.bin")
    archive = Archive("http://127.0.0.1:1/cifar.tar.gz", md5_of(tmp_path / "cifar.tar.gz"))
    cifar.download(CIFAR10._replace(archive=archive), tmp_path)
    assert len(open_split("cifar10", Request(tmp_path, "val"))) == 10_000
    assert (tmp_path / "cifar.tar.gz").is_file()


def test_cifar100_has_the_fine_label(tmp_path):
    """A record of it begins with the coarse label, which is not read."""
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    fine = np.arange(10_000) % 100
    records = np.column_stack([fine // 5, fine, np.repeat(fine[:, None], 3072, axis=1)]).astype(np.uint8)
    records.tofile(folder / "test.bin")
    val = open_split("cifar100", Request(tmp_path, "val"))
    assert val.labels.tolist() == fine.tolist()
    assert (pixels_of(val)[99] == 99).all()
    assert (len(val.class_names), val.class_names[0], val.class_to_index["worm"]) == (100, "apple", 99)
    (folder / "fine_label_names.txt").write_text("\n".join(f"class{index}" for index in range(100)))
    assert open_split("cifar100", Request(folder, "val")).class_names[7] == "class7"
    records[42, 1] = 100
    records.tofile(folder / "test.bin")
    with pytest.raises(UserError, match=r"test.bin: record 42 has the label 100, it must be 0 to 99"):
        open_split("cifar100", Request(tmp_path, "val"))
    with pytest.raises(UserError, match=r"no train.bin in .*--dataset_download.*cifar-100-binary.tar.gz"):
        open_split("cifar100", Request(tmp_path, "train"))


def test_the_training_file_of_cifar100_has_all_images(tmp_path):
    """Its published size: 50,000 records of 3074 bytes."""
    with (tmp_path / "train.bin").open("wb") as file:
        file.truncate(153_700_000)
    assert CIFAR100.train_records == 50_000
    assert open_split("cifar100", Request(tmp_path, "train")).labels.shape == (50_000,)


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
