"""Published archives of data sets: address, checksum, and how one comes into the folder of the data once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.archive import unpack_tar
from mindcv_shufflenet.storage.download import fetch


class Archive(NamedTuple):
    """A published archive.

    Attributes:
        url: its address; the last part is the file's name.
        md5: the publisher's checksum.
        unpack: unpacks the file into a folder.
    """

    url: str
    md5: str
    unpack: Callable[[Path, Path], None] = unpack_tar

    def get(self, data_dir: Path, folder: Path | None, parts: Iterable[str]) -> None:
        """Fetch the archive and unpack it into ``data_dir``, unless the data set is there.

        An archive that is already in ``data_dir`` is used, and kept, if its checksum is right.

        Args:
            data_dir: the folder of the data.
            folder: where some of the data set lies; None: there is nothing of it.
            parts: the files and folders that the data set has in its folder.

        Raises:
            UserError: a part is missing in ``folder``, the address cannot be reached, the checksum of the download is
                wrong, or the disk is full.
        """
        if folder is not None:
            missing = next((part for part in parts if not (folder / part).exists()), None)
            if missing is None:
                return
            raise UserError(f"{folder} is there but has no {missing}: move that folder away, then download again")
        archive = data_dir / self.url.rsplit("/", 1)[-1]
        was_there = archive.exists()
        fetch(self.url, archive, md5=self.md5)
        self.unpack(archive, data_dir)
        if not was_there:
            archive.unlink()
