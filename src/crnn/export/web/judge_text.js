// The text that is typed or pasted into a page that judges texts.

const MAX_LINES = 2000; // lines of a pasted text that are judged

// Its lines, without empty ones at the end, or with `whole` the text as one.
function typedTexts(whole) {
  const text = byId("typed").value;
  if (whole) return [text];
  const lines = text.replaceAll("\r", "").split("\n");
  while (lines.length > 1 && lines[lines.length - 1] === "") lines.pop();
  return lines.slice(0, MAX_LINES);
}

// Start the engine, and call `judged(results)` with the judgments of typed texts whenever some have arrived. `texts`
// returns the texts to judge; the function returned asks for them again.
function startJudging(data, texts, judged) {
  let turn = 0;
  let results = [];
  const send = startEngine((answer) => {
    if (answer.type === "ready") ask();
    else if (answer.turn === turn) {
      results.length = answer.first;
      results.push(...answer.results);
      judged(results, answer.finished);
      if (!answer.finished) return;
      document.body.dataset.ready = "";
      byId("judge-state").dataset.turn = String(turn);
    }
  });
  const ask = () => {
    turn++;
    results = [];
    send({ type: "judge", turn, texts: texts() });
  };
  send({ type: "load", model: data.model, weights: byId("weights").textContent });
  byId("typed").addEventListener("input", ask);
  return ask;
}

// A text as it is shown: invisible characters and those that change the writing direction are replaced.
function shownText(text) {
  return Array.from(text, (character) => (character === "\n" ? "\n" : glyph(character.codePointAt(0)))).join("");
}
