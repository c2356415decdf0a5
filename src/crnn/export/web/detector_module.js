// The function of an exported detector.

const detector = new Detector(DATA.model, new StoredNumbers(NUMBERS));

/**
 * Return whether a text is an anomaly, as `detector.predict([text])` and `detector.explain(text)` do in Python:
 * { score: -13.4, threshold: -11.9, verdict: "anomaly", place: 6, expected: [{ text: "d", probability: 0.99 }, …] }.
 *
 * A text whose score is below the threshold is an anomaly. The place points to the least probable character, an index
 * of the text, or its length for the end; expected are the symbols that are most probable there.
 */
export function detect(text) {
  return detector.detect(text);
}
