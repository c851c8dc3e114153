"""Calls as the user sees them: what is requested, the handle of a running call, and its result.

Read requests (what a call asks for, and the check of every value), results, then call (the handle that is waited for,
iterated or awaited). How a call runs is in jobs and engine.
"""
