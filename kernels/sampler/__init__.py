"""The sampler: a token from each row of logits.

Read api, request, sampled, edits; then workspace, device, launches; then the kernels in the order of their
launches: sweep (peaks, bounds, masses), choose (guess), split, finish, tops, answers. host is the CPU's way.
"""
