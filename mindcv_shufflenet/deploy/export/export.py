"""``export``: a network with its weights as a file that other runtimes run, checked before it gets its name."""

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from mindspore import nn

from mindcv_shufflenet.data.classes import check_recorded_classes
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.open import open_data
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.deploy.export.card import Score
from mindcv_shufflenet.deploy.export.exactness import real_images
from mindcv_shufflenet.deploy.export.exported import Exported
from mindcv_shufflenet.deploy.export.form import Form
from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY
from mindcv_shufflenet.deploy.export.metadata import export_metadata
from mindcv_shufflenet.deploy.export.mindir import check_air, write_air, write_mindir
from mindcv_shufflenet.deploy.export.onnx_file import Port, Proven, checked_bytes, int8_model, ports, proven_model
from mindcv_shufflenet.deploy.export.output import check_output, check_sources
from mindcv_shufflenet.deploy.export.overlap import Overlap, find_overlap
from mindcv_shufflenet.deploy.export.package import hf_package, zoo_package
from mindcv_shufflenet.deploy.int8.quantize import SCHEMES, Judge
from mindcv_shufflenet.engines.runtimes import RUNTIMES
from mindcv_shufflenet.errors import UserError, check_keywords
from mindcv_shufflenet.evaluation.evaluate import measure
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.models.base import FeatureExtractor
from mindcv_shufflenet.network import Opened, open_network
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.tables import notes_on_options, paths
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.storage.files import atomic_write
from mindcv_shufflenet.weights.provenance import Settled, settle

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Export:
    """An exported file.

    Attributes:
        file: its path; a package's, where one was asked for.
        model: the network's name.
        format: ``onnx``, ``mindir`` or ``air``.
        precision: ``fp32`` or ``int8``.
        target: what it was made for; None: for anything that runs the format.
        bytes: the size of the model.
        opset: the version of ONNX's operators; None: it is no ONNX model.
        ir_version: the version of ONNX's file format; None likewise.
        inputs: what it takes; empty for files of MindSpore.
        outputs: what it gives, likewise.
        error: largest difference of the float32 model's outputs from MindSpore's, as a share of the largest output;
            None: nothing here runs the format.
        images: real images that the outputs were compared on, beside random ones.
        int8: how the model was quantised, and how near it is to the float32 model; None: it was not.
        notes: a line for each thing that the user may not expect.
    """

    file: str
    model: str
    format: str
    precision: str
    target: str | None
    bytes: int
    opset: int | None
    ir_version: int | None
    inputs: list[Port]
    outputs: list[Port]
    error: float | None
    images: int
    int8: dict[str, Any] | None
    notes: list[str]


@mode_restored()
def export(
    options: Mapping[str, Any],
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    given: Collection[str] | None = None,
    **form: Any,
) -> Export:
    """Write the network that the options name to a file for other runtimes.

    Its outputs are compared with those of MindSpore before it gets its name: on random images, and on some of the
    images of ``calibration`` and of the data set, where the options name one. The card of a package then says how
    accurate the model is on the validation images of that data set.

    Args:
        options: by name, as a recipe has them (docs/options.md).
        output: the file to write, or the package.
        overwrite: replace what is there.
        given: names of the options that the log names where they have no effect; None: all of ``options``.
        form: what the file is like; the attributes of :class:`~mindcv_shufflenet.deploy.export.form.Form`, such as
            ``format="onnx"``, ``opset=17``, ``int8=True``.

    Raises:
        UserError: an option or choice is wrong, there are no weights, the output is there or cannot be written, or the
            opset lacks what the network needs.
        RunError: the file would not compute what the network does.
    """
    check_keywords("export", form, ["overwrite", *(field.name for field in fields(Form))])
    chosen, output = Form(**form), Path(output)
    check_output(output, chosen, overwrite)
    settled = settle(options, with_data=True)
    check_sources(output, {name: options.get(name) for name in paths()} | {"calibration": chosen.calibration})
    if settled.weights is None and not settled.config.random_weights:
        raise UserError(
            "there is nothing to export: give --ckpt_path FILE or --pretrained (or --random_weights for an untrained"
            " network)"
        )
    machine, adapted = set_up(settled.config.replace(mode=1))  # compiling takes longer than a few images
    if chosen.format == "air":
        check_air(machine.device)
    split = _validation_images(settled, options)
    opened = open_network(settled, split.num_classes if split else None)
    unused = notes_on_options("export", settled.config, options if given is None else given)
    notes = [*opened.notes, *unused, *adapted]
    for note in notes:
        _logger.info(note)
    source = _Source(settled, opened, FeatureExtractor(opened.network) if chosen.features else opened.network)
    if chosen.format != "onnx":
        return _export_mindspore(source, chosen, output, notes)
    return _export_onnx(source, chosen, output, _Images(split, machine), notes)


def _validation_images(settled: Settled, options: Mapping[str, Any]) -> Split | None:
    """Open the validation split of the data set that the user names; None where he names none."""
    if not options.keys() & {"dataset", "data_dir"}:
        return None
    config = settled.config
    split = open_data(config, config.val_split, settled.classes, settled.held_out, config.num_samples)
    check_recorded_classes(settled.classes, split)
    return split


class _Images(NamedTuple):
    """Validation images, if there are any, and the machine that reads them."""

    split: Split | None
    machine: Machine

    def shared_with(self, calibration: str | os.PathLike[str] | None) -> Overlap | None:
        """How many calibration images are among them; None where that is not known."""
        return find_overlap(calibration, self.split.images) if calibration and self.split else None

    def judge(self, config: Config) -> Judge | None:
        """What runs a network over the validation images."""
        split = self.split
        return None if split is None else lambda forward: measure(config, split, forward, self.machine)[0]


@dataclass(frozen=True)
class _Source:
    """What is exported: a network, or the maps of one, with what belongs to it."""

    settled: Settled
    opened: Opened
    network: nn.Cell

    @property
    def model(self) -> str:
        return self.settled.config.model_name.model


def _export_mindspore(source: _Source, form: Form, output: Path, notes: list[str]) -> Export:
    """Write a file of MindSpore."""
    size, error = source.opened.preprocessing.image_resize, None
    if form.format == "mindir":
        error = write_mindir(source.network, output, size=size, batch=form.fixed_batch)
    else:
        write_air(source.network, output, size=size, batch=form.fixed_batch or 1)
    return Export(
        file=str(output),
        model=source.model,
        format=form.format,
        precision="fp32",
        target=None,
        bytes=output.stat().st_size,
        opset=None,
        ir_version=None,
        inputs=[],
        outputs=[],
        error=error,
        images=0,
        int8=None,
        notes=notes,
    )


def _export_onnx(source: _Source, form: Form, output: Path, images: _Images, notes: list[str]) -> Export:
    """Write an ONNX file, or a package with one."""
    settled, preprocessing = source.settled, source.opened.preprocessing
    compared_on = real_images(settled, images.split, form.calibration, images.machine.workers)
    made = proven_model(source.network, preprocessing, form, compared_on)
    describe = partial(export_metadata, settled, source.opened, form)
    if form.int8:
        shared = images.shared_with(form.calibration)
        if shared and shared.warning:
            notes = [*notes, shared.warning]
            _logger.info(shared.warning)
        judge = images.judge(settled.config)
        made = int8_model(made, form, describe(None), create_transform(preprocessing), judge)
        made = made._replace(int8={**(made.int8 or {}), "calibration_in_validation": shared and shared.shared})
    model = made.model
    content = checked_bytes(model, describe(made.int8) | {GOLDEN_ENTRY: made.golden.dump()})
    if form.package is None:
        with atomic_write(output) as file:
            file.write(content)
    else:
        exported, measured = Exported.of(model), _scores(made, form, settled.config, images)
        if form.package == "zoo":
            zoo_package(exported, output, measured)
        else:
            weights = {parameter.name: parameter.asnumpy() for parameter in source.network.get_parameters()}
            hf_package(exported, output, weights, measured)
    return Export(
        file=str(output),
        model=source.model,
        format="onnx",
        precision="int8" if form.int8 else "fp32",
        target=form.runs_on,
        bytes=len(content),
        opset=form.opset,
        ir_version=model.ir_version,
        inputs=ports(model.graph.input),
        outputs=ports(model.graph.output),
        error=made.error,
        images=len(compared_on),
        int8=made.int8,
        notes=notes,
    )


def _scores(made: Proven, form: Form, config: Config, images: _Images) -> list[Score]:
    """The accuracy of a model on the validation images, if there are any."""
    judge = images.judge(config)
    if images.split is None or judge is None:
        return []
    name = SCHEMES[form.runs_on].engine if form.int8 else "onnxruntime"
    metrics = made.metrics or judge(RUNTIMES[name](made.model))
    where = f"{RUNTIMES[name].title} {version(name)} on {processor().name}, {counted(count_cores(), 'core')}"
    dataset = images.split.dataset or config.dataset
    return [Score(dataset, metrics.images, metrics.top1, metrics.top5, where, config.val_split)]
