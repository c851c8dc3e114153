"""Jobs without an engine, for the scheduler."""

from genlib.calls.channel import Channel
from genlib.jobs.sequence import Sequence, Wants


class FakeJob:
    more = 0

    def __init__(self, width=1, pending=1, wants=Wants.TOKEN, *, has_pages=True, caller=""):
        self.width, self.wants, self.pending, self.has_pages = width, wants, pending, has_pages
        self.least = self.most = width
        self.channel = Channel(streams=False, caller=caller)
        self.sequences = []

    def start(self):
        if not self.has_pages:
            return None
        self.sequences = [Sequence(self, i, self.pending, 0, self.wants) for i in range(self.width)]
        return self.sequences


class FakeWaves(FakeJob):
    """Of any number of sequences, for which there are pages or not."""

    def __init__(self, count):
        super().__init__()
        self.most, self.more, self.has_pages = count, count, True

    def start(self):
        self.sequences = []
        return [self.begin() for _ in range(self.width)]

    def begin(self):
        self.more -= 1
        self.sequences.append(Sequence(self, 0, 1, 0, Wants.TOKEN))
        return self.sequences[-1]

    def grow(self):
        return [self.begin()] if self.more and self.has_pages else []
