"""The beam step: the next beams of every search, from the logits of its beams.

Read api, search, searches (with stops), hypotheses for what is asked and answered; workspace and device for how it is
launched (host on the CPU); then the two kernels:

    bounds   each row's peak, and what its candidates must reach
    rows     masses and candidates of rows; then choice (with scan), and advance (with ends and pool)

They share scores; limits are sizes.
"""
