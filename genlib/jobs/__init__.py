"""Jobs: running calls. A job owns the sequences of one call, and decides what becomes of the results of each step.

Read sequence (one row being generated), base (what a job is), token with continuation (generate_token), branching and
multi (generate_multi), search_slots and beam (beam_search), score, then dispatch (from a request to its job).
"""
