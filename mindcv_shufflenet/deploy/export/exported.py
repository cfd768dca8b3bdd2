"""What an exported ONNX model says of itself."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import onnx

from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY, Golden
from mindcv_shufflenet.engines.model_file import read_model_file
from mindcv_shufflenet.engines.signature import Signature
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import Layers
from mindcv_shufflenet.families.costs import Complexity, layer_costs, total
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.metadata import EXPORT_ENTRY, Metadata, entries_of
from mindcv_shufflenet.weights.records import RECORDS
from mindcv_shufflenet.weights.records.base import Record


@dataclass(frozen=True)
class Exported:
    """An exported classifier.

    Attributes:
        model: the whole of it.
        signature: what it takes and gives.
        metadata: what is known of its network.
        settings: how it was exported (``metadata.py``).
        golden: what it has to compute.
        labels: the name of each class; empty where they are not known.
    """

    model: onnx.ModelProto
    signature: Signature
    metadata: Metadata
    settings: dict[str, Any]
    golden: Golden
    labels: tuple[str, ...]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> Self:
        """Return what a model says that :func:`mindcv_shufflenet.export` has made."""
        file, entries = read_model_file(model), entries_of(model)
        assert file.metadata
        settings, golden = json.loads(entries[EXPORT_ENTRY]), Golden.parse(entries[GOLDEN_ENTRY])
        labels = tuple(entries.get("labels", "").splitlines())
        return cls(model, file.signature, file.metadata, settings, golden, labels)

    @cached_property
    def content(self) -> bytes:
        """The content of its file."""
        return self.model.SerializeToString()

    @property
    def name(self) -> str:
        """The name of the network."""
        return str(self.metadata.options["model"])

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of its images."""
        return Preprocessing.from_options(self.metadata.options)

    @property
    def layers(self) -> Layers:
        """The description of the network."""
        family = find_family(self.name)
        sizes = {"in_channels": self.signature.channels, "num_classes": self.signature.num_classes}
        return family.describe(self.name, **sizes, **self.network_options)

    @property
    def network_options(self) -> dict[str, Any]:
        """The network options, by name."""
        return find_family(self.name).resolve(self.name, self.metadata.options)

    @property
    def complexity(self) -> Complexity:
        """The parameters of the network, and the multiply-adds of one image."""
        return total(one.cost for one in layer_costs(self.layers, self.preprocessing.image_resize))

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return next(one.version for one in self.model.opset_import if not one.domain)

    @property
    def is_int8(self) -> bool:
        """Whether it is quantised."""
        return self.settings.get("precision") == "int8"

    @property
    def licence(self) -> str | None:
        """The licence of the weights; None where it is not known."""
        return self.record.licence if self.record else None

    @property
    def record(self) -> Record | None:
        """The record of its weights; None where they are not proven to be published ones."""
        return RECORDS.get(self.settings.get("published_as") or "")

    @property
    def is_as_published(self) -> bool:
        """Whether network and preprocessing are the publisher's, so that the published score holds of float32."""
        if self.record is None:
            return False
        own = self.network_options | self.preprocessing.options()
        return all(own.get(name) == value for name, value in self.record.options().items())

    @property
    def has_assumed_labels(self) -> bool:
        """Whether the names of the classes are ImageNet's since there are 1000 and nothing tells others."""
        known = self.record or self.metadata.classes or self.metadata.options.get("dataset")
        return bool(self.labels) and not known

    @property
    def dataset(self) -> str | None:
        """The data set of the training: the record's, or what the training has written; None where it is not known."""
        if self.record:
            return self.record.dataset
        return None if self.settings.get("named_as") else self.metadata.options.get("dataset")

    @property
    def sha256(self) -> str:
        """The checksum of its file."""
        return hashlib.sha256(self.content).hexdigest()
