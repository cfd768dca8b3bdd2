"""Every option of the suite, once, a file a group. Names and defaults are mindcv's unless the option says otherwise."""
