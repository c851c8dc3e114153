"""The beam step: every search's next beams, from their logits.

Read api, searches, hypotheses; then workspace, device; then the first kernel, bounds, and the second: rows, choice,
scan, advance, on scores. host is the CPU's way.
"""
