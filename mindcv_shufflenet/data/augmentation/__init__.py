"""Random changes of training images: policies, erasing, mixing."""
