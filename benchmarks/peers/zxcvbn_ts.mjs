// Guesses of zxcvbn-ts: reads {"heldOut": [...], "passwords": [...]} from standard input, writes a list of numbers.
// The argument is the folder in which npm has installed it. Held-out passwords are removed from its passwords.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.argv[2], "node_modules", "from-here.js"));
const { ZxcvbnFactory } = require("@zxcvbn-ts/core");
const common = require("@zxcvbn-ts/language-common");
const english = require("@zxcvbn-ts/language-en");

const { heldOut, passwords } = JSON.parse(readFileSync(0, "utf-8"));
const removed = new Set(heldOut);
const dictionary = { ...common.dictionary, ...english.dictionary };
const key = "passwords-common";
dictionary[key] = dictionary[key].map((word) => (removed.has(word) ? "\u0000" : word)); // others keep their ranks
const meter = new ZxcvbnFactory({ dictionary, graphs: common.adjacencyGraphs, translations: english.translations });
console.log(JSON.stringify(passwords.map((password) => meter.check(password).guesses)));
