"""The sampler: a token from each row of logits.

Read api, request, edits, sampled for what is asked and answered; workspace, device, launches for how it is launched
(host on the CPU); then the kernels in the order of their launches:

    sweep    over all logits: settings, peaks, candidates, masses
    choose   answers most rows: guess, draw, answers
    split    and finish: the rows that are left
    tops     the most likely tokens

They share given, values and measure; limits and groups are sizes.
"""
