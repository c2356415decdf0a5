// The engine of pages that judge texts: classifiers, detectors and password meters. It runs in a worker; if the browser
// forbids workers, it runs in the page itself, in short time slices.

const SLICE = 30; // milliseconds of work between checks for messages

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// A new request to judge cancels the previous one. Texts of the previous request are not judged again.
class Engine {
  constructor(post) {
    this.post = post;
    this.turn = 0;
    this.judged = new Map(); // the judgment of each text of the previous request
  }

  async handle(request) {
    if (request.type === "load") this.load(request);
    else await this.judge(request);
  }

  load({ model, weights }) {
    this.judgeOf = createJudge(model, new StoredNumbers(weights));
    this.post({ type: "ready" });
  }

  async judge({ turn, texts }) {
    this.turn = turn;
    const known = this.judged;
    const judged = new Map();
    let at = 0;
    do {
      const first = at;
      const results = [];
      const end = performance.now() + SLICE;
      while (at < texts.length && performance.now() < end) {
        const text = texts[at++];
        if (!judged.has(text)) judged.set(text, known.get(text) || this.judgeOf(text));
        results.push(judged.get(text));
      }
      this.post({ type: "judged", turn, first, results, finished: at === texts.length });
      if (at < texts.length) await pause(0);
    } while (at < texts.length && this.turn === turn);
    this.judged = judged;
  }
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const engine = new Engine((answer) => self.postMessage(answer));
  self.onmessage = (event) => engine.handle(event.data);
}
