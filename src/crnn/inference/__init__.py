"""The uses of a trained model: sampling, beam search, scoring, text states, guess numbers."""
