"""``report``: the page of :func:`mindcv_shufflenet.write_report`, its main figures for people and as JSON."""

import argparse
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.report.write import write_report


def run(arguments: argparse.Namespace) -> None:
    """Write the report and print what stands in it."""
    with reporting(arguments) as console:
        report = write_report(
            arguments.runs,
            output=arguments.output,
            full=arguments.full,
            language=arguments.lang,
            options=arguments.options,
            console=console,
        )
    for folder, top1 in zip(report.runs, report.best_top1, strict=True):
        console.print(f"{folder}: {'not validated' if top1 is None else f'best top-1 {top1:.3f} %'}")
    if report.top1 is not None:
        console.print(
            f"validation images: top-1 {report.top1:.3f} %, top-5 {report.top5:.3f} %;"
            f" training images: top-1 {report.train_top1:.3f} %"
        )
    if report.temperature is not None:
        calibrated = f"{report.calibrated_ece:.2f} % with temperature {report.temperature:.3f}"
        told = calibrated if report.temperature != 1 else "no temperature makes it less"
        console.print(f"calibration error {report.ece:.2f} %, {told}")
    console.print(f"report: {report.file}")
    write_json(arguments.json, asdict(report))
