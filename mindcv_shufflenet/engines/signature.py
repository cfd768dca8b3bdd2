"""What an ONNX model takes and gives, and how images are fed to it whatever that is."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from mindcv_shufflenet.engines.runs import Run, in_batches
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.metadata import EXPORT_ENTRY, entries_of

# Operations behind a softmax whose outputs are probabilities still.
_PASSING = ("Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Flatten", "Reshape", "Squeeze")
_SOFTMAX = ("Softmax", "QLinearSoftmax")
# The logarithm of a probability of 0.
_SMALLEST = np.finfo(np.float32).tiny

# What a classifier must look like to be run.
NEEDED = "one input of square images, [N,C,H,W] float32 or [N,H,W,C] uint8, and one output [N,K] float32"


@dataclass(frozen=True)
class Signature:
    """What a classifier in an ONNX file takes and gives.

    Attributes:
        source: the name of the file in messages.
        input_name: name of the input.
        output_name: name of the output, logits or probabilities.
        batch: how many images it takes at once; None: any number.
        channels: number of channels of an image.
        size: height and width of an image; None: any.
        num_classes: length of its output.
        takes_bytes: it takes ``[N, H, W, C] uint8`` and normalises by itself; else ``[N, C, H, W] float32``.
        gives_probabilities: its output is a softmax.
    """

    source: str
    input_name: str
    output_name: str
    batch: int | None
    channels: int
    size: int | None
    num_classes: int
    takes_bytes: bool = False
    gives_probabilities: bool = False

    def logits(self, images: np.ndarray, run: Run, preprocessing: Preprocessing | None) -> np.ndarray:
        """Feed images to a model in batches that it takes, and return its logits ``[N, num_classes] float32``.

        Args:
            images: ``[N, C, H, W] float32``, normalised.
            run: the model.
            preprocessing: what the images were normalised with; a model that takes bytes gets these out of them.

        Raises:
            UserError: the images have another shape than the model takes.
        """
        size = self.size or images.shape[-1]
        if images.shape[1:] != (self.channels, size, size):
            raise UserError(f"{self.source} takes images {[self.channels, size, size]} and not {[*images.shape[1:]]}")
        if not len(images):
            return np.zeros((0, self.num_classes), np.float32)
        inputs = bytes_of(images, preprocessing) if self.takes_bytes else np.ascontiguousarray(images, np.float32)
        result = in_batches(run, inputs, self.batch)[self.output_name]
        return np.log(np.maximum(result, _SMALLEST)) if self.gives_probabilities else result


def read_signature(model: onnx.ModelProto, source: str) -> Signature:
    """Return the signature of a classifier of images.

    Args:
        model: a model of any project.
        source: its file, for messages.

    Raises:
        UserError: it is no such model; the message tells what it takes and gives.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in constants]
    outputs = [*model.graph.output]
    advice = f"supported: {NEEDED}"
    if EXPORT_ENTRY in entries_of(model):
        advice = "it gives the maps of --features and no classes: export it without"
    misfit = UserError(f"{source} takes {_spell(inputs)} and gives {_spell(outputs)}; {advice}")
    if len(inputs) != 1 or len(outputs) != 1:
        raise misfit
    kind, shape = type_of(inputs[0])
    output_kind, output_shape = type_of(outputs[0])
    takes_bytes = kind == TensorProto.UINT8
    if len(shape) != 4 or len(output_shape) != 2 or output_kind != TensorProto.FLOAT:
        raise misfit
    if kind not in (TensorProto.FLOAT, TensorProto.UINT8):
        raise misfit
    channels, height, width = (shape[3], *shape[1:3]) if takes_bytes else shape[1:]
    classes = output_shape[1]
    is_square = height == width if isinstance(height, int) or isinstance(width, int) else True
    if channels not in (1, 3) or not isinstance(classes, int) or not is_square:
        raise misfit
    return Signature(
        source,
        inputs[0].name,
        outputs[0].name,
        batch_of(inputs[0]),
        channels,
        height if isinstance(height, int) else None,
        classes,
        takes_bytes,
        _is_softmax(model.graph, outputs[0].name),
    )


def batch_of(image: onnx.ValueInfoProto) -> int | None:
    """Return how many images an input takes at once; None: any number."""
    batch = type_of(image)[1][0]
    return batch if isinstance(batch, int) else None


def type_of(info: onnx.ValueInfoProto) -> tuple[int, list[int | str]]:
    """Return the type of an element, and the shape: a number, or the name of what may vary, for each dimension."""
    tensor = info.type.tensor_type
    return tensor.elem_type, [one.dim_value or one.dim_param or "?" for one in tensor.shape.dim]


def _spell(infos: list[onnx.ValueInfoProto]) -> str:
    """Names, shapes and types of inputs or outputs, of the first ones where there are many."""
    parts = []
    for info in infos[:4]:
        kind, shape = type_of(info)
        name = helper.tensor_dtype_to_np_dtype(kind).name if kind in helper.get_all_tensor_dtypes() else "no tensor"
        parts.append(f"{info.name} [{','.join(map(str, shape))}] {name}")
    rest = f" (and {len(infos) - 4} more)" if len(infos) > 4 else ""
    return ", ".join(parts) + rest if parts else "nothing"


def _is_softmax(graph: onnx.GraphProto, output: str) -> bool:
    """Whether an output is a softmax, perhaps quantised."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(output)
    while node and node.op_type in _PASSING:
        node = makers.get(node.input[0])
    return node is not None and node.op_type in _SOFTMAX


def bytes_of(images: np.ndarray, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return the pixels ``[N, H, W, C] uint8``, in RGB, that normalised images came from."""
    assert preprocessing
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in (preprocessing.mean, preprocessing.std))
    pixels = np.rint(images * std + mean).clip(0, 255).astype(np.uint8)
    if preprocessing.channel_order == "bgr":
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
