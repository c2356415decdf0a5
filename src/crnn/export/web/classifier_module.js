// The function of an exported classifier.

const classifier = new Classifier(DATA.model, new StoredNumbers(NUMBERS));

/**
 * Return the most probable label of a text, and the probabilities of all labels, the most probable first:
 * { label: "Italian", probabilities: [{ label: "Italian", probability: 0.91 }, …] }.
 *
 * They are those of `model.predict([text])` and `model.predict_proba([text])` in Python.
 */
export function classify(text) {
  return classifier.classify(text);
}
