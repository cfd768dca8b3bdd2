"""The files that inference_peers.py times: a network exported by PyTorch and ours, in float32 and in int8."""

from pathlib import Path
from typing import Any

import numpy as np

from mindcv_shufflenet.families.shufflenet_v1 import FAMILY as SHUFFLENET_V1
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY as SHUFFLENET_V2

# Models whose parameters in PyTorch have names that can be translated, and the layout of these.
SAME_WEIGHTS = {
    **dict.fromkeys(SHUFFLENET_V1.variants, "imgclsmob"),
    **dict.fromkeys(SHUFFLENET_V2.variants, "torchvision"),
}


class Files:
    """The files that the contenders of a model read: PyTorch's parameters and logits, others when one asks for them.

    Args:
        folder: where they lie.
        model: the name of the model.

    Raises:
        ImportError: the package that has the model is not installed.
        ValueError: the package cannot build the model.
    """

    def __init__(self, folder: Path, model: str) -> None:
        import torch
        from torch_networks import torch_network

        self.folder, self.model, self.network = folder, model, torch_network(model)
        self.images = np.random.default_rng(0).standard_normal((8, 3, 224, 224), np.float32)
        np.savez(folder / "state.npz", **{name: one.numpy() for name, one in self.network.state_dict().items()})
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(self.images)).numpy()
        np.savez(folder / "images.npz", images=self.images, logits=logits)

    def onnx(self, name: str) -> Path:
        """The model of ``export`` or of ``ours`` for a target (``ours-x86``)."""
        path = self.folder / f"{name}.onnx"
        if path.exists():
            return path
        if name == "export":
            import torch

            example, axes = torch.from_numpy(self.images[:2]), {"image": {0: "batch"}, "logits": {0: "batch"}}
            torch.onnx.export(
                self.network, (example,), str(path), dynamo=False, opset_version=17, input_names=["image"],
                output_names=["logits"], dynamic_axes=axes,
            )  # fmt: skip
        else:
            import onnx

            from mindcv_shufflenet.graph.interface import Interface
            from mindcv_shufflenet.graph.model import onnx_model

            target = name.partition("-")[2]
            onnx.save(onnx_model(our_network(self.folder, self.model), Interface(224), target=target), path)
        return path

    def ours_int8(self, name: str) -> Path:
        """Our model for a target in int8, as ``shufflenet export --int8`` makes it."""
        path = self.folder / f"{name}-int8.onnx"
        if not path.exists():
            import onnx

            from mindcv_shufflenet.deploy.int8.calibration import Calibration
            from mindcv_shufflenet.deploy.int8.quantize import quantize

            images = [*self.images]
            calibration = Calibration(images, images, np.asarray)
            onnx.save(quantize(onnx.load(self.onnx(name)), calibration, name.partition("-")[2]).model, path)
        return path

    def onnxruntime_int8(self, name: str) -> Path:
        """A model in int8 by ONNX Runtime's tool."""
        path = self.folder / f"{name}-int8.onnx"
        if path.exists():
            return path
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(quantization.CalibrationDataReader):
            def __init__(self, images: np.ndarray) -> None:
                self.batches = iter([images])

            def get_next(self) -> dict[str, np.ndarray] | None:
                return next(({"image": batch} for batch in self.batches), None)

        prepared = self.folder / f"{name}-prepared.onnx"
        quant_pre_process(str(self.onnx(name)), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(path), Reader(self.images), per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        return path

    def openvino_int8(self, name: str) -> Path:
        """A model in int8 by NNCF, in OpenVINO's format."""
        path = self.folder / f"{name}.xml"
        if path.exists():
            return path
        import nncf
        import openvino

        nncf.set_log_level("ERROR")
        images = nncf.Dataset([image[None] for image in self.images])
        openvino.save_model(nncf.quantize(openvino.Core().read_model(str(self.onnx(name))), images), str(path))
        return path


def our_network(folder: Path, model: str) -> Any:
    """Our network with PyTorch's parameters, or with newly drawn ones where their names cannot be translated."""
    import mindspore as ms

    from mindcv_shufflenet.network import create_model

    if layout := SAME_WEIGHTS.get(model):
        return create_model(model, layout=layout, checkpoint_path=folder / "state.npz").set_train(False)
    ms.set_seed(0)
    return create_model(model).set_train(False)
