"""Run the notebooks of ``examples/`` and keep their outputs.

    python docs/run_notebooks.py FOLDER [NAME...]

``FOLDER`` has what the notebooks read: ``photos``, ``imagenet`` and ``weights``. What they write goes there too. The
kernel is this Python's.
"""

import os
import sys
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run all cells from top to bottom and put their outputs into the notebook.

    Args:
        notebook: is changed.
        folder: the kernel's working directory.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises an error; the outputs up to there are in the notebook.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    # each line that is printed is an output of its own, unless they are joined
    client = nbclient.NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    own = {"PYTHONPATH": str(ROOT), "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    client.execute(env=os.environ | own)


def main(folder: str, *names: str) -> None:
    """Run notebooks by name, or all of them, and write them."""
    for path in [EXAMPLES / f"{name}.ipynb" for name in names] or sorted(EXAMPLES.glob("*.ipynb")):
        print(path.name, flush=True)
        notebook = nbformat.read(path, as_version=4)
        run(notebook, Path(folder))
        notebook.metadata = {  # the same on every machine
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
