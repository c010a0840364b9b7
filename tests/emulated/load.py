"""A full bus: what is lost, and what it costs."""


def load(story):
    raise NotImplementedError


def cpu(story):
    raise NotImplementedError
