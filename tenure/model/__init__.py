"""Training, judging and scoring: frames in, frames out; no paths, no SQL.

train ─► champion ─► score
  │         │
  └─► evaluate · curves · campaign_value ─► registry
"""
