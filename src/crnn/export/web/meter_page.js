// The page of a password meter.

const FULL_GAUGE = 16; // log10 of the guesses that fill it
const SECONDS = { minute: 60, hour: 3600, day: 86400, month: 2629746, year: 31556952, century: 3155695200 };

// A time of 10 ** log10 seconds in words.
function timeInWords(log10) {
  if (log10 < 0) return "less than a second";
  if (log10 > Math.log10(100 * SECONDS.century)) return "more than 10,000 years";
  const seconds = 10 ** log10;
  let unit = "second";
  let size = 1;
  for (const [name, length] of Object.entries(SECONDS)) if (seconds >= length) [unit, size] = [name, length];
  const count = Math.floor(seconds / size);
  return `${count} ${count === 1 ? unit : unit === "century" ? "centuries" : `${unit}s`}`;
}

// A number of guesses, 10 ** log10, with one or two digits.
function guessesInWords(log10) {
  if (log10 >= 15) return `10^${Math.floor(log10)}`.replace(/\^(.*)/, (_, digits) => superscript(digits));
  const rounded = Number((10 ** log10).toPrecision(log10 < 2 ? 2 : 1));
  for (const [size, name] of [[1e12, "trillion"], [1e9, "billion"], [1e6, "million"]]) {
    if (rounded >= size) return `${(rounded / size).toLocaleString("en")} ${name}`;
  }
  return Math.round(rounded).toLocaleString("en");
}

function superscript(digits) {
  return Array.from(digits, (digit) => "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[Number(digit)]).join("");
}

class MeterPage {
  constructor(data) {
    surprisalKey(byId("surprisal-key"));
    this.times = [...document.querySelectorAll("[data-log10-rate]")];
    byId("hides").addEventListener("change", () => {
      byId("typed").type = byId("hides").checked ? "password" : "text";
      this.show();
    });
    const typed = () => [(this.asked = byId("typed").value)];
    startJudging(data, typed, ([result]) => {
      this.result = result;
      this.show();
    });
  }

  show() {
    const { guesses, exhaustive, isBeyond, strangers } = this.result;
    const isEmpty = this.asked === "";
    const least = Math.min(guesses, exhaustive);
    const isMore = isBeyond && guesses <= exhaustive;
    byId("guesses").textContent = isEmpty ? "\u00a0" : `${isMore ? "More than" : "About"} ${guessesInWords(least)} guesses`;
    byId("guesses").dataset.log10 = isEmpty ? "" : String(least);
    byId("gauge").style.width = isEmpty ? "0" : `${Math.min(100, (100 * Math.max(least, 0.2)) / FULL_GAUGE)}%`;
    for (const cell of this.times) cell.textContent = isEmpty ? "\u00a0" : timeInWords(least - cell.dataset.log10Rate);
    byId("judge-state").textContent = isEmpty ? "\u00a0" : this.reason(guesses, exhaustive, strangers);
    this.showCharacters();
  }

  reason(guesses, exhaustive, strangers) {
    if (strangers.length) return "The model does not know some of the characters, so all strings of this length are tried.";
    return exhaustive < guesses ? "Trying all strings of this length is faster than the model's order." : "In the order of the model.";
  }

  showCharacters() {
    const hides = byId("hides").checked;
    const characters = Array.from(this.asked, (character) => (hides ? "\u2022" : glyph(character.codePointAt(0)).replace("\n", "")));
    const { bits } = this.result;
    if (!bits.length || !characters.length) byId("password").textContent = characters.join("") || "\u00a0";
    else byId("password").replaceChildren(...[...characters, END].map((shown, i) => element("span", surprisalClass(bits[i]), shown)));
  }
}

new MeterPage(JSON.parse(byId("data").textContent));
