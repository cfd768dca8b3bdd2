"""The optimizers: MindSpore's with a learning rate a layer, and, one a file, those that it lacks on the CPU."""
