"""How much a backbone knows: logistic regression on its pooled features, beside the same network with random weights.

    python benchmarks/linear_probe.py --data_dir tiny-imagenet-20 --ckpt_path shufflenetv2_x0_5_backbone.pth

The weights are frozen; the features are the mean of each channel of stage 4. The last line is a JSON object.
"""

import argparse
import json
import time
from pathlib import Path

import mindspore as ms
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mindcv_shufflenet import create_model, load_weights
from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.weights.records import get_pretrained_cfg


def features(config: Config, network: ms.nn.Cell, split_name: str) -> tuple[np.ndarray, np.ndarray]:
    """The pooled features ``[N, C]`` and labels ``[N]`` of a split."""
    loader = eval_loader(config, open_split(config.dataset, Request(Path(config.data_dir), split_name)), workers=2)
    rows, labels = [], []
    for batch in loader.batches():
        last = network(ms.Tensor(batch.image))[-1].asnumpy()[batch.valid]
        rows.append(last.mean(axis=(2, 3)))
        labels.append(batch.label[batch.valid])
    return np.concatenate(rows), np.concatenate(labels)


def probe(config: Config, network: ms.nn.Cell) -> float:
    """Top-1 in percent of a logistic regression on the network's features."""
    network.set_train(False)
    train, val = (features(config, network, name) for name in ("train", "val"))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return 100 * classifier.fit(*train).score(*val)


def main() -> None:
    """Probe the checkpoint and random weights of three seeds on the same images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--dataset", default="tiny_imagenet")
    parser.add_argument("--ckpt_path", required=True)
    parser.add_argument("--model", default="shufflenet_v2_x0_5.megvii_in1k", help="sets layout and preprocessing")
    parser.add_argument("--image_resize", type=int, default=128)
    arguments = parser.parse_args()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    options = get_pretrained_cfg(arguments.model).options() | {
        "dataset": arguments.dataset, "data_dir": arguments.data_dir, "batch_size": 100,
        "image_resize": arguments.image_resize, "crop_pct": 1.0,
    }  # fmt: skip
    config = parse_config(options)
    start = time.perf_counter()
    network = create_model(arguments.model, features_only=True)
    load_weights(network, arguments.ckpt_path)
    trained = probe(config, network)
    random = []
    for seed in range(3):
        ms.set_seed(seed)
        random.append(probe(config, create_model(arguments.model, features_only=True)))
    print(f"trained {trained:.2f} %, random {', '.join(f'{score:.2f}' for score in random)} %")
    result = {
        "benchmark": "linear_probe", "model": arguments.model, "dataset": arguments.dataset,
        "image_resize": arguments.image_resize, "trained_top1": trained, "random_top1": random,
        "seconds": time.perf_counter() - start,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
