"""A network as an ONNX model that is proven to compute the same and carries what it takes to use and check it."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import onnx
from mindspore import nn
from onnx import helper
from onnx.reference import ReferenceEvaluator

from mindcv_shufflenet.data.images import ImageLike
from mindcv_shufflenet.deploy.export.exactness import Reference, normalised
from mindcv_shufflenet.deploy.export.form import Form
from mindcv_shufflenet.deploy.export.golden import IMAGES, Golden, golden_pixels
from mindcv_shufflenet.deploy.int8.calibration import open_calibration
from mindcv_shufflenet.deploy.int8.quantize import SCHEMES, Judge, quantize
from mindcv_shufflenet.engines.onnx_engine import Settings
from mindcv_shufflenet.engines.runs import Run, explained, in_batches
from mindcv_shufflenet.engines.runtimes import RUNTIMES
from mindcv_shufflenet.engines.signature import batch_of, type_of
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.options.preprocessing import Preprocessing

# The largest error of a runtime elsewhere, as a share of the largest output: it may multiply by faster and less exact
# algorithms (Winograd).
_TOLERANCE = 1e-3
# The same of int8 models: runtimes round sums differently. Measured against ONNX's reference: on x1.0 ONNX Runtime
# 1.20.1 and 1.31.1 have up to 0.041, OpenVINO 0.019; on MobileNetV2 with random weights OpenVINO has 0.041. ONNX
# Runtime 1.23.1, which computes int8 incorrectly on processors with VNNI or AMX, has 1.04 on x1.0; where one weight in
# a hundred of the six largest tensors is lost it is 0.2, and one in twenty 0.5.
_INT8_TOLERANCE = 0.12
# ONNX's reference of QuantizeLinear begins here. What int8 models are made of means the same in all opsets from 13 on.
_REFERENCE_OPSET = 21


class Proven(NamedTuple):
    """A model that computes what a network does.

    Attributes:
        model: float32 or int8.
        error: largest difference of the float32 outputs from MindSpore's, as a share of the largest output.
        golden: inputs, and the outputs that the model has for them.
        int8: how it was quantised; None: it was not.
        metrics: the accuracy of the int8 model on validation images; None: there are none, or it is float32.
    """

    model: onnx.ModelProto
    error: float
    golden: Golden
    int8: dict[str, Any] | None = None
    metrics: Metrics | None = None


class Port(NamedTuple):
    """An input or output of a model: its name, the type of its elements, and its shape, where names vary."""

    name: str
    dtype: str
    shape: list[int | str]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]"


def proven_model(network: nn.Cell, preprocessing: Preprocessing, form: Form, images: np.ndarray) -> Proven:
    """Write a network as an ONNX model, and compare it on ONNX Runtime with MindSpore.

    Args:
        network: gives logits, or the maps of its stages.
        preprocessing: the preprocessing of its images.
        form: what the model is like.
        images: real ones to compare on beside random ones, ``[N, C, H, W] float32``; N may be 0.

    Raises:
        RunError: the outputs differ too much.
        UserError: the opset lacks what the network needs, or ONNX Runtime cannot run it.
    """
    interface = form.interface(network.plan.family, preprocessing)
    model = onnx_model(network, interface, opset=form.opset, shuffle=form.shuffle, target=form.runs_on)
    reference = Reference(network, interface)
    error = reference.proven_error(_start(model), "ONNX Runtime", images)
    batch = min(IMAGES, interface.batch or IMAGES)
    pixels = golden_pixels(batch, interface.size, interface.size, network.plan.in_channels)
    inputs = normalised(pixels, interface.normalize)
    golden = Golden.of(
        reference.taken(inputs), reference(inputs), _TOLERANCE, "MindSpore", probabilities=interface.softmax
    )
    return Proven(model, error, golden)


def _start(model: onnx.ModelProto, engine: str = "onnxruntime") -> Run:
    with explained(f"{RUNTIMES[engine].title} cannot run the model", "give another --opset"):
        # golden outputs are float32's; OpenVINO would choose bf16 where the processor has it
        return RUNTIMES[engine].start(model, Settings(precision="fp32")).run


def int8_model(
    proven: Proven,
    form: Form,
    metadata: dict[str, str],
    transform: Callable[[ImageLike], np.ndarray],
    judge: Judge | None,
) -> Proven:
    """Quantise a float32 model.

    Args:
        proven: the model.
        form: what the int8 model is like.
        metadata: what the float32 model says of itself, such as how it normalises bytes.
        transform: a function from an image to the network's input, ``[C, H, W] float32``.
        judge: runs a network over validation images; None: there are none.

    Raises:
        UserError: a calibration image cannot be read, or the target's runtime is not installed.
        RunError: the target's runtime computes the model incorrectly here.
    """
    assert form.calibration
    helper.set_model_props(proven.model, metadata)
    calibration = open_calibration(form.calibration, transform, form.calibration_images)
    found = quantize(proven.model, calibration, form.runs_on, judge, searches=form.int8_search)
    golden = _int8_golden(found.model, proven.golden, form.runs_on)
    return Proven(found.model, proven.error, golden, found.settings(), found.after)


def _int8_golden(model: onnx.ModelProto, golden: Golden, target: str) -> Golden:
    """Golden data of an int8 model, computed by ONNX's reference: a runtime might have the fault that they are to show.

    The inputs are those of the float32 model. A runtime that computes the model incorrectly here is an error, since
    then nothing that was measured on the model holds.
    """
    stamped = onnx.ModelProto()
    stamped.CopyFrom(model)
    for one in stamped.opset_import:
        if not one.domain:
            one.version = max(one.version, _REFERENCE_OPSET)
    images = golden.images
    names = [output.name for output in model.graph.output]
    outputs = dict(zip(names, ReferenceEvaluator(stamped).run(names, {model.graph.input[0].name: images}), strict=True))
    found = Golden.of(images, outputs, _INT8_TOLERANCE, "ONNX's reference", probabilities=golden.probabilities)
    run = _start(model, SCHEMES[target].engine)
    error = found.error(in_batches(run, images, batch_of(model.graph.input[0])))
    if not error <= _INT8_TOLERANCE:
        raise RunError(
            f"the runtime for target {target} computes the int8 model incorrectly on this machine: its outputs differ"
            f" from ONNX's reference by {error:.1e} of the largest; install another version of it and export again"
        )
    return found


def checked_bytes(model: onnx.ModelProto, metadata: dict[str, str]) -> bytes:
    """Return the content of the file of a model with some metadata, checked by ONNX's checker and shape inference."""
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def ports(infos: Collection[onnx.ValueInfoProto]) -> list[Port]:
    """Return what a model takes (``graph.input``) or gives (``graph.output``)."""
    kinds = ((info.name, *type_of(info)) for info in infos)
    return [Port(name, helper.tensor_dtype_to_np_dtype(kind).name, shape) for name, kind, shape in kinds]
