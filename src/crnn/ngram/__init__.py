"""Models of n-grams: counts, their smoothing, and what sampling and scoring ask of them."""
