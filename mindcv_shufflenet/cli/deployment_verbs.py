"""The verbs of deployment: write a network for other runtimes, check what they compute, and measure their speed."""

from pathlib import Path

from mindcv_shufflenet.cli.arguments import argument, count, name_of, picture, seconds, switch
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.options.names import ENGINES, EXPORT_FORMATS, PACKAGES, PRECISIONS, SHUFFLE_FORMS, TARGETS

# Those that run exported files.
_RUNTIMES = [name for name in ENGINES if name != "mindspore"]


def _is_speed_table(path: Path) -> bool:
    """Return whether a file is empty, or an earlier table of speeds."""
    from mindcv_shufflenet.commands.speed_tables import is_table

    return is_table(path)


def _is_plot(path: Path) -> bool:
    """Return whether a file is empty, or an earlier plot of speeds."""
    from mindcv_shufflenet.report.speed_plot import is_plot  # matplotlib is slow to import

    return is_plot(path)


DEPLOYMENT_VERBS: dict[str, Verb] = {
    "export": Verb(
        "write a network as a file for other runtimes, checked against MindSpore",
        (
            "--ckpt_path x.ckpt --output x.onnx",
            "--ckpt_path x.ckpt --output x.onnx --int8 --calibration DIR",
            "--ckpt_path x.ckpt --output x.mindir --format mindir",
        ),
        {"file", "format", "precision", "error"},
        (
            argument("--output", metavar="PATH", required=True, is_path=True, text="the file or package to write"),
            argument(
                "--format",
                type=name_of("format", EXPORT_FORMATS),
                default="onnx",
                metavar="FORMAT",
                text="onnx (default), mindir: MindSpore, air: Ascend",
            ),
            argument(
                "--target",
                type=name_of("target", TARGETS),
                metavar="TARGET",
                text=f"for {', '.join(TARGETS)} (default: this machine; arm was not run here)",
            ),
            switch("--int8", text="quantise to int8, on the images of --calibration"),
            switch(
                "--int8_search",
                default=True,
                text="where int8 is too far from float32, look for layers that had better stay float32 (minutes)",
                is_common=False,
            ),
            argument(
                "--calibration",
                metavar="DIR",
                is_path=True,
                text="images like those that the network will see; the outputs are compared on some of them",
            ),
            argument(
                "--calibration_images",
                type=int,
                metavar="N",
                is_common=False,
                text="of more images than that, take so many for int8, evenly spaced (default: 1000)",
            ),
            argument(
                "--package",
                type=name_of("package", PACKAGES),
                metavar="KIND",
                text="zoo: .tar.gz (ONNX model zoo); hf: Hugging Face",
            ),
            switch("--overwrite", text="replace an output that is there"),
            argument(
                "--opset", type=int, metavar="N", is_common=False, text="version of ONNX's operators (default: 17)"
            ),
            argument(
                "--channel_shuffle",
                type=name_of("channel_shuffle", SHUFFLE_FORMS),
                metavar="FORM",
                is_common=False,
                text="pieces: channels are made in the order in which they are read (default); transpose; gather",
            ),
            argument(
                "--fixed_batch",
                type=count,
                metavar="N",
                is_common=False,
                text="images at once (default: any number)",
            ),
            switch("--dynamic_size", text="take images of any height and width", is_common=False),
            switch("--softmax", text="give probabilities instead of logits", is_common=False),
            switch("--zoo_names", text="name input and output as the ONNX model zoo does", is_common=False),
            switch(
                "--normalize",
                text="take [N, H, W, C] uint8 RGB images and normalise them in the model",
                is_common=False,
            ),
            switch("--features", text="give the maps of the stages instead of logits", is_common=False),
        ),
        needs="weights, and the file to write",
    ),
    "check": Verb(
        "see whether a runtime computes an exported file correctly on this machine",
        ("x1_0.onnx", "x1_0.onnx --engine openvino", "x1_0.onnx --json -"),
        {"file", "engine", "error", "agrees"},
        (
            argument("file", metavar="FILE", text="what export has written", is_path=True),
            argument(
                "--engine",
                type=name_of("engine", _RUNTIMES),
                default="onnxruntime",
                metavar="ENGINE",
                text="the runtime: onnxruntime (default) or openvino",
            ),
        ),
        needs="a file that export has written",
    ),
    "benchmark": Verb(
        "measure the speed of networks on this machine",
        (
            "--models 'shufflenet_v2_x*' --plot speed.png",
            "--models shufflenet_v2_x1_0 --engine openvino",
            "--models x1_0.onnx --batch_size 1 8 32",
        ),
        {"processor", "peak_gflops", "results"},
        (
            argument(
                "--models",
                nargs="+",
                required=True,
                metavar="NAME",
                text="names of networks, with wildcards or a part of the name, and exported ONNX files",
                is_path=True,
            ),
            argument(
                "--batch_size",
                nargs="+",
                type=count,
                default=[1, 8],
                metavar="N",
                text="images at once (default: 1 8)",
            ),
            argument(
                "--engine",
                nargs="+",
                type=name_of("engine", ENGINES),
                default=["onnxruntime"],
                metavar="ENGINE",
                text=f"runtimes: {', '.join(ENGINES)} (default: onnxruntime)",
            ),
            argument(
                "--precision",
                nargs="+",
                type=name_of("precision", PRECISIONS),
                default=["fp32"],
                metavar="NUMBERS",
                text=f"numbers to compute in: {', '.join(PRECISIONS)} (default: fp32)",
            ),
            argument("--repeats", type=count, default=5, metavar="N", text="rounds in turn (default: 5)"),
            argument("--seconds", type=seconds, default=1.0, metavar="S", text="that each takes a round (default: 1)"),
            argument(
                "--csv",
                metavar="PATH",
                text="write a table there, with timm's columns; - for standard output",
                is_path=True,
                is_earlier=_is_speed_table,
            ),
            argument(
                "--plot",
                type=picture,
                metavar="PATH",
                text="draw published top-1 against speed there: a .png or .svg",
                is_path=True,
                is_earlier=_is_plot,
            ),
        ),
        needs="--models",
    ),
}
