// The functions of an exported language model, which use the definitions above.

const network = createModel(DATA.model, new StoredNumbers(NUMBERS));
const symbols = new Symbols(DATA.vocabulary);

// The ids of a text; a character that the model does not know is an error.
function idsOf(text) {
  const { ids, strangers } = symbols.encode(text);
  if (strangers.length) throw new RangeError(`the model does not know these characters: ${strangers.join(" ")}`);
  return ids;
}

// The state after a text.
function stateAfter(ids) {
  const state = network.start();
  for (const id of ids) network.read(state, id);
  return state;
}

/**
 * Return a new text: `model.sample(length, n_samples=number + 1, random_state=seed, …)[number]` in Python. For a
 * model of documents, length is `max_length`.
 *
 * length: the greatest number of symbols, in a document including the prime. A document usually ends earlier.
 * prime: how the text begins; it is not repeated in the result, except in a document.
 * seed, number: nonnegative integers; each pair gives another text.
 * temperature, topK, topP: as in Python; topK=0 keeps all symbols.
 */
export function sample({
  length = DATA.model.boundary === null ? 200 : 1000,
  prime = "",
  seed = 0,
  number = 0,
  temperature = 1,
  topK = 0,
  topP = 1,
} = {}) {
  const beginning = idsOf(prime);
  const state = stateAfter(beginning);
  const random = new Uniforms(seed, number);
  const isText = DATA.model.boundary === null;
  const limit = isText ? length : length - beginning.length;
  const written = [];
  while (written.length < limit) {
    const id = pick(weigh(network.predict(state), { temperature, topK, topP }, DATA.model.unknown), random.next());
    if (id === DATA.model.boundary) break;
    written.push(id);
    network.read(state, id);
  }
  return (isText ? "" : prime) + symbols.decode(written);
}

/**
 * Return the natural logarithm of a text's probability, as `model.score_samples([text])[0]` does in Python.
 *
 * The score of a document includes its end.
 */
export function score(text) {
  return sum(logProbabilities(network, network.start(), withEnd(idsOf(text), DATA.model.boundary)));
}

/**
 * Return what may follow a text with its probability, the most probable first: [{ text: "e", probability: 0.52 }, …].
 *
 * The end of a document and an unknown character have the texts "" and "\ufffd".
 */
export function nextProba(text = "") {
  const p = probabilities(network.predict(stateAfter(idsOf(text))));
  return byProbability(p).map((id) => ({ text: symbols.decode([id]), probability: p[id] }));
}

/**
 * Return the most probable continuation: after a text or document, the most probable symbol again and again.
 *
 * length: the greatest number of symbols.
 */
export function complete(text = "", { length = 40 } = {}) {
  const beginning = DATA.model.boundary === null ? 0 : idsOf(text).length;
  const whole = sample({ length: length + beginning, prime: text, temperature: 0 });
  return beginning ? whole.slice(text.length) : whole;
}
