"""The verbs of several trainings, and of what one has left: sweep, average, report."""

from mindcv_shufflenet.cli.arguments import argument, count, duration, epoch_range, name_of, switch
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.storage.run_directory import is_of_report

RUN_VERBS: dict[str, Verb] = {
    "fit": Verb(
        "make a working model of a folder of photos, within a time",
        ("photos", "photos --time 5m --out birds", "photos --ckpt_path shufflenet_v2_x1_0.ckpt"),
        {"model", "photos", "top1", "onnx", "report"},
        (
            argument(
                "photos",
                metavar="PHOTOS",
                text="a folder with a folder of photos for each class, or with train/ and val/, which hold such",
                is_path=True,
            ),
            argument(
                "--time",
                type=duration,
                default=600.0,
                metavar="TIME",
                text="90s, 10m (default), 1h, ...; a number alone: minutes",
            ),
            argument("--out", default="fit", metavar="DIR", text="where the result goes (default: fit)", is_path=True),
        ),
        needs="a folder of photos",
    ),
    "selftest": Verb(
        "see whether all that this package does works on this machine, in about a minute",
        ("", "--device_target Ascend --ranks 8", "--json -"),
        {"passed", "checks"},
        (
            argument(
                "--ranks",
                type=count,
                default=2,
                metavar="N",
                text="ranks that mpirun starts to average a gradient (default: 2; 1: none)",
            ),
        ),
    ),
    "sweep": Verb(
        "train several runs, one after the other, and compare them",
        ("sweep.yaml", "sweep.yaml --output sweeps/rates", "sweep.yaml --json result.json"),
        {"folder", "runs"},
        (
            argument("file", metavar="FILE", text="the runs, YAML (docs/sweep.md)", is_path=True),
            argument(
                "--output",
                metavar="DIR",
                is_path=True,
                text="the folder of the runs (default: the file's name without suffix, in this folder)",
            ),
        ),
        needs="a file that lists the runs",
    ),
    "average": Verb(
        "average the weights of several checkpoints",
        (
            "ckpt --last 5 --validate",
            "ckpt --epochs 21-30 --recompute_bn 10000",
            "a.ckpt b.ckpt --output average.ckpt",
        ),
        {"output", "members"},
        (
            argument(
                "sources",
                nargs="+",
                metavar="RUN|FILE",
                is_path=True,
                text="a run directory, whose numbered checkpoints are averaged, or checkpoints of one network",
            ),
            argument(
                "--output",
                metavar="PATH",
                is_path=True,
                text="the file to write (default: MODEL-average.ckpt beside the last checkpoint)",
            ),
            argument("--last", type=count, metavar="N", text="the N latest of the run (default: all)"),
            argument("--epochs", type=epoch_range, metavar="A-B", text="those of these epochs"),
            argument(
                "--recompute_bn",
                type=count,
                default=0,
                metavar="N",
                text="compute the BatchNorm statistics anew over N training images (default: average them too)",
            ),
            switch("--validate", text="score the members and the average"),
            switch("--overwrite", text="replace an output that is there"),
        ),
        needs="a run directory, or checkpoints",
    ),
    "report": Verb(
        "write report.html: curves, confusion matrices, errors, calibration",
        ("ckpt", "ckpt --full --lang zh", "runs/first runs/second --output comparison.html"),
        {"file", "runs", "best_top1"},
        (
            argument("runs", nargs="+", metavar="RUN", text="run directories, also of trainings at work", is_path=True),
            argument(
                "--output",
                metavar="FILE",
                text="the page (default: report.html in the run directory; of several runs here)",
                is_path=True,
                is_earlier=is_of_report,
            ),
            switch("--full", text="evaluate all training images, not as many as there are validation images"),
            argument(
                "--lang",
                type=name_of("language", ("en", "zh")),
                default="en",
                metavar="LANGUAGE",
                text="what the page shows at first: en (default) or zh",
            ),
        ),
        needs="a run directory",
    ),
}
