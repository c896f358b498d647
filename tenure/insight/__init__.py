"""Why a customer scores high, and who is alike: frames in, frames out."""
