"""Run the experiments of ``crnn play`` in Node.js, and print their losses (``python tools/measure_play.py``).

The page tells these figures. They are nats per character, as ranges over the seeds: the first loss, the highest
smoothed loss, then after the steps the smoothed training loss and the held-out loss, and the lowest held-out loss with
its step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from crnn.export.script import assets
from crnn.play import play_page as page

EXPORTED = "export { MinCharRNN, Uniforms, EXPERIMENTS, DEFAULTS, trainingOptions, prepareText };"
RUN = """
import { MinCharRNN, Uniforms, EXPERIMENTS, DEFAULTS, trainingOptions, prepareText } from "./play.mjs";
const { story, names, seeds, steps } = JSON.parse(process.argv[2]);
const text = prepareText(story);
for (const name of names.length ? names : Object.keys(EXPERIMENTS)) {
  for (let seed = 1; seed <= seeds; seed++) {
    const settings = { ...DEFAULTS, ...EXPERIMENTS[name].settings };
    const { ids, codes, held } = EXPERIMENTS[name].own === undefined ? text : prepareText(EXPERIMENTS[name].own);
    const { hidden, length, scale } = settings;
    const options = trainingOptions(settings);
    const random = new Uniforms(seed, 0);
    const model = new MinCharRNN({ ids, symbols: codes.length, hidden, length, scale, random, options });
    const result = { name, seed, highest: 0, lowest: null, at: 0 };
    while (model.steps < steps) {
      const loss = model.step() / model.T;
      if (model.steps === 1) result.first = loss;
      result.highest = Math.max(result.highest, model.smoothLoss / model.T);
      result.training = model.smoothLoss / model.T;
      if (Number.isNaN(model.smoothLoss)) result.nan = model.steps;
      if (result.nan) break;
      if (held.length > 1 && (model.steps % 500 === 0 || model.steps === steps)) {
        result.held = model.score(held);
        if (result.lowest === null || result.held < result.lowest) {
          result.lowest = result.held;
          result.at = model.steps;
        }
      }
    }
    console.log(JSON.stringify(result));
  }
}
"""


def page_module() -> str:
    """Return the page's scripts for training, settings and experiments as a JavaScript module."""
    library = assets("crnn.export", page.ENGINE_LIBRARY)
    own = assets("crnn.play", ["training.js", "settings.js", "experiments.js", "text.js"])
    return "\n".join([library, own, EXPORTED])


def shown_range(values: list[float | None], digits: int = 2) -> str:
    """Return the range of numbers, or what else they are."""
    numbers = sorted(value for value in values if value is not None)
    if not numbers:
        return "-"
    low, high = f"{numbers[0]:.{digits}f}", f"{numbers[-1]:.{digits}f}"
    return low if low == high else f"{low}-{high}"


def main() -> None:
    """Run the experiments and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="experiments (default: all)")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    request = {"story": assets("crnn.play", ["story.txt"]), **vars(arguments)}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "play.mjs").write_text(page_module(), encoding="utf-8")
        script = Path(folder, "run.mjs")
        script.write_text(RUN, encoding="utf-8")
        command = ["node", str(script), json.dumps(request)]
        print(f"{'':16} first      highest    training   held out   lowest held out")
        found: list[dict[str, float | None]] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
            assert node.stdout is not None
            for line in node.stdout:
                found.append(json.loads(line))
                if len(found) == arguments.seeds:
                    print_line(found)
                    found.clear()
        if node.returncode:
            raise SystemExit(node.returncode)


def print_line(found: list[dict[str, float | None]]) -> None:
    """Print what the seeds of an experiment gave."""
    columns = [
        shown_range([result.get(name) for result in found])
        for name in ("first", "highest", "training", "held", "lowest")
    ]
    steps = shown_range([result["at"] for result in found], 0)
    broken = [result["nan"] for result in found if "nan" in result]
    nan = f", NaN at step {shown_range(broken, 0)}" if broken else ""
    print(f"{found[0]['name']:16}", *(f"{column:10}" for column in columns), f"at step {steps}{nan}", flush=True)


if __name__ == "__main__":
    main()
