"""What a trained model is for: sampling, scoring, states, guess numbers."""
