"""``fit``: :func:`mindcv_shufflenet.fit`, its result for people and as JSON."""

import argparse
import shlex
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.errors import Interrupted
from mindcv_shufflenet.evaluation.calibration import MIN_SURE
from mindcv_shufflenet.fitting.fit import fit
from mindcv_shufflenet.fitting.result import right_on
from mindcv_shufflenet.training.display import clock


def run(arguments: argparse.Namespace) -> None:
    """Fit a network to photos and print what has come out."""
    with reporting(arguments, survives=True) as console:
        result = fit(
            arguments.photos,
            arguments.out,
            seconds=arguments.time,
            options={name: value for name, value in arguments.options.items() if name != "overwrite"},
            overwrite=arguments.options.get("overwrite", False),
            console=console,
            begin=arguments.begin,
        )
        console.print(f"{right_on(result.right, result.images)}, after {clock(result.seconds)}")
        if result.threshold is None:
            console.print(
                f"no answer counts as sure: fewer than {MIN_SURE} photos were held out, or the answers with the highest"
                " probability are not much better than the others"
            )
        else:
            sure = f"probability {100 * result.threshold:.0f} % or more"
            console.print(
                f"sure of {result.sure_share:.0f} % of the photos held out ({sure}): right on {result.sure_top1:.1f} %"
            )
        for name in ("checkpoint", "onnx", "int8", "report"):
            if path := getattr(result, name):
                console.print(f"{name}: {path}")
        script = shlex.quote(str(result.script))
        console.print(f"python {script} PHOTO...    # what is on a photo; needs onnxruntime, numpy and pillow")
    write_json(arguments.json, asdict(result))
    if result.interrupted:
        raise Interrupted("the training was ended early; the best weights so far are exported", result.interrupted)
