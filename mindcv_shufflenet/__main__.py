"""The way in, ``python -m mindcv_shufflenet``: quiet on a Ctrl-C that comes before anything is imported."""

import sys

from mindcv_shufflenet.signals import held


def run(verb: str | None = None) -> int:
    """Run a command, as :func:`mindcv_shufflenet.cli.main` does."""
    try:
        with held():  # Python swallows a Ctrl-C that strikes in the middle of its own import
            from mindcv_shufflenet.cli import main

        return main(verb=verb)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
