"""What an exported ONNX file says of itself, as text by name in its ``metadata_props``.

``mindcv_shufflenet`` is what every weights file of this suite says (``weights/metadata.py``),
``mindcv_shufflenet.export`` how the file was made, and ``mindcv_shufflenet.golden`` what it has to compute
(``golden.py``). The other names are for people and for programs that know nothing of this suite: ``model``, ``labels``
(one a line), ``preprocessing`` (JSON), ``licence``, ``weights_sha256``.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindcv_shufflenet.deploy.export.form import Form
from mindcv_shufflenet.network import Opened
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.weights.metadata import ENTRY, EXPORT_ENTRY, Metadata, metadata_of
from mindcv_shufflenet.weights.provenance import Settled
from mindcv_shufflenet.weights.publication import publication

_FORMAT = 1
NOT_KNOWN = "not known"


def export_metadata(settled: Settled, opened: Opened, form: Form, int8: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the metadata of an exported model, but for its golden data.

    What they say of the data is what the weights were trained with, and not what the user judges the model on.

    Args:
        settled: the options and the weights.
        opened: the network, with its preprocessing and classes.
        form: what the file is like.
        int8: how it was quantised; None: it is float32.
    """
    config, weights = settled.config, settled.weights
    known = {*settled.data, *names_of("network", "preprocessing")}
    own = (weights and weights.metadata) or Metadata({})
    sha256 = hashlib.sha256(Path(weights.source).read_bytes()).hexdigest() if weights else None
    found = publication(settled, sha256) if sha256 else None
    proven = found.record if found and found.is_proven else None
    licence = proven.licence if proven else NOT_KNOWN
    made = {
        "format": _FORMAT,
        "precision": "int8" if int8 else "fp32",
        "target": form.runs_on,
        "channel_shuffle": form.shuffle,
        "weights": Path(weights.source).name if weights else None,
        "weights_sha256": sha256,
        "published_as": proven.name if proven else None,
        "named_as": found.record.name if found and not found.is_proven else None,
        "licence": licence,
        "int8": int8,
    }
    told = metadata_of(config.replace(**settled.data), settled.classes, names=known).with_weights_of(own)
    return {
        ENTRY: told.dump(),
        EXPORT_ENTRY: json.dumps(made),
        "model": config.model_name.model,
        "preprocessing": json.dumps(opened.preprocessing.options()),
        "licence": licence,
        **({"weights_sha256": sha256} if sha256 else {}),
        **({"labels": "\n".join(opened.class_names)} if opened.class_names and not form.features else {}),
    }
