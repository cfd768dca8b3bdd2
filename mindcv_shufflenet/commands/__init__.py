"""The verbs of the command line, one a module; ``run(arguments)`` does the work."""
