"""Published weights: where they are, how they are checked, and the preprocessing that belongs to them.

The module of a family lists those of its models, as ``PUBLISHED``. Scores are those that the publisher gives, in
percent. No address here was visited from this project's own machines, so the
checksums are the publishers' (the digits in the files' names).
"""

import pkgutil
from importlib import import_module
from pathlib import Path

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.families import aliases
from mindcv_shufflenet.options.model_name import ModelName
from mindcv_shufflenet.storage.download import fetch_to_cache
from mindcv_shufflenet.weights.records.base import Record

# Records by name. Those of mindcv come first for each model: a model without a tag means them.
RECORDS: dict[str, Record] = {}

# Names that other projects have for a model with its weights. The recipe of that name is in configs/.
ALIASES = {
    "shufflenet-v1-1x_16xb64_in1k": "shufflenet_v1_g3_x1_0.mmpretrain_in1k",
    "shufflenet-v2-1x_16xb64_in1k": "shufflenet_v2_x1_0.mmpretrain_in1k",
}

for _module in pkgutil.iter_modules(__path__):
    _published = getattr(import_module(f"{__name__}.{_module.name}"), "PUBLISHED", ())
    RECORDS |= {record.name: record for record in _published}


def parse_name(name: str) -> ModelName:
    """Return model and tag of ``MODEL``, ``MODEL.TAG`` or an alias of either."""
    model, tag = ModelName.parse(ALIASES.get(name, name))
    return ModelName(aliases().get(model, model), tag)


def find_record(name: str) -> Record | None:
    """Return the record of ``MODEL.TAG`` or an alias; None for a model without a tag.

    Raises:
        UserError: the model has no weights of that tag.
    """
    parsed = parse_name(name)
    if parsed.tag is None:
        return None
    if str(parsed) not in RECORDS:
        tags = [record.tag for record in RECORDS.values() if record.model == parsed.model]
        raise UserError(
            f"unknown weights {name}{nearest(str(parsed), RECORDS)}; "
            + (
                f"{parsed.model} has {', '.join(tags)}"
                if tags
                else "`shufflenet models` lists the models and their weights"
            )
        )
    return RECORDS[str(parsed)]


def get_pretrained_cfg(name: str) -> Record:
    """Return the record that ``pretrained`` means for a name: its tag's, or the model's first.

    Raises:
        UserError: there are no published weights of that name.
    """
    record = find_record(str(name))
    if record is None:
        model = parse_name(str(name)).model
        record = next((record for record in RECORDS.values() if record.model == model), None)
    if record is None:
        known = {record.model for record in RECORDS.values()}
        raise UserError(
            f"there are no published weights of {name}{nearest(name, known)}; `shufflenet models` lists the networks"
            " and their weights; other weights go with --ckpt_path"
        )
    return record


def fetch_record(record: Record) -> Path:
    """Return the weights file of a record, out of the cache or from its address.

    Raises:
        UserError: as :func:`mindcv_shufflenet.storage.download.fetch`, or the record has no address.
    """
    if record.url is None:
        raise UserError(
            f"{record.name} has no stable address: get the file from {record.by_hand} and give it with --ckpt_path"
        )
    return fetch_to_cache(record.url, sha256=record.sha256, size=record.size)
