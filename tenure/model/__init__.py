"""Training, judging and scoring: frames in, frames out; no paths, no SQL.

train ─► champion ─► score
  │         │
  └─► evaluate · curves · campaign_value ─► registry
"""

CUT_SHORT = "-cut-short"
"""How the version of a model ends whose search the guard of [train] seconds ended."""
